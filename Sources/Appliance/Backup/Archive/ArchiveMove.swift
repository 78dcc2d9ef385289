import AppendLog
import Appliance
import Foundation
package import Vocabulary

/// What a move to a cold folder has done.
package struct MoveReport: Hashable, Sendable {
    /// The last month of which segments may go.
    package var through: String
    /// Where they are.
    package var folder: String
    /// Segments that have a copy there now, and their bytes.
    package internal(set) var movedCount = 0
    package internal(set) var movedByteCount: Int64 = 0
    /// Segments that were copied before and still lie in the log's folder: a move that was killed.
    package internal(set) var pendingCount = 0
}

/// Copies whole segments of sealed months to a cold folder and notes them in the log's index. Who
/// holds the log deletes them from its folder then (`Log.releaseCold`), as far as every consumer
/// has read them.
///
/// ```
/// every batch read ─▶ copied, synced, read again ─▶ named ─▶ noted in log/cold ─▶ (released)
/// ```
///
/// Killed anywhere, each segment is whole in the log, in the cold folder, or in both; the next move
/// goes on from there. The log's files are only read, so that a daemon may run meanwhile.
///
/// `payment.review` and `dead.letter` stay: the daemon reads them from their beginning, and they
/// are small. Blocking: call it off the cooperative pool.
package struct ArchiveMove {
    /// What is read again only by who looks back.
    package static let topics: [TopicID] = [
        .webhookReceived, .paymentValidated, .paymentFeatures, .paymentScored, .ledgerPosted,
    ]

    private let place: ArchivePlace
    private let progress: (Int64, Int64, String) -> Void
    private let goesOn: () -> Bool

    /// - Parameters:
    ///   - progress: bytes copied, bytes to copy, and of which topic.
    ///   - goesOn: asked before each segment; where it says no, the move ends as if it was killed.
    package init(
        of place: ArchivePlace, progress: @escaping (Int64, Int64, String) -> Void = { _, _, _ in },
        goesOn: @escaping () -> Bool = { true }
    ) {
        self.place = place
        self.progress = progress
        self.goesOn = goesOn
    }

    /// - Parameters:
    ///   - path: of the cold folder.
    ///   - cutoff: only months that had ended by then.
    ///   - keptMonths: what `cutoff` is made of, for what is said where there are none.
    /// - Throws: `ArchiveError`, `LogError`, `CancellationError`
    package func run(
        to path: String, cutoff: Instant, keptMonths: Int
    ) throws -> MoveReport {
        let lock = try place.locked()
        defer { lock.release() }
        let seals = try place.allSeals().map(\.seal)
        guard let seal = seals.last(where: { $0.month.to <= cutoff }) else {
            throw ArchiveError.nothingSealed(keptMonths: keptMonths)
        }
        let log = try Log.openReadOnly(at: place.log, disk: place.disk)
        let identity = try place.identity(of: log)
        try place.refuse(seal, unlessOf: identity)
        var index =
            try ColdIndex.read(ofLog: place.log, identity: identity, on: place.disk)
            ?? ColdIndex(log: identity)
        let target = ColdFolder.canonical(path)
        let folder = try ColdFolder(
            target, of: identity, isKnown: Set(index.segments.map(\.folder)).contains {
                ColdFolder.canonical($0) == target
            },
            data: ColdFolder.canonical(place.folder), disk: place.disk)
        try folder.compare(with: index, log)
        var report = MoveReport(through: seal.month.name, folder: target)
        let work = try self.work(seal, log, index, &report)
        let total = work.flatMap(\.segments).reduce(Int64(0)) { $0 + $1.byteCount }
        let missing = missingByteCount(work, in: folder)
        guard try missing == 0 || place.disk.freeBytes(target) > missing else {
            throw ArchiveError.full(path: target)
        }
        for (topic, segments) in work where !segments.isEmpty {
            var added: [ColdSegment] = []
            for segment in segments {
                guard goesOn() else { throw CancellationError() }
                added.append(try copy(segment, of: topic, to: folder))
                report.movedCount += 1
                report.movedByteCount += segment.byteCount
                progress(report.movedByteCount, total, topic.name.rawValue)
            }
            try syncNames(of: added, in: folder)
            index.add(added)
            try index.write(toLog: place.log, on: place.disk)
        }
        return report
    }

    /// The segments to copy, by topic: whole ones of sealed months that are not copied yet.
    private func work(
        _ seal: MonthSeal, _ log: ReadOnlyLog, _ index: ColdIndex, _ report: inout MoveReport
    ) throws -> [(topic: ReadOnlyTopic, segments: [SegmentSummary])] {
        var work: [(topic: ReadOnlyTopic, segments: [SegmentSummary])] = []
        for id in Self.topics {
            guard let topic = log.topic(try TopicName(id.rawValue)),
                let sealed = seal.reaches.first(where: { $0.topic == id.rawValue })
            else { continue }
            // What was moved before must lead up to it, or nobody could read past the gap.
            _ = try index.segments(of: topic.name, before: topic.start)
            let known = index.segments(of: topic.name, from: topic.start)
            let next = known.last?.end ?? topic.start
            let all = topic.segments.dropLast()
            report.pendingCount += all.filter { $0.end <= next }.count
            work.append(
                (
                    topic,
                    all.filter { $0.baseOffset >= next && $0.end <= Offset(sealed.end) }
                ))
        }
        return work
    }

    /// Bytes to copy, but for files that a move which was killed has left in the folder.
    private func missingByteCount(
        _ work: [(topic: ReadOnlyTopic, segments: [SegmentSummary])], in folder: ColdFolder
    ) -> Int64 {
        var count: Int64 = 0
        for (topic, segments) in work {
            for segment in segments {
                let file = Self.cold(segment, of: topic, in: folder, digest: "-").file
                let isThere = try? place.disk.open(file, .read).size() == segment.byteCount
                if isThere != true { count += segment.byteCount }
            }
        }
        return count
    }

    /// Makes the names of copies durable, before anybody is told that they are there: a move that
    /// was killed may have left some which are in the folder, and not on the disk.
    private func syncNames(
        of segments: [ColdSegment], in folder: ColdFolder
    ) throws(ArchiveError) {
        do throws(DiskError) {
            for path in Set(segments.map(\.topicFolder)) { try place.disk.syncDirectory(path) }
            try place.disk.syncDirectory(folder.path)
        } catch {
            throw ArchiveError(error, writingInto: folder.path)
        }
        // The folder that it lies in may be one that only others read.
        let parent = URL(filePath: folder.path).deletingLastPathComponent().path
        try? place.disk.syncDirectory(parent)
    }

    private static func cold(
        _ segment: SegmentSummary, of topic: ReadOnlyTopic, in folder: ColdFolder, digest: String
    ) -> ColdSegment {
        ColdSegment(
            topic: topic.name, baseOffset: segment.baseOffset, end: segment.end,
            byteCount: segment.byteCount, digest: digest, folder: folder.path)
    }

    private func copy(
        _ segment: SegmentSummary, of topic: ReadOnlyTopic, to folder: ColdFolder
    ) throws -> ColdSegment {
        // A damaged segment is not to become the only one.
        _ = try MonthSeal.digest(of: topic, segment.baseOffset..<segment.end) { _ in }
        let made = { Self.cold(segment, of: topic, in: folder, digest: $0) }
        let cold = made("-")
        let disk = place.disk
        do throws(DiskError) {
            if try !disk.exists(cold.topicFolder) {
                try disk.createDirectory(cold.topicFolder)
                try disk.syncDirectory(folder.path)
            }
            // A move that was killed may have copied it; what is another file stays as it is.
            if try disk.exists(cold.file) {
                let there = try FileDigest.of(cold.file, on: disk)
                guard there == (try FileDigest.of(segment.file, on: disk)) else {
                    throw DiskError(operation: .open, path: cold.file, code: EEXIST)
                }
                return made(there)
            }
            let digests = try FileDigest.copy(
                segment.file, to: cold.file, in: cold.topicFolder, suffix: BackupPlace.partSuffix,
                on: disk)
            guard digests.original == digests.copy else {
                throw DiskError(operation: .read, path: cold.file, code: EIO)
            }
            copyIndexes(of: segment.file, to: cold.file)
            return made(digests.copy)
        } catch {
            switch (error.code, error.path) {
            case (EIO, cold.file): throw ArchiveError.copyDiffers(file: cold.file)
            case (EEXIST, cold.file): throw ArchiveError.taken(file: cold.file)
            default: break
            }
            throw ArchiveError(error, writingInto: folder.path)
        }
    }

    /// An index can be made again, and need not be there.
    private func copyIndexes(of source: String, to target: String) {
        for suffix in [".index", ".timeindex"] {
            let (from, to) = (source.dropLast(4) + suffix, target.dropLast(4) + suffix)
            guard let bytes = BackupSource.bytes(at: String(from)),
                let file = try? place.disk.open(String(to), .create)
            else { continue }
            try? file.writeAll(bytes, at: 0)
        }
    }
}
