import AppendLog
import Foundation

/// Copies every cold segment back into the log's folder, and forgets the cold ones; the files in
/// the cold folders stay.
///
/// The newest first, each under its name only once it is durable and read again, and forgotten only
/// then: so wherever it is killed, the log's segments have no gap, what is left is still found in
/// the cold folder, and what is back stays, whatever becomes of the cold disk.
///
/// Nobody else may have the log open: the caller holds the data folder. Blocking: call it off the
/// cooperative pool.
package struct ArchiveReturn {
    private let place: ArchivePlace
    private let progress: (Int64, Int64, String) -> Void
    private let goesOn: () -> Bool

    /// What a recovery of the log removes where it was left.
    private static let suffix = ".tmp"

    package init(
        of place: ArchivePlace, progress: @escaping (Int64, Int64, String) -> Void = { _, _, _ in },
        goesOn: @escaping () -> Bool = { true }
    ) {
        self.place = place
        self.progress = progress
        self.goesOn = goesOn
    }

    /// - Returns: how many segments came back, and their bytes.
    /// - Throws: `ArchiveError`, of which `.noRoom` comes before anything is copied; `LogError`,
    ///   `CancellationError`
    package func run() throws -> (count: Int, byteCount: Int64) {
        let lock = try place.locked()
        defer { lock.release() }
        let log = try Log.openReadOnly(at: place.log, disk: place.disk)
        guard
            var index = try ColdIndex.read(
                ofLog: place.log, identity: log.identity, on: place.disk)
        else { return (0, 0) }
        var work: [(folder: String, segment: ColdSegment)] = []
        for topic in log.topics {
            work += try index.segments(of: topic.name, before: topic.start).reversed()
                .map { (topic.folder, $0) }
        }
        let total = work.reduce(Int64(0)) { $0 + $1.segment.byteCount }
        try checkRoom(for: total)
        var done: Int64 = 0
        for (folder, segment) in work {
            guard goesOn() else { throw CancellationError() }
            try bring(segment, into: folder)
            index.remove(segment)
            try index.write(toLog: place.log, on: place.disk)
            done += segment.byteCount
            progress(done, total, segment.topic.rawValue)
        }
        // One that was killed may have left names which are not durable yet.
        do throws(DiskError) {
            for topic in log.topics { try place.disk.syncDirectory(topic.folder) }
        } catch {
            throw ArchiveError(error, writingInto: place.log)
        }
        index.removeAll()
        try index.write(toLog: place.log, on: place.disk)
        return (work.count, done)
    }

    /// The log's disk is not to be filled by what nobody waits for: no payment would be taken then.
    private func checkRoom(for byteCount: Int64) throws(ArchiveError) {
        guard byteCount > 0 else { return }
        let free: Int64
        do {
            free = try place.disk.freeBytes(place.log)
        } catch {
            throw .disk(error)
        }
        guard free > byteCount + DiskRoom.spareByteCount else {
            throw .noRoom(path: place.log, needed: byteCount, free: free)
        }
    }

    private func bring(_ segment: ColdSegment, into folder: String) throws {
        let target = folder + segment.file.dropFirst(segment.topicFolder.count)
        let digest: String
        do throws(DiskError) {
            digest = try FileDigest.of(segment.file, on: place.disk)
        } catch {
            throw LogError.coldUnreadable(error, folder: segment.folder)
        }
        guard digest == segment.digest else {
            throw ArchiveError.coldDiffers(file: segment.file)
        }
        do throws(DiskError) {
            let digests = try FileDigest.copy(
                segment.file, to: target, in: folder, suffix: Self.suffix, on: place.disk)
            guard digests.copy == digest else {
                throw DiskError(operation: .read, path: target, code: EIO)
            }
        } catch {
            if error.code == EIO, error.path == target {
                throw ArchiveError.copyDiffers(file: target)
            }
            throw ArchiveError(error, writingInto: folder)
        }
    }
}
