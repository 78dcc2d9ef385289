import AppendLog
import Logging
import Synchronization

@testable import Appliance
@testable import Daemon
@testable import Vocabulary

/// Stripe's side: delivers every event until it is acknowledged, some of them again.
final class MemoryStripe: Sendable {
    struct Delivery: Sendable {
        var event: Int
        var body: [UInt8]
    }

    private struct State {
        var due: [Delivery]
        var inFlight: [Int: Delivery] = [:]
        var acknowledged: Set<Int> = []
        var random: SeededGenerator
    }

    private let state: Mutex<State>

    init(_ bodies: [[UInt8]], seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var due = bodies.enumerated().map { Delivery(event: $0.offset, body: $0.element) }
        due += due.filter { _ in Int.random(in: 0..<5, using: &random) == 0 }
        due.shuffle(using: &random)
        state = Mutex(State(due: due, random: random))
    }

    var acknowledged: Set<Int> { state.withLock { $0.acknowledged } }
    var isDue: Bool { state.withLock { !$0.due.isEmpty } }

    func take(_ task: Int) -> Delivery? {
        state.withLock { state in
            guard !state.due.isEmpty else { return nil }
            let place = Int.random(in: 0..<min(state.due.count, 4), using: &state.random)
            let delivery = state.due.remove(at: place)
            state.inFlight[task] = delivery
            return delivery
        }
    }

    func answered(_ task: Int, isReceived: Bool) {
        state.withLock { state in
            guard let delivery = state.inFlight.removeValue(forKey: task) else { return }
            if isReceived {
                state.acknowledged.insert(delivery.event)
            } else {
                state.due.append(delivery)
            }
        }
    }
}

typealias MemoryScoreStage = ScoreStage<MemoryFeatures>

/// A plane made of memory: the product's own steps and gate, several instances of each, over a
/// broker with partitions, shared rows, vectors that somebody else computes, and claims apart from
/// the topic.
final class MemoryPlane: Sendable {
    enum Part: CaseIterable, Sendable {
        case gate, validate, score, ledger
    }

    struct Instance: Sendable {
        var part: Part
        var isStopping = false
        /// The member of its group, to be removed once the group has missed it.
        var member: Int?
    }

    let schedule = Schedule()
    let broker: MemoryBroker
    let claims = MemoryClaims()
    let vectors = MemoryVectors()
    let database = MemoryDatabase()
    let stripe: MemoryStripe
    let counters = Counters()
    private let scenario: PlaneScenario
    private let gateClock = SetClock()
    private let state = Mutex(State())

    private struct State {
        var alive: [Int: Instance] = [:]
        var dead: [Instance] = []
        var nextTask = 0
        var fencedCount = 0
        var failures: [String] = []
        var handled: Set<SourcePlace> = []
    }

    init(_ scenario: PlaneScenario, partitionCount: Int32, seed: UInt64) {
        self.scenario = scenario
        broker = MemoryBroker(partitionCount: partitionCount)
        stripe = MemoryStripe(scenario.bodies, seed: seed)
    }

    var fencedCount: Int { state.withLock { $0.fencedCount } }
    var failures: [String] { state.withLock { $0.failures } }
    var alive: [Int: Instance] { state.withLock { $0.alive } }
    var hasDead: Bool { state.withLock { !$0.dead.isEmpty } }

    // MARK: Instances

    func start(_ part: Part) {
        let task = state.withLock { state in
            state.nextTask += 1
            state.alive[state.nextTask] = Instance(part: part)
            return state.nextTask
        }
        schedule.starts()
        Task {
            do {
                switch part {
                case .gate: try await serve(task)
                case .validate:
                    try await follow(task, ValidateStage.self) { self.scenario.steps.validate() }
                case .score:
                    try await follow(task, MemoryScoreStage.self) { self.scoreStage(task) }
                case .ledger: try await book(task)
                }
                state.withLock { _ = $0.alive.removeValue(forKey: task) }
            } catch is Schedule.Died {
                // Nobody says good-bye: its group has to miss it first.
                state.withLock { state in
                    if let gone = state.alive.removeValue(forKey: task) { state.dead.append(gone) }
                }
                stripe.answered(task, isReceived: false)
            } catch {
                state.withLock { state in
                    state.failures.append("\(part): \(error)")
                    state.alive.removeValue(forKey: task)
                }
            }
            schedule.ends()
        }
    }

    func stop(_ task: Int) { state.withLock { $0.alive[task]?.isStopping = true } }

    /// The groups miss the members that have died.
    func removeDead() {
        let dead = state.withLock { state in
            defer { state.dead = [] }
            return state.dead
        }
        for instance in dead {
            guard let member = instance.member, let group = Self.group(of: instance.part) else {
                continue
            }
            broker.remove(member, from: group)
        }
    }

    private static func group(of part: Part) -> String? {
        switch part {
        case .gate: nil
        case .validate: ValidateStage.name
        case .score: MemoryScoreStage.name
        case .ledger: LedgerStep.name
        }
    }

    private func isStopping(_ task: Int) -> Bool {
        state.withLock { $0.alive[task]?.isStopping ?? true }
    }

    private func scoreStage(_ task: Int) -> MemoryScoreStage {
        let source = MemoryFeatures(vectors: vectors, schedule: schedule, task: task)
        return ScoreStage(
            scoring: Scoring(
                source: source, verdicts: scenario.verdicts, model: scenario.steps.model),
            schemaVersion: scenario.steps.model.schema.version, counters: counters)
    }

    // MARK: What each does

    /// Runs `body` for each membership, until it ends by itself.
    private func belonging(
        _ task: Int, _ group: String, _ inputs: [TopicID],
        _ body: (MemoryBroker.Member) async throws -> Void
    ) async throws {
        var id = broker.join(group, inputs: inputs)
        while true {
            state.withLock { $0.alive[task]?.member = id }
            guard let member = broker.member(id, of: group) else {
                id = broker.join(group, inputs: inputs)
                continue
            }
            do {
                try await body(member)
                return broker.remove(id, from: group)
            } catch is FlowFenced {
                state.withLock { $0.fencedCount += 1 }
            }
        }
    }

    private func follow<Step: Stage>(
        _ task: Int, _ step: Step.Type, _ make: () -> Step
    ) async throws {
        try await belonging(task, Step.name, Step.inputs) { member in
            var flow = MemoryFlow(
                broker, member, schedule, task: task, stops: { self.isStopping(task) })
            var stage = make()
            while try await flow.turn(&stage) {}
        }
    }

    private func book(_ task: Int) async throws {
        try await belonging(task, LedgerStep.name, LedgerStep.inputs) { member in
            var flow = MemoryFlow(
                broker, member, schedule, task: task, stops: { self.isStopping(task) }
            ) { [database] transactions, reviews in
                let tables = database.read()
                return tables.transactions.count > transactions || tables.reviews.count > reviews
            }
            var desk = LedgerDesk(
                ledger: MemoryLedger(database), clock: gateClock, counters: counters)
            try await desk.makeUp(&flow)
            while try await desk.turn(&flow) {}
        }
    }

    private func serve(_ task: Int) async throws {
        let died = Flag()
        let gate = Gate(
            endpoints: [
                WebhookEndpoint(name: "", secrets: [GateFixture.secret], livemode: .any)
            ],
            toleranceSeconds: 300, bodyByteCountMax: 1 << 20,
            admission: MemoryAdmission(
                claims: claims, broker: broker, schedule: schedule, task: task,
                died: { died.isSet.store(true, ordering: .relaxed) }),
            deadLetters: MemoryLetters(broker: broker), clock: gateClock, counters: counters,
            logger: PipelineFixture.quiet)
        while true {
            try await schedule.pass(task, "gate: idle") {
                self.stripe.isDue || self.isStopping(task)
            }
            if isStopping(task) { return }
            guard let delivery = stripe.take(task) else { continue }
            let signature = StripeSignature.header(
                signing: delivery.body[...],
                at: Instant(seconds: gateClock.now().milliseconds / 1000),
                secrets: [GateFixture.secret])
            let answer = await gate.receive(
                endpoint: "", signature: signature, body: delivery.body)
            // What a process that has died would have answered reaches nobody.
            if died.isSet.load(ordering: .relaxed) { throw Schedule.Died(point: "gate") }
            if case .received = answer {
                stripe.answered(task, isReceived: true)
            } else {
                stripe.answered(task, isReceived: false)
            }
        }
    }

    private final class Flag: Sendable {
        let isSet = Atomic(false)
    }

    /// Somebody else computes the vectors, some time after the payment was validated, and tells of
    /// them once they can be looked up.
    func compute() {
        schedule.starts()
        Task {
            while let place = await nextValidated() {
                await tell(of: place)
            }
            schedule.ends()
        }
    }

    static let computing = -1

    private func validatedLeft() -> PlacedRecord? {
        let handled = state.withLock { $0.handled }
        return broker.records(.paymentValidated).first { !handled.contains($0.place) }
    }

    private func nextValidated() async -> PlacedRecord? {
        while true {
            do {
                try await schedule.pass(Self.computing, "features: idle") {
                    self.validatedLeft() != nil || self.isOver.load(ordering: .relaxed)
                }
            } catch {
                // It dies and is there again, and knows no more than before.
                continue
            }
            if isOver.load(ordering: .relaxed) { return nil }
            if let left = validatedLeft() { return left }
        }
    }

    let isOver = Atomic(false)

    private func tell(of placed: PlacedRecord) async {
        guard let event = try? PaymentEvent(placed.record.value ?? [], using: JSONDocument())
        else { return }
        if let known = scenario.vectors[event.eventID] {
            vectors.store(
                MemoryVectors.Entry(
                    rank: event.informedness.rank, vector: known.record.vector),
                of: event.movement)
            do {
                try await schedule.pass(Self.computing, "features: stored")
            } catch { return }
            _ = broker.append(known.stored, to: .paymentFeatures)
        }
        state.withLock { _ = $0.handled.insert(placed.place) }
    }

    /// People decide some time, knowing nothing of the plane.
    func decide() {
        schedule.starts()
        let decisions = scenario.decisions
        Task {
            for decision in decisions {
                // Whoever dies here, somebody else goes on.
                try? await schedule.pass(Self.deciding, "person: decides")
                _ = broker.append(decision, to: .paymentReview)
            }
            schedule.ends()
        }
    }

    static let deciding = -2
}
