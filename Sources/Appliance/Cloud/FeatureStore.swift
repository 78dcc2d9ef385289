package import Bridges
package import Vocabulary

/// Vectors in Redis, as contracts §11 has them: `features:{movement}` is a hash of `schema`,
/// `as_of`, `event_id`, `rank` and `v0` … `v7`, for a week, never replaced by one of a lower rank.
package struct FeatureStore: Sendable {
    private let hashes: RankedHashStore

    /// How long vectors, and payments without one, are kept.
    static let lifetime = Duration.seconds(7 * 86_400)

    package init(_ redis: RedisClient, prefix: String) {
        hashes = RankedHashStore(redis, prefix: prefix + "features:", lifetime: Self.lifetime)
    }

    /// What is known of one movement.
    package struct Entry: Hashable, Sendable {
        package var movement: MovementKey
        package var eventID: EventID
        /// The model schema's version that the numbers follow.
        package var schema: String
        /// How well informed the event was that they were computed on.
        package var rank: UInt8
        package var vector: FeatureVector

        package init(
            movement: MovementKey, eventID: EventID, schema: String, rank: UInt8,
            vector: FeatureVector
        ) {
            self.movement = movement
            self.eventID = eventID
            self.schema = schema
            self.rank = rank
            self.vector = vector
        }
    }

    private static let numbers = (0..<FeatureVector.count).map { "v\($0)" }
    private static let fields = ["schema", "as_of", "event_id", "rank"] + numbers

    /// Writes vectors, each unless a better informed one is there.
    package func write(_ entries: [Entry]) async throws(RedisError) {
        let results = await hashes.write(
            entries.map { entry in
                var fields = [
                    RankedHashStore.Field("schema", Array(entry.schema.utf8)),
                    .init("as_of", Array(String(entry.vector.asOf.seconds).utf8)),
                    .init("event_id", Array(entry.eventID.rawValue.utf8)),
                ]
                for (place, name) in Self.numbers.enumerated() {
                    // Swift's own text of a float is the shortest decimal that reads back as it.
                    fields.append(.init(name, Array("\(entry.vector[place])".utf8)))
                }
                return .init(
                    key: entry.movement.rawValue, rank: UInt64(entry.rank), fields: fields)
            })
        for result in results { _ = try result.get() }
    }

    /// The entries of movements; nil where there is none, or one that cannot be read.
    func read(_ movements: [MovementKey]) async throws(RedisError) -> [Entry?] {
        let answers = await hashes.read(movements.map(\.rawValue), fields: Self.fields)
        var entries: [Entry?] = []
        entries.reserveCapacity(movements.count)
        for (movement, answer) in zip(movements, answers) {
            switch answer {
            case .success(let found):
                entries.append(found.flatMap { Self.entry(of: movement, $0) })
            // A key of another kind is an entry that cannot be read.
            case .failure(.refused(let reply)) where reply.code == "WRONGTYPE": entries.append(nil)
            case .failure(let error): throw error
            }
        }
        return entries
    }

    private static func entry(of movement: MovementKey, _ values: [[UInt8]?]) -> Entry? {
        let texts = values.compactMap { $0.map { String(decoding: $0, as: UTF8.self) } }
        guard texts.count == fields.count, let asOf = Int64(texts[1]), let rank = UInt8(texts[3])
        else { return nil }
        let numbers = texts.dropFirst(4).compactMap { Float($0) }.filter(\.isFinite)
        guard numbers.count == FeatureVector.count else { return nil }
        return Entry(
            movement: movement, eventID: EventID(texts[2]), schema: texts[0], rank: rank,
            vector: FeatureVector(values: numbers, asOf: Instant(seconds: asOf)))
    }
}
