import AppendLog
import Appliance
import Daemon
import Foundation
import Logging
import NIOCore
import Synchronization
import Traffic
import Vocabulary

/// `tillbox bench age`: a box that has taken payments for five years, beside a new one: from the
/// start of the process to the first webhook that it takes, how fast it takes more, and memory.
///
/// The old box is made day by day through the daemon's own admission, stages and ledger, by a clock
/// that is set: so it has a segment for each day and topic, as a real one, with the indexes,
/// snapshots and balances of all its payments.
struct BenchAge {
    let context: BenchContext
    let payments: Int

    static let paymentCounts = 1_000...10_000_000
    private static let days = 5 * 365 + 1
    private static let daySeconds: Int64 = 86_400
    private static let peer = "a new box"
    /// No webhook of a round has the id of one that made the box old.
    private static let agingSeed: UInt64 = 1 << 40
    private static let startSecondsMax = 2.0
    /// So that the slowest hundredth is sixty webhooks, and not the machine's worst moments alone.
    private static let pacedSeconds = 30

    /// What was put into the old box.
    private struct Made {
        var payments = 0
        var days = 0
        var seconds = 0.0
        var segments = 0
    }

    /// One start of a box and what it took then.
    private struct Round {
        /// From the process's start to the answer to its first webhook.
        var startSeconds: Double
        var afterStart: BenchServer.Reading
        var perSecond: Double
        /// Milliseconds, from the client's side, at 200 a second.
        var p50, p99: Double
        var afterAll: BenchServer.Reading
    }

    func run() async throws -> [BenchRow] {
        let folder = try context.makeFolder()
        let made = try await age(folder)
        var (old, new): ([Round], [Round]) = ([], [])
        for round in 0..<context.rounds {
            context.show("age: an old box and a new one", round: round)
            // Whoever goes second finds the machine warmer.
            if round.isMultiple(of: 2) { old.append(try await measure(folder, round)) }
            let fresh = try context.makeFolder()
            new.append(try await measure(fresh, round))
            context.remove(fresh)
            if !round.isMultiple(of: 2) { old.append(try await measure(folder, round)) }
        }
        context.remove(folder)
        return rows(made, old, new)
    }

    // MARK: Growing old

    /// A clock that stands where it is set; its days pass as fast as they are told.
    private final class SetClock: LogClock {
        private let milliseconds = Atomic<Int64>(0)

        func now() -> Timestamp { Timestamp(milliseconds: milliseconds.load(ordering: .relaxed)) }
        func monotonicMilliseconds() -> Int64 { milliseconds.load(ordering: .relaxed) }
        func set(_ moment: Instant) {
            milliseconds.store(moment.seconds * 1_000, ordering: .relaxed)
        }
    }

    private func age(_ folder: String) async throws -> Made {
        let today = Int64(Date().timeIntervalSince1970) / Self.daySeconds
        let first = Instant(seconds: (today - Int64(Self.days)) * Self.daySeconds)
        let last = Instant(seconds: (today - 1) * Self.daySeconds)
        let settings = BenchServer(kind: .whole, folder: folder, secret: "").settings
        let clock = SetClock()
        clock.set(first)
        var scenario = TrafficScenario(
            TrafficWorld.Settings(
                seed: Self.agingSeed, start: first,
                customers: max(1, Int(Double(payments) / Self.paymentsOfOneCustomer()))))
        var made = Made()
        let began = ContinuousClock.now
        let quiet = Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() }
        try await FolderAging.run(settings, clock: clock, logger: quiet) { aging in
            var day: [ScenarioEvent] = []
            while made.payments < payments {
                let event = scenario.next()
                guard event.type == .chargeSucceeded else { continue }
                guard event.created < last else { break }
                if let former = day.first, Self.number(of: former) != Self.number(of: event) {
                    try await put(day, into: aging, clock, &made)
                    day = []
                }
                day.append(event)
                if day.count + made.payments >= payments { break }
            }
            try await put(day, into: aging, clock, &made)
        }
        made.seconds = (ContinuousClock.now - began).inSeconds
        made.segments = Self.segments(in: folder)
        return made
    }

    private static func number(of event: ScenarioEvent) -> Int64 {
        event.created.seconds / daySeconds
    }

    /// Lets a day's payments come, and pass through to the ledger.
    private func put(
        _ day: [ScenarioEvent], into aging: FolderAging, _ clock: SetClock, _ made: inout Made
    ) async throws {
        guard let last = day.last else { return }
        clock.set(last.created)
        try await aging.admit(
            day.map { event in
                (
                    EventIdentity(
                        id: event.id, type: event.type.rawValue,
                        created: String(event.created.seconds)),
                    Record.received(
                        event.body[...], id: event.id, endpoint: "",
                        receivedAt: Timestamp(milliseconds: event.created.seconds * 1_000))
                )
            })
        try await aging.settled()
        made.payments += day.count
        made.days += 1
        if made.days.isMultiple(of: 10) {
            context.show("age: day \(made.days), \(made.payments) payments", round: 0)
        }
    }

    /// How many payments the simulated world's customers make in the five years, on average, by a
    /// look at some of them for some weeks.
    private static func paymentsOfOneCustomer() -> Double {
        let (customers, days) = (1_000, 28)
        let settings = TrafficWorld.Settings(seed: agingSeed, customers: customers)
        let end = Instant(seconds: settings.start.seconds + Int64(days) * daySeconds)
        var scenario = TrafficScenario(settings)
        var count = 0
        while true {
            let event = scenario.next()
            guard event.created < end else { break }
            if event.type == .chargeSucceeded { count += 1 }
        }
        return max(1, Double(count) * Double(Self.days) / Double(customers * days))
    }

    private static func segments(in folder: String) -> Int {
        let names = FileManager.default.enumerator(atPath: folder + "/log")?.allObjects ?? []
        return names.filter { ($0 as? String)?.hasSuffix(".log") == true }.count
    }

    // MARK: Measuring

    private func measure(_ folder: String, _ round: Int) async throws -> Round {
        let first = plan(1, round, 0)
        let began = ContinuousClock.now
        let child = try await BenchChild(.whole, folder: folder)
        _ = try await child.deliver(first, rate: 0, connections: 1)
        let startSeconds = (ContinuousClock.now - began).inSeconds
        let afterStart = try await child.read()
        let taken = try await child.deliver(
            plan(context.size(20_000, quick: 1_000), round, 1), rate: 0,
            connections: BenchGate.connections)
        _ = try await child.settle()
        let rate = 200
        let paced = try await child.deliver(
            plan(rate * context.size(Self.pacedSeconds, quick: 1), round, 2), rate: Double(rate),
            connections: BenchGate.connections)
        let afterAll = try await child.settle()
        await child.stop()
        return Round(
            startSeconds: startSeconds, afterStart: afterStart,
            perSecond: Double(taken.tally.answered)
                / (Double(taken.elapsed.nanoseconds) / 1e9),
            p50: Double(paced.tally.latency.value(atShare: 0.5)) / 1e6,
            p99: Double(paced.tally.latency.value(atShare: 0.99)) / 1e6, afterAll: afterAll)
    }

    /// Payments that no other round has sent.
    private func plan(_ count: Int, _ round: Int, _ part: Int) -> DeliveryPlan {
        BenchGate.plan(
            count, seed: 1_000 + round * 3 + part,
            enabledEvents: [StripeEventType.chargeSucceeded.rawValue])
    }

    private func rows(_ made: Made, _ old: [Round], _ new: [Round]) -> [BenchRow] {
        func row(
            _ measure: String, _ unit: String, _ better: BenchRow.Better = .lower,
            goal: BenchGoal? = nil, _ value: (Round) -> Double
        ) -> BenchRow {
            BenchRow(
                "age", measure, unit: unit, better: better, old.map(value), against: Self.peer,
                new.map(value), goal: goal)
        }
        return [
            BenchRow(
                "age", "payments in the old box", unit: "payments",
                [Double(made.payments)]),
            BenchRow("age", "days that it took them on", unit: "days", [Double(made.days)]),
            BenchRow("age", "segments of its log", unit: "files", [Double(made.segments)]),
            BenchRow(
                "age", "making it, through the daemon's stages", unit: "payments/s",
                [Double(made.payments) / max(made.seconds, 0.001)]),
            row(
                "start until the first webhook is taken", "s",
                goal: .atMost(Self.startSecondsMax)
            ) { $0.startSeconds },
            row(
                "webhooks taken, closed loop of \(BenchGate.connections)", "webhooks/s", .higher,
                goal: .ratioAtLeast(0.9)
            ) { $0.perSecond },
            row("webhook to 200 p50 at 200/s", "ms") { $0.p50 },
            row("webhook to 200 p99 at 200/s", "ms", goal: .ratioAtMost(1.5)) { $0.p99 },
            row("webhook to ledger p99, all of it", "ms") { $0.afterAll.endToEndMilliseconds[1] },
            row("server memory, after start", "MB") { $0.afterStart.memoryBytes / 1e6 },
            row("server memory, peak", "MB") { $0.afterAll.memoryPeakBytes / 1e6 },
        ]
    }
}
