import Appliance
import Daemon
import Foundation
import Terminal
import Traffic
import Vocabulary

/// `tillbox bench validate`: our validator against Foundation's JSONDecoder on the same bytes.
struct BenchValidate {
    let context: BenchContext

    /// The fields that a validator needs of an event, for a decoder that knows only types.
    private struct Event: Decodable {
        struct Content: Decodable { var object: Object }
        struct Object: Decodable {
            var id: String
            var object: String
            var amount: Int64?
            var amountCaptured: Int64?
            var currency: String?
            var status: String?
            var customer: String?
            var balanceTransaction: String?
            var metadata: [String: String]?
            var paymentMethodDetails: Method?

            // Spelt out, because the decoder's own conversion of names would slow it down.
            enum CodingKeys: String, CodingKey {
                case id, object, amount, currency, status, customer, metadata
                case amountCaptured = "amount_captured"
                case balanceTransaction = "balance_transaction"
                case paymentMethodDetails = "payment_method_details"
            }
        }
        struct Method: Decodable { var card: Card? }
        struct Card: Decodable {
            var fingerprint: String?
            var country: String?
        }
        var id: String
        var type: String
        var created: Int64
        var livemode: Bool
        var account: String?
        var data: Content
    }

    func run() throws -> [BenchRow] {
        let bodies = Self.bodies(context.size(5_000, quick: 500))
        let byteCount = bodies.reduce(0) { $0 + $1.count }
        let data = bodies.map { Data($0) }
        let validator = EventValidator(defaultMerchant: MerchantID("bench"))
        let decoder = JSONDecoder()
        var (ours, foundation): ([Double], [Double]) = ([], [])
        let clock = ContinuousClock()
        // The first round warms both up and is not counted.
        for round in -1..<context.rounds {
            context.show("validation", round: max(0, round))
            var start = clock.now
            var known = 0
            for body in bodies {
                if case .refused(let refusal) = validator.validate(body) {
                    preconditionFailure("a simulated event was refused: \(refusal)")
                }
                known += 1
            }
            let mine = Double(known) / (clock.now - start).inSeconds
            start = clock.now
            for body in data { _ = try decoder.decode(Event.self, from: body) }
            let theirs = Double(data.count) / (clock.now - start).inSeconds
            guard round >= 0 else { continue }
            ours.append(mine)
            foundation.append(theirs)
        }
        let size = BenchRow.display(Double(byteCount) / Double(bodies.count) / 1000)
        return [
            BenchRow(
                "validate", "Stripe events of \(size) KB on average", unit: "events/s", ours,
                against: "JSONDecoder", foundation, goal: .ratioAtLeast(8))
        ]
    }

    /// The bodies of the simulated world's first events.
    static func bodies(_ count: Int) -> [[UInt8]] {
        var scenario = TrafficScenario(TrafficWorld.Settings(seed: 1))
        return (0..<count).map { _ in scenario.next().body }
    }
}

/// `tillbox bench features`: events a second, and what a customer costs.
struct BenchFeatures {
    let context: BenchContext

    func run() -> [BenchRow] {
        let largest = context.size(1_000_000, quick: 40_000)
        let events = context.size(400_000, quick: 20_000)
        var rates: [Int: [Double]] = [:]
        var bytes: [Double] = []
        let sizes = [largest / 16, largest / 4, largest]
        for round in 0..<context.rounds {
            context.show("features", round: round)
            for customers in sizes {
                let before = BenchProcess.memoryBytes("VmRSS")
                var benchmark = FeatureBenchmark(customers: customers)
                _ = benchmark.fill()
                if customers == largest, round == 0 {
                    // Later rounds get the memory that earlier ones gave back.
                    let grown = BenchProcess.memoryBytes("VmRSS") - before
                    bytes.append(grown / Double(customers))
                }
                rates[customers, default: []].append(benchmark.run(events: events).eventsPerSecond)
            }
        }
        let (small, large) = (rates[sizes[0]] ?? [], rates[largest] ?? [])
        var rows = sizes.map { customers in
            BenchRow(
                "features", "\(Figures.grouped(customers)) customers", unit: "events/s",
                rates[customers] ?? [], goal: .atLeast(500_000))
        }
        rows.append(
            BenchRow(
                "features", "events/s at 16 times the customers", unit: "events/s", large,
                against: "the same at one time", small))
        rows.append(
            BenchRow(
                "features", "resident memory, movements included", unit: "bytes/customer",
                better: .lower, bytes, goal: .atMost(400)))
        return rows
    }
}

/// `tillbox bench score`: the model as the daemon calls it against the bare C call.
struct BenchScore {
    let context: BenchContext

    func run() throws -> [BenchRow] {
        let model = try ModelLocation.embedded.load()
        var reports: [ScoreBenchmark.Report] = []
        var batches: [Int: [Double]] = [16: [], 256: []]
        for round in 0..<context.rounds {
            context.show("scoring", round: round)
            reports.append(
                try ScoreBenchmark(model: model).run(
                    rounds: 1, calls: context.size(8_000, quick: 800)))
            for size in [16, 256] {
                batches[size]?.append(try rowsPerSecond(model, batch: size))
            }
        }
        func row(
            _ name: String, _ place: (ScoreBenchmark.Latencies) -> Int64, goal: BenchGoal? = nil
        ) -> BenchRow {
            BenchRow(
                "score", "one row, \(name)", unit: "µs", better: .lower,
                reports.map { Double(place($0.oneRow)) / 1000 }, against: "the bare C call",
                reports.map { Double(place($0.bareCall)) / 1000 }, goal: goal)
        }
        let single = reports.map { 1e9 / Double($0.oneRow.p50) }
        return [
            row("p50", { $0.p50 }, goal: .ratioAtMost(1.1)),
            row("p99", { $0.p99 }, goal: .ratioAtMost(1.1)), row("p99.9", { $0.p999 }),
            BenchRow(
                "score", "batches of 16", unit: "rows/s", batches[16] ?? [], against: "row by row",
                single),
            BenchRow(
                "score", "batches of 256", unit: "rows/s", batches[256] ?? [],
                against: "row by row", single),
            BenchRow(
                "score", "three reasons of one payment, p50", unit: "µs", better: .lower,
                reports.map { Double($0.explanation.p50) / 1000 }),
        ]
    }

    private func rowsPerSecond(_ model: FraudModel, batch: Int) throws -> Double {
        let vectors = ScoreBenchmark.vectors(count: batch)
        let calls = max(1, context.size(64_000, quick: 6_400) / batch)
        let clock = ContinuousClock()
        let start = clock.now
        for _ in 0..<calls { _ = try model.predict(vectors) }
        return Double(calls * batch) / (clock.now - start).inSeconds
    }
}

/// `tillbox bench ledger`: movements booked with every check, against SQLite writing the same rows.
struct BenchLedger {
    let context: BenchContext

    func run() throws -> [BenchRow] {
        let largest = context.size(160_000, quick: 8_000)
        var rows: [BenchRow] = []
        var slopes: [[Double]] = []
        for movements in [largest / 16, largest / 4, largest] {
            let rounds = try measure(movements: movements, batch: 64)
            slopes.append(rounds.map(\.ledgerPerSecond))
            rows.append(
                row("\(Figures.grouped(movements)) movements, 64 a transaction", rounds))
            if movements == largest { rows.append(processorRow(rounds)) }
        }
        rows += [
            BenchRow(
                "ledger", "movements/s at 16 times the movements", unit: "movements/s", slopes[2],
                against: "the same at one time", slopes[0]),
            BenchRow(
                "ledger", "64 a transaction, absolute", unit: "movements/s", slopes[2],
                goal: .atLeast(80_000)),
        ]
        let hundreds = try measure(movements: largest, batch: 100)
        rows += [
            row("\(Figures.grouped(largest)) movements, 100 a transaction", hundreds),
            BenchRow(
                "ledger", "100 a transaction, absolute", unit: "movements/s",
                hundreds.map(\.ledgerPerSecond), goal: .atLeast(61_000)),
        ]
        let single = try measure(movements: context.size(3_000, quick: 300), batch: 1)
        rows.append(row("one a transaction", single))
        return rows
    }

    /// What a movement costs where the disk costs nothing.
    private func processorRow(_ rounds: [LedgerBenchmark.Round]) -> BenchRow {
        BenchRow(
            "ledger", "64 a transaction, processor time", unit: "µs", better: .lower,
            rounds.map(\.ledgerMicroseconds), against: "SQLite through C, no checks",
            rounds.map(\.plainMicroseconds))
    }

    private func measure(movements: Int, batch: Int) throws -> [LedgerBenchmark.Round] {
        var all: [LedgerBenchmark.Round] = []
        for round in 0..<context.rounds {
            context.show("ledger, \(movements) movements", round: round)
            let folder = try context.makeFolder()
            all += try LedgerBenchmark(movements: movements, batch: batch, rounds: 1)
                .run(folder: folder)
            context.remove(folder)
        }
        return all
    }

    private func row(_ measure: String, _ rounds: [LedgerBenchmark.Round]) -> BenchRow {
        BenchRow(
            "ledger", measure, unit: "movements/s", rounds.map(\.ledgerPerSecond),
            against: "SQLite through C, no checks", rounds.map(\.plainPerSecond),
            goal: .ratioAtLeast(0.7))
    }
}
