import AppendLog
package import Appliance
package import Bridges
package import Logging
package import Vocabulary

extension RedisError: PassingFailure {}

/// The features of the cloud plane: computed by somebody else, looked up in Redis.
///
///     look up ─▶ there: fresh
///        └─▶ missing: the payment waits ─▶ look up again ─▶ there: fresh
///                        │                   └─▶ missing: a person is asked meanwhile
///                        ├── the vector's record comes: scored again, with it
///                        ├── a sweep finds the vector: the same
///                        └── its time is over: left to the person
package struct RedisFeatures: FeatureSource {
    package static let computesVectors = false

    private let vectors: FeatureStore
    private let waiting: WaitingPayments
    private let redis: RedisClient
    private let sweepKey: String
    private let schema: String
    private let waitMilliseconds: Int64
    private let logger: Logger
    /// Movements whose hash was warned of: each once, unless there are very many.
    private var warned: Set<MovementKey> = []
    /// Answered in the run that is under way; they wait until what was made of it stands.
    private var answered: Set<MovementKey> = []
    /// Answered in runs that stand: they need not wait any more.
    private var settled: Set<MovementKey> = []
    private var sweptAt: ContinuousClock.Instant?

    /// - Parameters:
    ///   - schema: the model schema's version; vectors of another one are as good as missing.
    ///   - waitSeconds: how long a payment waits for its vector, by Redis's clock alone: instances
    ///     on hosts whose clocks differ wait alike.
    package init(
        _ redis: RedisClient, prefix: String, schema: String, waitSeconds: Int64,
        logger: Logger
    ) {
        self.redis = redis
        vectors = FeatureStore(redis, prefix: prefix)
        waiting = WaitingPayments(redis, prefix: prefix)
        sweepKey = RedisKeys(prefix: prefix).sweep
        self.schema = schema
        waitMilliseconds = waitSeconds * 1000
        self.logger = logger
    }

    package mutating func readings(
        for events: [PaymentEvent]
    ) async throws -> [FeatureAnswer] {
        // Of a run that is prepared again, since something failed in the middle.
        answered = []
        try await waiting.remove(Array(settled))
        settled = []
        var answers = [FeatureAnswer](repeating: .unscored, count: events.count)
        var asked: [Int] = []
        for (place, event) in events.enumerated() where event.kind == .payment {
            // Nobody computes a vector of nobody's habits.
            if event.identity == nil {
                answers[place] = .judge(.missing, isRescore: false)
            } else {
                asked.append(place)
            }
        }
        let missed = try await answer(asked, of: events, &answers)
        guard !missed.isEmpty else { return answers }
        try await waiting.add(missed.map { events[$0] })
        let lost = try await answer(missed, of: events, &answers)
        for place in Set(missed).subtracting(lost) { answered.insert(events[place].movement) }
        for place in lost { answers[place] = .judge(.missing, isRescore: false) }
        return answers
    }

    /// Looks vectors up, and answers where there is one.
    ///
    /// - Returns: the places of those without.
    private mutating func answer(
        _ places: [Int], of events: [PaymentEvent], _ answers: inout [FeatureAnswer]
    ) async throws(RedisError) -> [Int] {
        let found = try await vectors.read(places.map { Self.wanted(events[$0]) })
        var missed: [Int] = []
        for (place, vector) in zip(places, found) {
            if let reading = reading(of: vector, for: events[place]) {
                answers[place] = .judge(reading, isRescore: false)
            } else {
                missed.append(place)
            }
        }
        return missed
    }

    private static func wanted(
        _ event: PaymentEvent
    ) -> (movement: MovementKey, event: EventID?) { (event.movement, event.eventID) }

    /// A vector of at least the event's own rank: else what is to come is better.
    private mutating func reading(
        of found: FeatureStore.Found, for event: PaymentEvent
    ) -> FeatureReading? {
        switch found {
        case .nothing: return nil
        case .vector(let stored):
            guard stored.schema == schema, stored.rank >= event.informedness.rank else {
                return nil
            }
            return .fresh(stored.vector)
        case .unfit(let unfit):
            warn(of: unfit)
            return nil
        }
    }

    private static let warnedCountMax = 4_096

    /// Whoever waits is looked for each second: what is wrong with its hash is said once.
    private mutating func warn(of unfit: FeatureStore.Unfit) {
        if warned.count >= Self.warnedCountMax { warned = [] }
        guard warned.insert(unfit.movement).inserted else { return }
        logger.warning(
            "what Redis has in place of a vector cannot be used; the payment waits for one",
            metadata: [
                "movement": "\(RationedLog.printable(unfit.movement.rawValue))",
                "reason": "\(RationedLog.printable("\(unfit)"))",
            ])
    }

    // MARK: Late ones

    /// In the cloud plane every vector is late, so a run's are looked up together.
    package mutating func awaited(
        by records: [FeaturesRecord]
    ) async throws -> [AwaitedPayment?] {
        let events = try await waiting.events(behind: records.map(\.eventID))
        let waiting = events.enumerated().compactMap { place, event in event.map { (place, $0) } }
        let found = try await vectors.read(waiting.map { Self.wanted($0.1) })
        var awaited = [AwaitedPayment?](repeating: nil, count: records.count)
        for ((place, event), vector) in zip(waiting, found) {
            guard let reading = reading(of: vector, for: event) else { continue }
            answered.insert(event.movement)
            awaited[place] = AwaitedPayment(event: event, reading: reading)
        }
        return awaited
    }

    /// Between two sweeps of all instances together.
    private static let sweepMilliseconds = 1_000
    /// Payments that one sweep looks at.
    private static let sweepCountMax = 512

    package mutating func overdue() async throws -> [OverduePayment] {
        guard try await isSweepDue() else { return [] }
        let (due, now) = try await waiting.oldest(countMax: Self.sweepCountMax)
        let found = try await vectors.read(due.map { ($0.movement, $0.event?.eventID) })
        var overdue: [OverduePayment] = []
        var given: [MovementKey] = []
        for (entry, vector) in zip(due, found) where !answered.contains(entry.movement) {
            if let event = entry.event, let reading = reading(of: vector, for: event) {
                answered.insert(entry.movement)
                overdue.append(
                    OverduePayment(
                        payment: AwaitedPayment(event: event, reading: reading),
                        since: Timestamp(milliseconds: entry.since)))
            } else if entry.event == nil || now - entry.since >= waitMilliseconds {
                given.append(entry.movement)
            }
        }
        try await waiting.remove(given)
        return overdue
    }

    /// One instance sweeps for all.
    private mutating func isSweepDue() async throws(RedisError) -> Bool {
        let interval = Duration.milliseconds(Self.sweepMilliseconds)
        if let sweptAt, .now - sweptAt < interval { return false }
        sweptAt = .now
        let answer = try await redis.send(
            RedisCommand(
                "SET", .init(sweepKey), .init("1"), .init("NX"), .init("PX"),
                .init(Self.sweepMilliseconds)))
        return answer == .status("OK")
    }

    package mutating func finished() {
        settled.formUnion(answered)
        answered = []
    }

    package func state() -> StateEncoding? { nil }
}
