/// When to connect again, and when no more. Pure: the clock and the dice are its caller's. One for
/// each connection that was lost.
///
///     failed ──▶ waiting, longer each time, with jitter ──▶ failed …
///        └── an error that only a person can end ──▶ stopped
///
/// A connection alone proves nothing: a server that accepts and then closes would be asked again
/// and again without a pause. So only an answered statement is a reason to let go of this.
public struct PostgresReconnection: Hashable, Sendable {
    public enum Next: Hashable, Sendable {
        /// Connect after this long.
        case connect(after: Duration)
        /// Nobody but a person can help.
        case stop(PostgresError)
    }

    /// The first wait, before jitter; each further one is twice as long, up to the longest.
    public var firstWait: Duration
    public var longestWait: Duration
    /// An access token may have run out between being fetched and being used, and a role may be
    /// being made: a refused login counts as permanent only after so many in a row.
    public var loginsMax: Int

    /// Failures so far.
    public private(set) var failures = 0
    private var refusedLogins = 0

    public init(
        firstWait: Duration = .milliseconds(100), longestWait: Duration = .seconds(10),
        loginsMax: Int = 3
    ) {
        self.firstWait = firstWait
        self.longestWait = longestWait
        self.loginsMax = loginsMax
    }

    /// - Parameter dice: any number; its low bits choose between half and all of the wait, so that
    ///   many clients do not come back at one moment.
    public mutating func didFail(_ error: PostgresError, dice: UInt64) -> Next {
        failures += 1
        if error.isPermanent {
            let isLogin = ["28P01", "28000"].contains(error.sqlState)
            refusedLogins += isLogin ? 1 : 0
            guard isLogin, refusedLogins < loginsMax else { return .stop(error) }
        }
        let doublings = min(failures - 1, 30)
        let whole = min(longestWait, firstWait * (1 << doublings))
        let share = Int(dice % 1_024)
        return .connect(after: whole / 2 + whole / 2 * share / 1_023)
    }
}
