import SystemPackage

/// What a file looks like from outside. Whoever writes it, cuts it or puts another in its place
/// changes this; who only copies the folder does so too, and then the file is read.
enum FileStamp {
    /// Bytes, and the times of the last write and of the last change of any kind, to the
    /// nanosecond; nil where there is no such file.
    static func of(_ path: String) -> String? {
        guard let status = try? FilePath(path).stat() else { return nil }
        return "\(status.size) \(status.st_mtim) \(status.st_ctim)"
    }
}
