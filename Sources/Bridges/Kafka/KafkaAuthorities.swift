import Glibc

/// The file with the authorities that a client trusts, as it was when the client was made.
///
/// librdkafka reads it once for each client: who is to trust another authority needs a new client.
struct KafkaAuthorities: Equatable, Sendable {
    /// By which a file is known for another one, also behind a symbolic link that was turned.
    private struct Stamp: Equatable {
        var device: UInt64
        var number: UInt64
        var byteCount: Int64
        var modifiedSeconds: Int
        var modifiedNanoseconds: Int
    }

    private let path: String
    /// nil where there was none that could be looked at.
    private let stamp: Stamp?

    /// - Parameter path: PEM.
    init(at path: String) {
        self.path = path
        var found = stat()
        guard stat(path, &found) == 0 else {
            stamp = nil
            return
        }
        stamp = Stamp(
            device: UInt64(found.st_dev), number: UInt64(found.st_ino),
            byteCount: Int64(found.st_size), modifiedSeconds: found.st_mtim.tv_sec,
            modifiedNanoseconds: found.st_mtim.tv_nsec)
    }

    /// Whether another file is there now. One that is missing for a moment is none.
    var haveChanged: Bool {
        let now = Self(at: path)
        return now.stamp != nil && now != self
    }
}
