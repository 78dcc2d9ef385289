import Glibc

/// Which file it is and how long it is, to tell whether a name still leads to an open one.
struct FileLook: Equatable {
    private let device: UInt64
    private let number: UInt64
    let byteCount: Int64

    /// - Returns: nil where the system says nothing of it.
    init?(descriptor: Int32) {
        var found = stat()
        guard fstat(descriptor, &found) == 0 else { return nil }
        self.init(found)
    }

    /// A link is not followed.
    ///
    /// - Returns: nil where there is none.
    init?(path: String) {
        var found = stat()
        guard lstat(path, &found) == 0 else { return nil }
        self.init(found)
    }

    private init(_ found: stat) {
        (device, number) = (UInt64(found.st_dev), UInt64(found.st_ino))
        byteCount = Int64(found.st_size)
    }
}
