import Foundation

/// What a file looks like from outside. Whoever writes it, cuts it or puts another in its place
/// changes this; who only copies the folder does so too, and then the file is read.
enum FileStamp {
    /// Bytes, the file's number, and when it was written last; nil where there is no such file.
    static func of(_ path: String) -> String? {
        guard let found = try? FileManager.default.attributesOfItem(atPath: path),
            let size = found[.size] as? NSNumber,
            let number = found[.systemFileNumber] as? NSNumber,
            let written = found[.modificationDate] as? Date
        else { return nil }
        return "\(size.int64Value) \(number.uint64Value) \(written.timeIntervalSince1970)"
    }
}
