package import AppendLog
import Dispatch
package import Logging
import ServiceLifecycle
import Synchronization
package import Vocabulary

/// Copies the local log to one target, on a thread of its own: a target that hangs or is gone holds
/// up nothing but itself.
///
///     the log ─▶ run ─▶ target (records and position in one) ─▶ note in the log, for retention
///                           │ fails
///                           └─▶ close, wait, open: the target says what it has, and on from there
///
/// It never ends the daemon: what it cannot do it says.
package final class Bridge: Service {
    package let name: BridgeName
    private let topics: [TopicID]
    private let source: RelaySource
    private let makeTarget: @Sendable () -> any RelayTarget
    private let pauses: BridgePauses
    private let clock: any LogClock
    private let luck: @Sendable () -> Double
    private let logger: Logger
    private let failures: RationedLog
    private let thread: OwnThread
    private let wake = BridgeWake()
    /// Held over the file of a pause and the state together: of two people the last one is both.
    private let hand = Mutex(())
    private let state: Mutex<State>

    private struct State {
        var life: BridgeLife
        var places: [TopicID: Offset]
        var deliveredCount: Int64 = 0
        var rate = DeliveryRate()
        var lastDelivery: Instant?
        var lastErrorAt: Instant?
        var workingSince: Instant?
        /// What was noted in the local log, and when.
        var noted: (places: [TopicID: Offset], at: Int64)
        /// When the call began that the target is at, and whether somebody looks after it.
        var callSince: Int64?
        var isWatched = false
    }

    /// - Parameters:
    ///   - makeTarget: called once, on the bridge's thread; connects to nothing yet.
    ///   - clock: the wall clock, for what people are told.
    ///   - luck: from 0 up to 1, anew at each call; spreads attempts.
    ///   - topics: those of the target.
    package init(
        _ name: BridgeName, topics: [TopicID], source: RelaySource, pauses: BridgePauses,
        clock: any LogClock = SystemLogClock(),
        luck: @escaping @Sendable () -> Double = { .random(in: 0..<1) }, logger: Logger,
        makeTarget: @escaping @Sendable () -> any RelayTarget
    ) {
        self.name = name
        self.source = source
        self.pauses = pauses
        self.clock = clock
        self.luck = luck
        var logger = logger
        logger[metadataKey: "bridge"] = "\(name.rawValue)"
        self.logger = logger
        self.makeTarget = makeTarget
        self.topics = topics
        failures = RationedLog(logger: logger)
        thread = OwnThread("tillbox.bridge.\(name.rawValue)")
        let noted = source.noted(name)
        var places: [TopicID: Offset] = [:]
        for topic in topics { places[topic] = noted[topic] ?? source[topic].start }
        // What was never noted is noted at once: from now on retention waits for it.
        if places != noted { source.note(places, of: name) }
        state = Mutex(
            State(
                life: BridgeLife(paused: pauses.pause(of: name)), places: places,
                noted: (places, Self.now())))
    }

    /// Milliseconds of the monotonic clock.
    private static func now() -> Int64 {
        let passed = origin.duration(to: .now)
        return passed.components.seconds * 1_000
            + passed.components.attoseconds / 1_000_000_000_000_000
    }

    private static let origin = ContinuousClock.now

    /// The wall clock, for what people are told.
    private func wallTime() -> Instant { Instant(seconds: clock.now().milliseconds / 1_000) }

    // MARK: What others ask

    package func report() -> BridgeReport {
        let now = Self.now()
        var report = state.withLock { state in
            var report = BridgeReport(name: name, state: state.life.state)
            report.failureCount = state.life.failureCount
            report.isWaiting = state.life.isWaiting
            report.lastError = state.life.lastError
            report.lastErrorAt = state.lastErrorAt
            report.workingSince = state.workingSince
            report.deliveredCount = state.deliveredCount
            report.rate = state.rate.value(at: now)
            report.lastDelivery = state.lastDelivery
            report.places = topics.map {
                .init(topic: $0, next: state.places[$0] ?? .zero, end: .zero)
            }
            return report
        }
        for place in report.places.indices {
            let topic = report.places[place].topic
            report.places[place].end = max(report.places[place].next, source[topic].end)
        }
        return report
    }

    /// Stops it until somebody resumes it, over restarts too.
    package func pause(by: String) throws(RelayFailure) {
        let pause = BridgePause(by: by, at: wallTime())
        try hand.withLock { _ throws(RelayFailure) in
            try pauses.keep(pause, of: name)
            state.withLock { $0.life.pause(pause) }
        }
        logger.info("bridge paused", metadata: ["by": "\(by)"])
        wake.wake()
    }

    /// Goes on, whether it was paused, had stopped, or waits for its next attempt.
    package func resume(by: String) throws(RelayFailure) {
        try hand.withLock { _ throws(RelayFailure) in
            try pauses.remove(of: name)
            state.withLock { $0.life.resume() }
        }
        logger.info("bridge resumed", metadata: ["by": "\(by)"])
        wake.wake()
    }

    // MARK: The thread

    /// Runs until graceful shutdown.
    package func run() async throws {
        await withTaskExecutorPreference(thread) {
            let target = makeTarget()
            await loop(target)
            await target.close()
            note(atOnce: true)
        }
    }

    private var isStopping: Bool { Task.isShuttingDownGracefully || Task.isCancelled }

    /// Whether a target is to give up what it is at.
    private func isInterrupted() -> Bool {
        isStopping || state.withLock { $0.life.step(at: 0) == .rest }
    }

    private func loop(_ target: any RelayTarget) async {
        while !isStopping {
            let seen = wake.generation
            let now = Self.now()
            switch state.withLock({ $0.life.step(at: now) }) {
            case .open: await open(target)
            case .deliver: await deliver(target, seen)
            case .wait(let until): await idle(seen, milliseconds: max(1, until - now))
            case .rest:
                await target.close()
                note(atOnce: true)
                await idle(seen, milliseconds: nil)
            }
        }
    }

    private func open(_ target: any RelayTarget) async {
        do throws(RelayFailure) {
            let places = try await watched { (attempt) throws(RelayFailure) in
                try await target.open(source, during: attempt)
            }
            for (topic, place) in places {
                try source.check(place, of: topic, at: name.rawValue)
            }
            state.withLock { state in
                for (topic, place) in places { state.places[topic] = place }
                state.life.didOpen()
            }
            let lag = report().lag
            logger.info("bridge runs", metadata: ["lag": "\(lag)"])
        } catch {
            await fail(error, target)
        }
    }

    private func deliver(_ target: any RelayTarget, _ seen: UInt64) async {
        do throws(RelayFailure) {
            let (run, waits, looks) = try gather(target)
            guard !run.isEmpty else {
                state.withLock { $0.workingSince = $0.workingSince ?? wallTime() }
                note(atOnce: false)
                return await wait(seen, waits, looks)
            }
            let places = try await watched { (attempt) throws(RelayFailure) in
                try await target.deliver(run, during: attempt)
            }
            let now = Self.now()
            state.withLock { state in
                let count = Self.count(from: state.places, to: places)
                state.places.merge(places) { $1 }
                state.deliveredCount += Int64(count)
                state.rate.add(count, at: now)
                state.lastDelivery = wallTime()
                state.workingSince = state.workingSince ?? state.lastDelivery
                state.life.didDeliver()
            }
            trace(run)
            note(atOnce: false)
        } catch {
            await fail(error, target)
        }
    }

    /// Tells, at the level `debug`, of every record that the target has now.
    private func trace(_ run: RelayRun) {
        guard logger.logLevel <= .debug else { return }
        for (topic, records) in run.records.sorted(by: { $0.key < $1.key }) {
            for stored in records {
                logger.debug(
                    "record copied",
                    metadata: [
                        "stage": "bridge", "event_id": "\(stored.record.text("event-id") ?? "")",
                        "at": "\(SourcePlace(topic: topic, offset: stored.offset))",
                    ])
            }
        }
    }

    // MARK: A call that lasts

    /// One call of the target's, which is told of while it lasts for too long: it may hang, or be
    /// tried again within, and a person is to know before it has failed.
    private func watched<Value>(
        _ call: (RelayAttempt) async throws(RelayFailure) -> Value
    ) async throws(RelayFailure) -> Value {
        let isFirst = state.withLock { state in
            state.callSince = Self.now()
            defer { state.isWatched = true }
            return !state.isWatched
        }
        if isFirst { look(in: RelayLimits.silenceMilliseconds) }
        defer { state.withLock { $0.callSince = nil } }
        return try await call(
            RelayAttempt(
                isStopping: { [self] in isInterrupted() }, waits: { [self] in tell(waitingFor: $0) }
            ))
    }

    private func look(in milliseconds: Int64) {
        DispatchQueue.global(qos: .utility).asyncAfter(
            deadline: .now() + .milliseconds(Int(milliseconds))
        ) { [weak self] in self?.look() }
    }

    /// Tells of a call that has lasted too long, unless the target itself has said why; looks again
    /// as long as there is one.
    private func look() {
        let silence = RelayLimits.silenceMilliseconds
        let (rest, isUntold) = state.withLock { state -> (Int64?, Bool) in
            guard let since = state.callSince else {
                state.isWatched = false
                return (nil, false)
            }
            let rest = since + silence - Self.now()
            return rest > 0 ? (rest, false) : (silence, !state.life.isWaiting)
        }
        guard let rest else { return }
        if isUntold {
            tell(waitingFor: "a call to it has been under way for \(silence / 1_000) s")
        }
        look(in: rest)
    }

    private func tell(waitingFor sentence: String) {
        let isTrying = state.withLock { state in
            // What a pause has cut off is waited for no more.
            guard state.life.isTrying else { return false }
            state.life.didWait(sentence)
            (state.lastErrorAt, state.workingSince) = (wallTime(), nil)
            return true
        }
        guard isTrying else { return }
        failures.warning(
            "bridge waits for its target", kind: "bridge.\(name.rawValue).waits",
            ["error": sentence])
    }

    private static func count(from: [TopicID: Offset], to: [TopicID: Offset]) -> Int {
        to.reduce(0) { $0 + Int(max(0, (from[$1.key] ?? $1.value).distance(to: $1.value))) }
    }

    /// What comes next of every topic.
    ///
    /// - Returns: also what to wait for where nothing does, and whether to look again meanwhile.
    private func gather(
        _ target: any RelayTarget
    ) throws(RelayFailure) -> (RelayRun, waits: [(TopicID, Offset)], looks: Bool) {
        let places = state.withLock { $0.places }
        var (run, waits, looks) = (RelayRun(), [(TopicID, Offset)](), false)
        for topic in topics {
            let place = places[topic] ?? .zero
            let limit = try target.limit(of: topic)
            let records = try source.records(topic, from: place, limit: limit)
            if !records.isEmpty { run.records[topic] = records }
            if let limit, place >= limit, place < source[topic].end {
                looks = true
            } else {
                waits.append((topic, place))
                looks = looks || limit != nil
            }
        }
        return (run, waits, looks)
    }

    private func fail(_ failure: RelayFailure, _ target: any RelayTarget) async {
        await target.close()
        // What a pause has cut off has not failed.
        guard !isStopping, state.withLock({ $0.life.isTrying }) else { return }
        state.withLock { ($0.lastErrorAt, $0.workingSince) = (wallTime(), nil) }
        let (now, luck) = (Self.now(), luck())
        switch failure {
        case .passing(let sentence):
            let count = state.withLock { state in
                state.life.didFail(sentence, at: now, luck: luck)
                return state.life.failureCount
            }
            failures.warning(
                "bridge waits and tries again", kind: "bridge.\(name.rawValue)",
                ["failures": "\(count)", "error": sentence])
        case .permanent(let sentence):
            state.withLock { $0.life.didRefuse(sentence) }
            logger.error(
                "bridge stopped; everything else goes on",
                metadata: [
                    "reason": "\(sentence)", "then": "`tillbox bridge resume \(name.rawValue)`",
                ])
        }
    }

    /// Notes the position in the local log, now and then: the target's own is the true one.
    private func note(atOnce: Bool) {
        let now = Self.now()
        let places = state.withLock { state -> [TopicID: Offset]? in
            guard state.places != state.noted.places,
                atOnce || now - state.noted.at >= RelayLimits.noteMilliseconds
            else { return nil }
            state.noted = (state.places, now)
            return state.places
        }
        if let places { source.note(places, of: name) }
    }

    // MARK: Waiting

    /// Waits for the time, for a person, or for the daemon to stop.
    private func idle(_ seen: UInt64, milliseconds: Int64?) async {
        await race(seen, [], milliseconds)
    }

    /// Waits for records besides.
    private func wait(_ seen: UInt64, _ waits: [(TopicID, Offset)], _ looks: Bool) async {
        let isNoted = state.withLock { $0.places == $0.noted.places }
        let milliseconds =
            looks ? RelayLimits.lookMilliseconds : isNoted ? nil : RelayLimits.noteMilliseconds
        await race(seen, waits, milliseconds)
    }

    private func race(
        _ seen: UInt64, _ waits: [(TopicID, Offset)], _ milliseconds: Int64?
    ) async {
        await cancelWhenGracefulShutdown { [wake, source] in
            await withTaskGroup(of: Void.self) { group in
                for (topic, next) in waits {
                    group.addTask { await source.waitForRecords(topic, from: next) }
                }
                group.addTask { await wake.changed(since: seen) }
                if let milliseconds {
                    group.addTask { try? await Task.sleep(for: .milliseconds(milliseconds)) }
                }
                await group.next()
                group.cancelAll()
            }
        }
    }
}

/// All bridges of a daemon: one service, each with its own fate.
package struct BridgeBoard: Service {
    package let bridges: [Bridge]
    /// Those that are not configured any more; nil where nobody asks.
    package let former: FormerBridges?

    package init(_ bridges: [Bridge], former: FormerBridges? = nil) {
        self.bridges = bridges
        self.former = former
    }

    package subscript(name: String) -> Bridge? { bridges.first { $0.name.rawValue == name } }

    package func reports() -> [BridgeReport] { bridges.map { $0.report() } }

    package func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for bridge in bridges { group.addTask { try await bridge.run() } }
            try await group.waitForAll()
        }
    }
}
