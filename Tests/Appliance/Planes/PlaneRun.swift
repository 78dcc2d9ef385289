import AppendLog
import Synchronization

@testable import Appliance
@testable import Vocabulary

/// One seeded history of the memory plane: instances come, go, die and are pushed aside; then calm,
/// and everything that was begun is brought to its end.
struct PlaneRun {
    /// What the test looks at.
    struct Report: Sendable {
        var content: LedgerContent
        var breaches: Set<MemoryBroker.Breach> = []
        var failures: [String] = []
        var deaths: [String: Int] = [:]
        var fencedCount = 0
        var missCount = 0
        var lateCount = 0
        var stepCount = 0
        /// Events that Stripe was told to have arrived, and that are not there.
        var lost: Int
    }

    private static let disturbedSteps = 900
    private static let stepsMax = 60_000
    private static let instancesMax = 3

    private let plane: MemoryPlane
    private let scenario: PlaneScenario
    private var random: SeededGenerator
    /// One in so many steps ends in a death.
    private let deathEvery: Int

    init(_ scenario: PlaneScenario, seed: UInt64, partitionCount: Int32 = 2) {
        plane = MemoryPlane(scenario, partitionCount: partitionCount, seed: seed)
        self.scenario = scenario
        random = SeededGenerator(seed: seed &* 7919)
        deathEvery = Int.random(in: 15...60, using: &random)
    }

    mutating func run() async -> Report {
        for part in MemoryPlane.Part.allCases {
            for _ in 0..<Int.random(in: 1...2, using: &random) { await start(part) }
        }
        plane.compute()
        plane.decide()
        var steps = 0
        while steps < Self.stepsMax {
            steps += 1
            let parked = await plane.schedule.quiet()
            let isDisturbed = steps < Self.disturbedSteps
            if isDisturbed, Int.random(in: 0..<25, using: &random) == 0 {
                await disturb()
                continue
            }
            // The time of a claim runs out, under whoever holds it.
            if !isDisturbed, steps % 40 == 0 { plane.claims.expire() }
            let able = parked.filter { $0.hasWork() }
            guard let next = able.randomElement(using: &random) else {
                if await calm() { continue }
                break
            }
            if isDisturbed, Int.random(in: 0..<deathEvery, using: &random) == 0 {
                plane.schedule.kill(next.task)
            } else {
                plane.schedule.letGo(next.task)
            }
        }
        await end()
        return report(steps)
    }

    /// Starts an instance and waits until it stands at its first point: of two that start side by
    /// side, either could join its group first, and own the other's partitions.
    private func start(_ part: MemoryPlane.Part) async {
        plane.start(part)
        _ = await plane.schedule.quiet()
    }

    private mutating func disturb() async {
        let alive = plane.alive
        let part = MemoryPlane.Part.allCases.randomElement(using: &random) ?? .ledger
        let own = alive.filter { $0.value.part == part }.keys.sorted()
        switch Int.random(in: 0..<4, using: &random) {
        case 0 where own.count < Self.instancesMax: await start(part)
        case 1:
            if own.count > 1, let one = own.randomElement(using: &random) { plane.stop(one) }
        case 2: plane.removeDead()
        default: plane.claims.expire()
        }
        // A part without an instance waits until somebody starts one; not for ever here.
        if own.isEmpty { await start(part) }
    }

    /// Nobody can do anything: time passes.
    /// - Returns: whether that has changed anything.
    private func calm() async -> Bool {
        let alive = Set(plane.alive.values.filter { !$0.isStopping }.map(\.part))
        let missing = MemoryPlane.Part.allCases.filter { !alive.contains($0) }
        if plane.hasDead {
            plane.removeDead()
            return true
        }
        for part in missing { await start(part) }
        return !missing.isEmpty
    }

    private func end() async {
        plane.isOver.store(true, ordering: .relaxed)
        for task in plane.alive.keys { plane.stop(task) }
        while true {
            let parked = await plane.schedule.quiet()
            guard let next = parked.first else { return }
            plane.schedule.letGo(next.task)
        }
    }

    private func report(_ steps: Int) -> Report {
        let tables = plane.database.read()
        let transactions = (0..<tables.transactions.count).map { tables.posted(Int64($0 + 1)) }
        let received = Set(
            plane.broker.records(.webhookReceived).map { Array($0.record.value ?? []) })
        let content = LedgerContent(
            transactions,
            openReviews: tables.openReviews.reduce(into: [:]) { open, entry in
                let record = tables.reviews[Int(entry.value - 1)].record
                open[entry.key.rawValue] = ReviewFinding(
                    score: record.score, reasons: record.reasons)
            },
            decided: tables.payments.reduce(into: [:]) { decided, entry in
                decided[entry.key.rawValue] = entry.value.decision?.decision
            },
            waiting: Set(
                tables.notes.values.filter { $0.state == .waits }.map(\.key.rawValue)),
            letters: LedgerContent.letters(plane.broker.records(.deadLetter).map(\.record)))
        var report = Report(
            content: content,
            lost: plane.stripe.acknowledged.count { !received.contains(scenario.bodies[$0]) })
        report.breaches = plane.broker.breaches
        report.failures = plane.failures + published(tables)
        report.deaths = plane.schedule.deaths
        report.fencedCount = plane.fencedCount
        (report.missCount, report.lateCount) = plane.vectors.counts
        report.stepCount = steps
        if plane.stripe.acknowledged.count != scenario.bodies.count {
            report.failures.append("not every event was acknowledged")
        }
        return report
    }

    /// Rows must all have come out, each once.
    private func published(_ tables: MemoryTables) -> [String] {
        let document = JSONDocument()
        let posted = plane.broker.records(.ledgerPosted).compactMap {
            try? LedgerPosted($0.record.value ?? [], using: document).id
        }
        var failures: [String] = []
        if posted.sorted() != (0..<tables.transactions.count).map({ Int64($0 + 1) }) {
            failures.append("ledger.posted has \(posted.count) of \(tables.transactions.count)")
        }
        let reviews = plane.broker.records(.paymentReview).filter {
            $0.record.text("stage") == LedgerStep.name
        }
        if reviews.count != tables.reviews.count {
            failures.append("payment.review has \(reviews.count) of \(tables.reviews.count)")
        }
        return failures
    }
}

extension LedgerContent {
    static func letters(_ records: [Record]) -> Set<Letter> {
        Set(
            records.map {
                Letter(
                    stage: $0.text("stage") ?? "", reason: $0.text("reason") ?? "",
                    event: $0.text("event-id") ?? "")
            })
    }
}
