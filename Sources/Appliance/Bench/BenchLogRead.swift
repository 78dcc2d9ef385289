import AppendLog
import Foundation

/// `tillbox bench log`, the reading half: reading from a cold index, and recovery after an unclean
/// stop, against `pread` and CRC-32C alone. The page cache is warm for both sides.
struct BenchLogRead {
    let context: BenchContext

    func run() async throws -> [BenchRow] {
        try await reading() + recovering()
    }

    // MARK: Reading

    private func reading() async throws -> [BenchRow] {
        let byteCount = context.size(256 << 20, quick: 8 << 20)
        let folder = try context.makeFolder()
        try await fill(folder + "/log", byteCount: byteCount).close()
        var (batches, records, bare): ([Double], [Double], [Double]) = ([], [], [])
        for round in 0..<context.rounds {
            context.show("log read", round: round)
            batches.append(try await read(folder + "/log", decoding: false))
            bare.append(try readBare(folder + "/log"))
            records.append(try await read(folder + "/log", decoding: true))
        }
        context.remove(folder)
        let peer = "pread + CRC-32C"
        return [
            BenchRow(
                "log", "read, verified batches", unit: "MB/s", batches, against: peer, bare,
                goal: .ratioAtLeast(0.8)),
            BenchRow(
                "log", "read, verified and decoded records", unit: "MB/s", records, against: peer,
                bare, goal: .ratioAtLeast(0.8)),
        ]
    }

    /// A log with one topic of about `byteCount` bytes, still open.
    private func fill(_ path: String, byteCount: Int) async throws -> Log {
        let log = try Log.open(at: path)
        let topic = try log.topic(try TopicName("bench"))
        let records = BenchRecords.make(256)
        for _ in 0..<max(1, byteCount / (256 * 1_050)) { _ = try await topic.append(records) }
        return log
    }

    /// - Returns: megabytes a second through a log that was just opened.
    private func read(_ path: String, decoding: Bool) async throws -> Double {
        let log = try Log.open(at: path)
        let topic = try log.topic(try TopicName("bench"))
        let (byteCount, end) = (topic.byteCount, topic.highWatermark)
        let clock = ContinuousClock()
        let start = clock.now
        var next = topic.start
        while next < end {
            if decoding {
                guard let last = try topic.read(from: next).last else { break }
                next = last.offset.advanced(by: 1)
            } else {
                guard let last = try topic.readBatches(from: next).last else { break }
                next = last.header.nextOffset
            }
        }
        let seconds = (clock.now - start).inSeconds
        precondition(next == end, "read to \(next) of \(end)")
        await log.close()
        return Double(byteCount) / 1e6 / seconds
    }

    private func readBare(_ path: String) throws -> Double {
        let folder = path + "/bench-0"
        let files = try PosixDisk().list(folder).filter { $0.hasSuffix(".log") }.sorted()
        let clock = ContinuousClock()
        let start = clock.now
        var byteCount: Int64 = 0
        for file in files { byteCount += try BenchFile.readAndSum(folder + "/" + file).byteCount }
        return Double(byteCount) / 1e6 / (clock.now - start).inSeconds
    }

    // MARK: Recovery

    /// Opens what a killed process leaves, at three sizes.
    private func recovering() async throws -> [BenchRow] {
        let unit = context.size(64 << 20, quick: 4 << 20)
        var rows: [BenchRow] = []
        var times: [[Double]] = []
        for factor in [1, 4, 16] {
            var (ours, bare): ([Double], [Double]) = ([], [])
            let name = "recovery of \((unit >> 20) * factor) MiB"
            let folder = try context.makeFolder()
            let log = try await fill(folder + "/log", byteCount: unit * factor)
            for round in 0..<context.rounds {
                context.show("log, \(name)", round: round)
                let (opened, tail) = try await recover(folder, round)
                ours.append(opened * 1000)
                bare.append(tail * 1000)
            }
            await log.close()
            context.remove(folder)
            times.append(ours)
            rows.append(
                BenchRow(
                    "log", name, unit: "ms", better: .lower, ours,
                    against: "reading the unsynced tail", bare, goal: .atMost(500)))
        }
        rows.append(
            BenchRow(
                "log", "recovery at 16 times the data", unit: "ms", better: .lower, times[2],
                against: "the same at one time", times[0], goal: .ratioAtMost(2)))
        return rows
    }

    /// Copies the files as they are while the log is open, which is what a kill leaves behind, and
    /// opens the copy.
    ///
    /// - Returns: seconds to open it, and to read as many bytes as that had to.
    private func recover(
        _ folder: String, _ round: Int
    ) async throws -> (opened: Double, tail: Double) {
        let copy = "\(folder)/copy-\(round)"
        try copyAsKilled(folder + "/log", to: copy)
        defer { try? FileManager.default.removeItem(atPath: copy) }
        let clock = ContinuousClock()
        let start = clock.now
        let log = try Log.open(at: copy)
        let opened = (clock.now - start).inSeconds
        let topic = try log.topic(try TopicName("bench"))
        let scanned = topic.recovery.scannedBytes
        guard let last = topic.segments.last else { preconditionFailure("a topic has a segment") }
        let path = "\(copy)/bench-0/\(URL(filePath: last.file).lastPathComponent)"
        let began = clock.now
        _ = try BenchFile.readAndSum(
            path, from: max(0, last.byteCount - scanned), byteCountMax: scanned)
        // A tail of no bytes still costs a call.
        let tail = max((clock.now - began).inSeconds, 1e-6)
        await log.close()
        return (opened, tail)
    }

    /// Sealed segments are linked, not copied: recovery does not write to them. What is copied is
    /// synced, as it was where it came from; else recovery's first sync would pay for the copying.
    private func copyAsKilled(_ source: String, to target: String) throws {
        let files = FileManager.default
        for name in try files.contentsOfDirectory(atPath: source) where name != "lock" {
            let (from, to) = ("\(source)/\(name)", "\(target)/\(name)")
            guard name != "identity" else {
                try files.createDirectory(atPath: target, withIntermediateDirectories: true)
                try files.copyItem(atPath: from, toPath: to)
                continue
            }
            try files.createDirectory(atPath: to, withIntermediateDirectories: true)
            let parts = try files.contentsOfDirectory(atPath: from).sorted()
            let last = parts.last { $0.hasSuffix(".log") }
            for part in parts {
                let isSealed = part.hasSuffix(".log") && part != last
                if isSealed {
                    try files.linkItem(atPath: "\(from)/\(part)", toPath: "\(to)/\(part)")
                } else {
                    try files.copyItem(atPath: "\(from)/\(part)", toPath: "\(to)/\(part)")
                    try PosixDisk().open("\(to)/\(part)", .readWrite).sync()
                }
            }
            try PosixDisk().syncDirectory(to)
        }
    }
}
