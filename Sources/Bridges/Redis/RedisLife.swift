/// The life of a client's connection, decided without sockets: what comes next, and when.
///
///     resting ── begin ──▶ connecting ── didConnect ──▶ introducing ── last answer ──▶ ready
///                              ▲   │                         │                           │
///                              │   └──────── didFail ────────┴───────── didFail ─────────┤
///                              │                                                         ▼
///                              └──────────────────── timePassed ◀──────────────────── waiting
///
/// `introducing` names the user, chooses the database and asks for a sign of life. A server that is
/// still loading its data is not ready; one that refuses us is asked again as well, since it or our
/// certificate may be mended, but only at the longest pace, and meanwhile commands fail at once.
struct RedisLife {
    enum State: Hashable {
        case resting
        case connecting(until: ContinuousClock.Instant)
        case introducing(due: [Introduction], until: ContinuousClock.Instant)
        case ready(since: ContinuousClock.Instant)
        case waiting(until: ContinuousClock.Instant, after: RedisTrouble)
        case closed
    }

    /// What a new connection begins with; each has one answer.
    enum Introduction: Hashable {
        case authenticate
        case select
        case ping
    }

    /// What the connection's owner has to do.
    enum Action: Hashable {
        case nothing
        case connect
        case introduce([Introduction])
        /// Commands may go out.
        case serve
        /// Close the connection, if there is one, and answer what was under way.
        case drop(RedisTrouble)
    }

    private(set) var state = State.resting
    /// Attempts since the last connection that lasted.
    private(set) var attempts = 0
    private(set) var lastTrouble: RedisTrouble?
    /// Connections that became ready.
    private(set) var connections = 0
    private let configuration: RedisConfiguration

    init(_ configuration: RedisConfiguration) { self.configuration = configuration }

    var isReady: Bool { if case .ready = state { true } else { false } }

    /// Why commands need not even wait; nil while they may.
    var refusal: RedisTrouble? {
        if case .waiting(_, let trouble) = state, trouble.keepsOut { trouble } else { nil }
    }

    /// When `timePassed` has something to say.
    var deadline: ContinuousClock.Instant? {
        switch state {
        case .connecting(let until), .introducing(_, let until), .waiting(let until, _): until
        case .resting, .ready, .closed: nil
        }
    }

    mutating func begin(at now: ContinuousClock.Instant) -> Action {
        guard case .resting = state else { return .nothing }
        state = .connecting(until: now + configuration.connectTimeout)
        return .connect
    }

    /// The connection stands, with TLS where it is wanted.
    mutating func didConnect() -> Action {
        guard case .connecting(let until) = state else { return .nothing }
        let isKnown = configuration.credentials != nil || configuration.password != nil
        var due: [Introduction] = isKnown ? [.authenticate] : []
        if configuration.database != 0 { due.append(.select) }
        due.append(.ping)
        state = .introducing(due: due, until: until)
        return .introduce(due)
    }

    /// The next answer to the introduction.
    mutating func didAnswer(
        _ reply: RedisReply, at now: ContinuousClock.Instant,
        using generator: inout some RandomNumberGenerator
    ) -> Action {
        guard case .introducing(var due, let until) = state, !due.isEmpty else { return .nothing }
        let step = due.removeFirst()
        if let trouble = trouble(with: reply, to: step) {
            return didFail(trouble, at: now, using: &generator)
        }
        guard due.isEmpty else {
            state = .introducing(due: due, until: until)
            return .nothing
        }
        state = .ready(since: now)
        connections += 1
        return .serve
    }

    private func trouble(with reply: RedisReply, to step: Introduction) -> RedisTrouble? {
        guard case .error(let error) = reply else { return nil }
        let words = step == .authenticate ? error.aboutPassword : error
        if words.isRetryable || words.text.contains("max number of clients") {
            return .notReady(words)
        }
        let place = configuration.place
        switch (words.code, step) {
        case ("NOAUTH", _): return .passwordMissing(place: place)
        // Who may not ping is known all the same.
        case ("NOPERM", .ping): return nil
        case (_, .authenticate): return .passwordRefused(words, place: place)
        case (_, .select): return .databaseRefused(configuration.database, words)
        case (_, .ping): return .refused(words, place: place)
        }
    }

    /// The connection did not come about, or is no good any more.
    mutating func didFail(
        _ trouble: RedisTrouble, at now: ContinuousClock.Instant,
        using generator: inout some RandomNumberGenerator
    ) -> Action {
        // One that lasted is no sign that the next one fails.
        if case .ready(let since) = state, now - since >= configuration.retryMax { attempts = 0 }
        switch state {
        case .closed, .waiting: return .nothing
        case .resting, .connecting, .introducing, .ready: break
        }
        lastTrouble = trouble
        let pause = pause(after: trouble, using: &generator)
        attempts += 1
        state = .waiting(until: now + pause, after: trouble)
        return .drop(trouble)
    }

    /// Doubling, between a half and the whole: a thousand clients of one server that restarts do
    /// not come back in one moment.
    private func pause(
        after trouble: RedisTrouble, using generator: inout some RandomNumberGenerator
    ) -> Duration {
        let doubled = configuration.retryMin * (1 << min(attempts, 16))
        let whole = trouble.keepsOut ? configuration.retryMax : min(doubled, configuration.retryMax)
        return whole * Double.random(in: 0.5...1, using: &generator)
    }

    mutating func timePassed(
        _ now: ContinuousClock.Instant, using generator: inout some RandomNumberGenerator
    ) -> Action {
        guard let deadline, deadline <= now else { return .nothing }
        if case .waiting = state {
            state = .connecting(until: now + configuration.connectTimeout)
            return .connect
        }
        let trouble = RedisTrouble.connectDeadline(
            place: configuration.place, isSecure: configuration.isSecure)
        return didFail(trouble, at: now, using: &generator)
    }

    mutating func close() { state = .closed }
}

extension RedisLife.Introduction {
    /// - Throws: what there is instead of a password.
    func command(for configuration: RedisConfiguration) throws -> RedisCommand {
        switch self {
        case .authenticate:
            let credentials = try configuration.currentCredentials()
            var command = RedisCommand("AUTH")
            if let user = credentials?.user { command.append(RedisArgument(user)) }
            command.append(RedisArgument(credentials?.password.reveal() ?? ""))
            return command
        case .select: return RedisCommand("SELECT", .number(configuration.database))
        case .ping: return RedisCommand("PING")
        }
    }
}
