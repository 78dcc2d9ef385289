import AppendLog
import Appliance
import Daemon
import Foundation
import Traffic
import Vocabulary

/// `tillbox bench replay`: the whole pipeline again from the log, against reading the same log and
/// parsing its events alone.
struct BenchReplay {
    let context: BenchContext

    func run() async throws -> [BenchRow] {
        let count = context.size(60_000, quick: 3_000)
        let folder = try context.makeFolder()
        context.show("replay: making the log", round: 0)
        try await fill(folder, count: count)
        let settings = BenchServer(kind: .whole, folder: folder, secret: "").settings
        var (replayed, read, memory): ([Double], [Double], [Double]) = ([], [], [])
        for round in 0..<context.rounds {
            context.show("replay", round: round)
            replayed.append(try await replay(settings))
            if round == 0 { memory.append(BenchProcess.memoryBytes("VmHWM") / 1e6) }
            read.append(try Self.read(folder))
        }
        context.remove(folder)
        return [
            BenchRow(
                "replay", "webhooks through the whole pipeline, compared and equal",
                unit: "webhooks/s", replayed, against: "reading and parsing the log alone", read),
            BenchRow(
                "replay", "memory of the process, peak", unit: "MB", better: .lower, memory),
        ]
    }

    /// A data folder as a daemon leaves it that took every event of a simulated world.
    private func fill(_ folder: String, count: Int) async throws {
        let child = try await BenchChild(.whole, folder: folder)
        _ = try await child.deliver(
            DeliveryPlan(.init(world: TrafficWorld.Settings(seed: 1), count: count)), rate: 0,
            connections: BenchGate.connections)
        _ = try await child.settle()
        await child.stop()
    }

    /// - Returns: webhooks a second.
    private func replay(_ settings: Settings) async throws -> Double {
        let fresh = try context.makeFolder()
        defer { context.remove(fresh) }
        let start = ContinuousClock.now
        let replay = try Replay(of: settings, into: fresh)
        let report = try await replay.run { _, _ in }
        let seconds = (ContinuousClock.now - start).inSeconds
        guard report.isEqual else {
            throw BenchError.replayDiffers(report.differences.count)
        }
        return Double(report.events) / seconds
    }

    /// - Returns: webhooks a second.
    private static func read(_ folder: String) throws -> Double {
        let start = ContinuousClock.now
        let log = try Log.openReadOnly(at: folder + "/log")
        let name = TopicID.webhookReceived.rawValue
        guard let topic = log.topic(try TopicName(name)) else { throw ReplayError.noTopic(name) }
        let document = JSONDocument()
        var count = 0
        try topic.scan(from: .zero) { stored in
            if (try? document.parse(stored.record.value ?? [])) != nil { count += 1 }
            return true
        }
        return Double(count) / (ContinuousClock.now - start).inSeconds
    }
}
