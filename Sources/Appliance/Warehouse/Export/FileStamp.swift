import Foundation

/// What a file looks like from outside. Whoever writes it, cuts it or puts another in its place
/// changes this; who only copies the folder does so too, and then the file is read.
enum FileStamp {
    /// Bytes, and the times of the last write and of the last change of any kind, in nanoseconds;
    /// nil where there is no such file.
    static func of(_ path: String) -> String? {
        var found = stat()
        guard stat(path, &found) == 0 else { return nil }
        return "\(found.st_size) \(found.st_mtim.tv_sec).\(found.st_mtim.tv_nsec) "
            + "\(found.st_ctim.tv_sec).\(found.st_ctim.tv_nsec)"
    }
}
