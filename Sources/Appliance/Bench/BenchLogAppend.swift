import AppendLog
import Foundation

/// `tillbox bench log`, the writing half: synced appends against a bare loop of `pwrite` and
/// `fdatasync` with the same bytes a sync.
struct BenchLogAppend {
    let context: BenchContext

    private static let peer = "pwrite + fdatasync"

    func run() async throws -> [BenchRow] {
        var rows: [BenchRow] = []
        for batch in [1, 16, 64, 256] { rows += try await appends(batch: batch) }
        for writers in [1, 16, 64] { rows += try await acknowledgements(writers: writers) }
        return rows
    }

    /// One writer that waits for each of its batches.
    private func appends(batch: Int) async throws -> [BenchRow] {
        let bytesMax = context.size(64 << 20, quick: 4 << 20)
        let syncs = min(context.size(3_000, quick: 200), bytesMax / (batch * 1_050))
        var (ours, bare, megabytes): ([Double], [Double], [Double]) = ([], [], [])
        for round in 0..<context.rounds {
            context.show("log append, \(batch) records a sync", round: round)
            let (seconds, byteCount) = try await append(batch: batch, syncs: syncs)
            let limit = try context.bareWrites(byteCount: byteCount / syncs, count: syncs)
            ours.append(Double(syncs * batch) / seconds)
            bare.append(Double(syncs * batch) / limit.seconds)
            megabytes.append(Double(byteCount) / 1e6 / seconds)
        }
        let words = batch == 1 ? "1 record" : "\(batch) records"
        return [
            BenchRow(
                "log", "append, \(words) a sync", unit: "records/s", ours, against: Self.peer, bare,
                goal: .ratioAtLeast(0.9)),
            BenchRow("log", "append, \(words) a sync", unit: "MB/s", megabytes),
        ]
    }

    private func append(
        batch: Int, syncs: Int
    ) async throws -> (seconds: Double, byteCount: Int) {
        let folder = try context.makeFolder()
        let log = try Log.open(at: folder + "/log")
        let topic = try log.topic(try TopicName("bench"))
        let records = BenchRecords.make(batch)
        let clock = ContinuousClock()
        let start = clock.now
        for _ in 0..<syncs { _ = try await topic.append(records) }
        let seconds = (clock.now - start).inSeconds
        let byteCount = Int(topic.byteCount)
        await log.close()
        context.remove(folder)
        return (seconds, byteCount)
    }

    /// Writers that each append one record, wait for it, and append the next.
    private func acknowledgements(writers: Int) async throws -> [BenchRow] {
        let each = context.size(2_000, quick: 100) / (writers > 16 ? 2 : 1)
        var (rates, bareRates): ([Double], [Double]) = ([], [])
        var (p50, p99, bare50, bare99): ([Double], [Double], [Double], [Double]) = ([], [], [], [])
        for round in 0..<context.rounds {
            context.show("log append, \(writers) writers", round: round)
            let run = try await concurrently(writers: writers, each: each)
            let bare = try context.bareWrites(
                byteCount: run.byteCount / run.batchCount, count: run.batchCount)
            let acknowledged = BenchFile.Writes(seconds: run.seconds, samples: run.samples)
            rates.append(Double(writers * each) / run.seconds)
            bareRates.append(Double(writers * each) / bare.seconds)
            p50.append(acknowledged.p50Milliseconds)
            p99.append(acknowledged.p99Milliseconds)
            bare50.append(bare.p50Milliseconds)
            bare99.append(bare.p99Milliseconds)
        }
        let who = writers == 1 ? "1 writer" : "\(writers) writers"
        return [
            BenchRow(
                "log", "append, \(who)", unit: "records/s", rates, against: Self.peer, bareRates,
                goal: writers == 1 ? nil : .ratioAtLeast(0.9)),
            BenchRow(
                "log", "ack p50, \(who)", unit: "ms", better: .lower, p50,
                against: "one sync of that size", bare50),
            BenchRow(
                "log", "ack p99, \(who)", unit: "ms", better: .lower, p99,
                against: "one sync of that size", bare99),
        ]
    }

    private struct Run: Sendable {
        var seconds: Double
        /// From call to return, in seconds.
        var samples: [Double]
        var byteCount: Int
        /// As many as there were syncs.
        var batchCount: Int
    }

    private func concurrently(writers: Int, each: Int) async throws -> Run {
        let folder = try context.makeFolder()
        let log = try Log.open(at: folder + "/log")
        let topic = try log.topic(try TopicName("bench"))
        let clock = ContinuousClock()
        let start = clock.now
        let samples = try await withThrowingTaskGroup(of: [Double].self) { group in
            for writer in 0..<writers {
                group.addTask {
                    try await Self.appendOneByOne(each, to: topic, from: writer * each)
                }
            }
            var all: [Double] = []
            for try await some in group { all += some }
            return all
        }
        let run = Run(
            seconds: (clock.now - start).inSeconds, samples: samples,
            byteCount: Int(topic.byteCount), batchCount: try Self.batchCount(of: topic))
        await log.close()
        context.remove(folder)
        return run
    }

    private static func batchCount(of topic: Topic) throws(LogError) -> Int {
        var count = 0
        var next = topic.start
        while next < topic.highWatermark {
            let batches = try topic.readBatches(from: next, byteCountMax: 4 << 20)
            guard let last = batches.last else { break }
            count += batches.count
            next = last.header.nextOffset
        }
        return max(1, count)
    }

    @concurrent
    private static func appendOneByOne(
        _ count: Int, to topic: Topic, from first: Int
    ) async throws -> [Double] {
        let records = BenchRecords.make(count, from: first)
        let clock = ContinuousClock()
        var samples: [Double] = []
        samples.reserveCapacity(count)
        for record in records {
            let start = clock.now
            _ = try await topic.append([record])
            samples.append((clock.now - start).inSeconds)
        }
        return samples
    }
}
