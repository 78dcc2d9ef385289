/// How a Redis client fares.
public struct RedisStatistics: Hashable, Sendable {
    public var isConnected = false
    /// Why it is not connected, or why it last was not.
    public var lastTrouble: RedisTrouble?
    /// From a command's leaving to its answer, smoothed: each answer counts an eighth.
    public var roundTrip: Duration?
    /// Connections that became ready so far.
    public var connections = 0
    /// Commands that wait for their turn.
    public var queuedCommands = 0
    /// Commands under way on the connection.
    public var underWayCommands = 0
    /// Commands answered by the server, with its errors.
    public var answeredCommands = 0
    /// Commands that ended without an answer of the server.
    public var failedCommands = 0

    mutating func note(roundTrip sample: Duration) {
        roundTrip = roundTrip.map { $0 + (sample - $0) / 8 } ?? sample
    }
}
