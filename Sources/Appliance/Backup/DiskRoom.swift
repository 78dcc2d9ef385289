/// Room on a disk that a data folder is, or comes to be, on.
enum DiskRoom {
    /// What stays free beside what a command writes there, so that the daemon is not kept from
    /// taking payments: the next piece of a segment for each topic (16 MiB), its reserve, and what
    /// the ledger writes ahead.
    static let spareByteCount: Int64 = 256 << 20

    /// What is needed and what is there, for a sentence about the disk.
    ///
    /// - Parameters:
    ///   - needed: bytes to be written.
    ///   - free: bytes.
    static func words(needed: Int64, free: Int64) -> String {
        let unit: Int64 = 1 << 20
        let wanted = (needed + spareByteCount + unit - 1) / unit
        return "\(wanted) MiB are needed there, \(spareByteCount / unit) of them to stay free for "
            + "the daemon, and \(free / unit) MiB are free"
    }
}
