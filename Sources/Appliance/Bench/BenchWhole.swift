import Foundation
import NIOCore
import Terminal
import Traffic
import Vocabulary

/// `tillbox bench whole`: the daemon in a child process, from signed webhook to committed entries.
struct BenchWhole {
    let context: BenchContext

    func run() async throws -> [BenchRow] {
        try await sustained(.onePerPayment) + sustained(.everyEvent) + paced(rate: 200)
            + paced(rate: 1_000)
    }

    /// What the endpoint is subscribed to.
    private enum Stream: String {
        /// One event a payment, as the reference stack is fed.
        case onePerPayment = "charge.succeeded alone"
        /// All that Stripe sends: about two events a payment, and what happens to payments later.
        case everyEvent = "every event"

        var enabledEvents: Set<String>? {
            self == .onePerPayment ? [StripeEventType.chargeSucceeded.rawValue] : nil
        }
    }

    private static let peer = "the same server, empty 200"
    /// Connections of the closed loop: enough that the processors are what limits it, and not the
    /// time in which one acknowledgement comes back.
    private static let connections = 256

    /// One closed loop: as many webhooks as are answered, until the ledger has all of them.
    private struct Run: Sendable {
        var webhooks: Int
        var payments: Int
        /// From the first request to the last change in any topic.
        var seconds: Double
        var client: Double
        var before: BenchServer.Reading
        var after: BenchServer.Reading

        var serverMicroseconds: Double {
            after.processorMicroseconds - before.processorMicroseconds
        }
    }

    private func sustained(_ stream: Stream) async throws -> [BenchRow] {
        let count = context.size(60_000, quick: 3_000)
        var (runs, empty): ([Run], [BenchGate.Run]) = ([], [])
        for round in 0..<context.rounds {
            context.show("the whole way, \(stream.rawValue)", round: round)
            runs.append(try await closedLoop(stream, count: count, seed: round))
            empty.append(
                try await BenchGate.measure(
                    .empty, count: count, rate: 0, seed: round, in: context,
                    connections: Self.connections))
        }
        func row(
            _ measure: String, _ unit: String, _ better: BenchRow.Better = .lower,
            _ value: (Run) -> Double
        ) -> BenchRow {
            BenchRow(
                "whole", "\(measure), \(stream.rawValue)", unit: unit, better: better,
                runs.map(value))
        }
        return [
            BenchRow(
                "whole", "webhooks until all are in the ledger, \(stream.rawValue)",
                unit: "webhooks/s",
                runs.map { Double($0.webhooks) / $0.seconds }, against: Self.peer,
                empty.map(\.perSecond)),
            row("payments until all are in the ledger", "payments/s", .higher) {
                Double($0.payments) / $0.seconds
            },
            row("server processor time a payment", "µs") {
                $0.serverMicroseconds / Double(max(1, $0.payments))
            },
            row("server processor time a webhook", "µs") {
                $0.serverMicroseconds / Double($0.webhooks)
            },
            row("client processor time a webhook", "µs") { $0.client },
            row("server memory, peak", "MB") { $0.after.memoryPeakBytes / 1e6 },
            row("server memory, after start", "MB") { $0.before.memoryBytes / 1e6 },
        ]
    }

    private func closedLoop(_ stream: Stream, count: Int, seed: Int) async throws -> Run {
        let folder = try context.makeFolder()
        let child = try await BenchChild(.whole, folder: folder)
        let plan = BenchGate.plan(count, seed: seed, enabledEvents: stream.enabledEvents)
        let before = try await child.read()
        let start = BenchProcess.monotonicNanoseconds()
        let result = try await child.deliver(
            plan, rate: 0, connections: Self.connections)
        let after = try await child.settle()
        await child.stop()
        context.remove(folder)
        let expected = Self.payments(in: plan)
        guard after.payments == expected else {
            throw BenchError.paymentsDiffer(expected: expected, booked: after.payments)
        }
        return Run(
            webhooks: result.tally.answered, payments: after.payments,
            seconds: Double(after.settledAtNanoseconds - start) / 1e9,
            client: Double(result.processorTime.nanoseconds) / 1e3
                / Double(max(1, result.tally.attempts)),
            before: before, after: after)
    }

    /// Different payments that the plan's events tell of: what must be booked, each once.
    private static func payments(in plan: DeliveryPlan) -> Int {
        var plan = plan
        var keys: Set<MovementKey> = []
        while let delivery = plan.next() {
            for movement in delivery.event.movements where movement.kind == .payment {
                keys.insert(movement.key)
            }
        }
        return keys.count
    }

    /// An open loop: latency counts from the moment a webhook was due.
    private func paced(rate: Int) async throws -> [BenchRow] {
        let count = rate * context.size(10, quick: 1)
        var ours: [BenchGate.Run] = []
        var empty: [BenchGate.Run] = []
        for round in 0..<context.rounds {
            context.show("the whole way at \(Figures.grouped(rate))/s", round: round)
            ours.append(
                try await BenchGate.measure(
                    .whole, count: count, rate: Double(rate), seed: round, in: context))
            empty.append(
                try await BenchGate.measure(
                    .empty, count: count, rate: Double(rate), seed: round, in: context))
        }
        let pace = "at \(Figures.grouped(rate))/s"
        func row(_ measure: String, _ value: (BenchGate.Run) -> Double) -> BenchRow {
            BenchRow(
                "whole", "\(measure) \(pace)", unit: "ms", better: .lower, ours.map(value))
        }
        func compared(_ measure: String, _ value: (BenchGate.Run) -> Double) -> BenchRow {
            BenchRow(
                "whole", "\(measure) \(pace)", unit: "ms", better: .lower, ours.map(value),
                against: Self.peer, empty.map(value))
        }
        return [
            row("webhook to ledger p50") { $0.after.endToEndMilliseconds[0] },
            row("webhook to ledger p99") { $0.after.endToEndMilliseconds[1] },
            compared("webhook to 200 p50") { $0.p50 },
            compared("webhook to 200 p99") { $0.p99 },
            row("webhook to 200 p99 inside the server") { $0.after.acknowledgedMilliseconds[1] },
            BenchRow(
                "whole", "server memory \(pace)", unit: "MB", better: .lower,
                ours.map { $0.after.memoryBytes / 1e6 }),
        ]
    }
}
