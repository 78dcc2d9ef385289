/// With what a server has failed somebody just now, for those who waited behind them: else each of
/// them would wait as long for itself, and the line would grow for as long as the server hangs.
/// Pure: the clock is its caller's.
public struct PostgresSilence: Sendable {
    private var last: (until: ContinuousClock.Instant, error: PostgresError)?

    /// For how long it is the answer: as long as it takes those who waited to come forward.
    static let standsFor = Duration.milliseconds(250)

    public init() {}

    /// What whoever asks now is told instead; nil where they should ask the server.
    public func error(at now: ContinuousClock.Instant) -> PostgresError? {
        last.flatMap { now < $0.until ? $0.error : nil }
    }

    /// No connection came about.
    public mutating func didNotConnect(
        _ error: PostgresError, at now: ContinuousClock.Instant
    ) { last = (now + Self.standsFor, error) }

    /// A statement failed; only one that had no answer says anything of the others.
    public mutating func didFail(_ error: PostgresError, at now: ContinuousClock.Instant) {
        if case .noAnswer = error { last = (now + Self.standsFor, error) }
    }
}
