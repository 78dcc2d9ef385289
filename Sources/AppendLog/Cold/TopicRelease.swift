/// Deleting what has its copy in a cold folder.
extension Topic {
    /// Deletes the oldest segments of which the index names whole copies, as far as every group has
    /// read them; never the last one.
    ///
    /// - Parameter needed: the smallest cursor of any group.
    /// - Returns: how many.
    /// - Throws: `.coldUnreadable` where a copy is not there, with nothing deleted from it on;
    ///   `.diskFull`, `.poisoned`, `.closed`.
    func release(
        _ index: ColdIndex, needed: Offset?, on disk: any Disk
    ) async throws(LogError) -> Int {
        var end = start
        var missing: LogError?
        for segment in index.segments(of: name, from: start) {
            if let needed, segment.end > needed { break }
            missing = Self.fault(of: segment, on: disk)
            if missing != nil { break }
            end = segment.end
        }
        var count = 0
        if end > start {
            let limit = end
            // SAFETY: the queue runs what it is given once, and that resumes once.
            let result: Result<Int, LogError> = await withUnsafeContinuation { continuation in
                queue.schedule {
                    continuation.resume(returning: self.deleteSegments(before: limit))
                }
            }
            count = try result.get()
        }
        if let missing { throw missing }
        return count
    }

    /// Why a copy cannot stand for its segment, as far as its size tells.
    private static func fault(of segment: ColdSegment, on disk: any Disk) -> LogError? {
        do {
            let size = try disk.open(segment.file, .read).size()
            guard size != segment.byteCount else { return nil }
            let corruption = Corruption(
                file: segment.file, position: min(size, segment.byteCount),
                offset: segment.baseOffset, kind: .missing)
            return .coldDamaged(corruption, folder: segment.folder)
        } catch {
            return .coldUnreadable(error, folder: segment.folder)
        }
    }
}
