import AppendLog
import Appliance
import Daemon
import Foundation
import NIOCore
import Terminal
import Traffic
import Vocabulary

/// `tillbox bench gate`: signed webhooks until they are on disk, against the same HTTP server
/// answering nothing, both as child processes and driven by the same client.
struct BenchGate {
    let context: BenchContext

    private static let peer = "the same server, empty 200"

    func run() async throws -> [BenchRow] {
        try await saturation() + paced(rate: 200) + paced(rate: 1_000) + [indexMemory()]
    }

    /// What the gate remembers of each event, after those of a million payments.
    private func indexMemory() -> BenchRow {
        let count = context.size(2_100_000, quick: 210_000)
        var index = AdmissionIndex()
        for number in 0..<count {
            index.insert(
                AdmissionIndex.digest(of: "evt_bench\(number)".utf8), at: Offset(Int64(number)))
        }
        return BenchRow(
            "gate", "index of \(Figures.grouped(count)) events", unit: "bytes/event",
            better: .lower, [Double(index.byteCount) / Double(count)], goal: .atMost(16))
    }

    /// One run of traffic against a fresh server.
    struct Run: Sendable {
        var result: LoadResult
        var before: BenchServer.Reading
        var after: BenchServer.Reading

        var perSecond: Double {
            Double(result.tally.answered) / (Double(result.elapsed.nanoseconds) / 1e9)
        }
        /// Milliseconds, from the client's side.
        var p50: Double { Double(result.tally.latency.value(atShare: 0.5)) / 1e6 }
        var p99: Double { Double(result.tally.latency.value(atShare: 0.99)) / 1e6 }
        /// Microseconds of processor time a webhook.
        var serverMicroseconds: Double {
            (after.processorMicroseconds - before.processorMicroseconds)
                / Double(max(1, result.tally.answered))
        }
        var clientMicroseconds: Double {
            Double(result.processorTime.nanoseconds) / 1e3 / Double(max(1, result.tally.attempts))
        }
    }

    /// Connections of a closed loop.
    static let connections = 64

    /// - Parameter enabledEvents: the types that the endpoint is subscribed to; nil for all.
    static func plan(
        _ count: Int, seed: Int, enabledEvents: Set<String>? = nil
    ) -> DeliveryPlan {
        var settings = DeliveryPlan.Settings(
            world: TrafficWorld.Settings(seed: UInt64(seed)), count: count)
        settings.enabledEvents = enabledEvents
        var plan = DeliveryPlan(settings)
        plan.prepare()
        return plan
    }

    /// - Parameter rate: deliveries a second; zero for as many as are answered.
    static func measure(
        _ kind: BenchServer.Kind, count: Int, rate: Double, seed: Int, in context: BenchContext,
        connections: Int = Self.connections
    ) async throws -> Run {
        let folder = try context.makeFolder()
        let child = try await BenchChild(kind, folder: folder)
        let before = try await child.read()
        let result = try await child.deliver(
            plan(count, seed: seed), rate: rate, connections: connections)
        let after = try await child.settle()
        await child.stop()
        context.remove(folder)
        return Run(result: result, before: before, after: after)
    }

    private func saturation() async throws -> [BenchRow] {
        let count = context.size(40_000, quick: 2_000)
        var (ours, empty): ([Run], [Run]) = ([], [])
        for round in 0..<context.rounds {
            context.show("gate at saturation", round: round)
            ours.append(
                try await Self.measure(.gate, count: count, rate: 0, seed: round, in: context))
            empty.append(
                try await Self.measure(.empty, count: count, rate: 0, seed: round, in: context))
        }
        func row(
            _ measure: String, _ unit: String, _ better: BenchRow.Better = .lower,
            goal: BenchGoal? = nil, _ value: (Run) -> Double
        ) -> BenchRow {
            BenchRow(
                "gate", measure, unit: unit, better: better, ours.map(value), against: Self.peer,
                empty.map(value), goal: goal)
        }
        let loop = "closed loop of \(Self.connections)"
        return [
            row(
                "verified, admitted, synced, \(loop)", "webhooks/s", .higher,
                goal: .ratioAtLeast(0.6)
            ) { $0.perSecond },
            row("ack p50, \(loop)", "ms") { $0.p50 },
            row("ack p99, \(loop)", "ms") { $0.p99 },
            row("server processor time a webhook", "µs") { $0.serverMicroseconds },
            row("client processor time a webhook", "µs") { $0.clientMicroseconds },
        ]
    }

    private func paced(rate: Int) async throws -> [BenchRow] {
        let count = rate * context.size(6, quick: 1)
        var (ours, empty, syncs): ([Run], [Run], [Double]) = ([], [], [])
        for round in 0..<context.rounds {
            context.show("gate at \(Figures.grouped(rate))/s", round: round)
            ours.append(
                try await Self.measure(
                    .gate, count: count, rate: Double(rate), seed: round, in: context))
            empty.append(
                try await Self.measure(
                    .empty, count: count, rate: Double(rate), seed: round, in: context))
            syncs.append(try context.bareWrites(byteCount: 4_000, count: 200).p50Milliseconds)
        }
        let pace = "at \(Figures.grouped(rate))/s"
        // One sync may be under way when a webhook comes; the next one takes it along.
        let bound = BenchRow.median(empty.map(\.p99)) + 2 * BenchRow.median(syncs)
        return [
            BenchRow(
                "gate", "ack p50 \(pace)", unit: "ms", better: .lower, ours.map(\.p50),
                against: Self.peer, empty.map(\.p50)),
            BenchRow(
                "gate", "ack p99 \(pace)", unit: "ms", better: .lower, ours.map(\.p99),
                against: Self.peer, empty.map(\.p99), goal: .atMost(bound)),
        ]
    }
}
