import Bridges
import Vocabulary

/// Payments without a vector, in Redis: `waiting:{movement}` is the event, and `waiting` a sorted
/// set of all by the time since when, by Redis's clock.
///
/// Of several events of one movement the best informed one waits. `waiting.event:{event}` names the
/// movement of an event, because a vector's record names the event alone.
struct WaitingPayments: Sendable {
    private let redis: RedisClient
    private let set: WaitingSet
    private let keys: RedisKeys

    /// - Parameter prefix: in front of every key.
    init(_ redis: RedisClient, prefix: String) {
        self.redis = redis
        keys = RedisKeys(prefix: prefix)
        set = WaitingSet(redis, prefix: keys.waiting, lifetime: RedisKeys.lifetime)
    }

    /// A payment that waits.
    struct Entry: Sendable {
        var movement: MovementKey
        /// Milliseconds since 1970, by Redis's clock.
        var since: Int64
        /// nil where the server has dropped it, or where it cannot be read.
        var event: PaymentEvent?
    }

    func add(_ events: [PaymentEvent]) async throws(RedisError) {
        let calls = events.map { event in
            (
                keys: [
                    keys.waiting(event.movement), keys.waiting,
                    keys.waiting(behind: event.eventID),
                ].map { Array($0.utf8) },
                arguments: [
                    .bytes(Self.value(of: event)), .number(RedisKeys.lifetimeMilliseconds),
                    .text(event.movement.rawValue), .number(event.informedness.rank),
                ] as [RedisArgument]
            )
        }
        for result in await redis.run(Self.adding, calls) { _ = try result.get() }
    }

    /// The payments that wait for the vectors of events, in two questions for all of them; as many
    /// answers as events, in their order.
    func events(behind ids: [EventID]) async throws(RedisError) -> [PaymentEvent?] {
        var known: [(place: Int, movement: String)] = []
        for (place, movement) in try await movements(of: ids).enumerated() {
            if let movement { known.append((place, movement.rawValue)) }
        }
        var events = [PaymentEvent?](repeating: nil, count: ids.count)
        let values = try await set.values(of: known.map(\.movement))
        for ((place, _), value) in zip(known, values) {
            events[place] = value.flatMap { Self.event(in: $0) }
        }
        return events
    }

    /// The movements of events that wait or have waited; as many as events, in their order, nil for
    /// those that nobody knows.
    func movements(of ids: [EventID]) async throws(RedisError) -> [MovementKey?] {
        let named = await redis.send(
            all: ids.map { RedisCommand("GET", .text(keys.waiting(behind: $0))) })
        var movements: [MovementKey?] = []
        for answer in named {
            let name = try answer.get().bytes.map { String(decoding: $0, as: UTF8.self) }
            movements.append(name.map { MovementKey($0) })
        }
        return movements
    }

    /// Those that have waited the longest, and Redis's time then, milliseconds since 1970.
    func oldest(
        countMax: Int
    ) async throws(RedisError) -> (entries: [Entry], now: Int64) {
        let (entries, now) = try await set.oldest(countMax: countMax)
        let waiting = entries.map { entry in
            Entry(
                movement: MovementKey(entry.id), since: entry.since,
                event: entry.value.flatMap { Self.event(in: $0) })
        }
        return (waiting, now)
    }

    func remove(_ movements: [MovementKey]) async throws(RedisError) {
        guard !movements.isEmpty else { return }
        try await set.remove(movements.map(\.rawValue))
    }

    /// The event's own JSON with its rank in front, where a script finds it.
    private static func value(of event: PaymentEvent) -> [UInt8] {
        Array("{\"rank\":\(event.informedness.rank),".utf8) + event.encoded().dropFirst()
    }

    private static func event(in value: [UInt8]) -> PaymentEvent? {
        try? PaymentEvent(value, using: JSONDocument())
    }

    private static let adding = RedisScript(
        WaitingSet.timeInScript + """

        local there = redis.call('GET', KEYS[1])
        local rank = there and tonumber(string.match(there, '^{"rank":(%d+)'))
        if not rank or rank <= tonumber(ARGV[4]) then
          redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
        end
        redis.call('SET', KEYS[3], ARGV[3], 'PX', ARGV[2])
        return redis.call('ZADD', KEYS[2], 'NX', now, ARGV[3])
        """)
}
