package import Bridges
import Vocabulary

/// Where the Redis bridge copies to, and by which keys (contracts §11).
package struct RedisPlace: Sendable {
    package var configuration: RedisConfiguration
    /// In front of every key.
    package var prefix: String

    package init(configuration: RedisConfiguration, prefix: String) {
        self.configuration = configuration
        self.prefix = prefix
    }

    /// How long claims and vectors are kept; what is older is not copied.
    static let lifetimeMilliseconds: Int64 = 7 * 86_400_000

    /// A hash: by topic, the offset of the local log that is copied next.
    func positionKey(of log: String) -> String { "\(prefix)bridge:\(log)" }

    func claimKey(of event: EventID) -> String { "\(prefix)gate:\(event)" }

    var vectorPrefix: String { prefix + "features:" }
}

/// A claim whose event is stored: a delivery of the same event is a duplicate, of another event
/// under its id a conflict.
struct StoredClaim: Hashable {
    var event: EventID
    var type: String
    var created: String

    /// The value of its key, as `ClaimStore.finish` writes it.
    var value: [UInt8] { Array("done:\(type):\(created)".utf8) }

    func command(_ place: RedisPlace) -> RedisCommand {
        RedisCommand(
            "SET", .text(place.claimKey(of: event)), .bytes(value), "PX",
            .number(RedisPlace.lifetimeMilliseconds))
    }
}

/// A vector of a movement, and how well informed the event was that it was computed on.
struct StoredVector: Hashable {
    var movement: MovementKey
    var rank: UInt8
    var record: FeaturesRecord

    var entry: RankedHashStore.Entry {
        RankedHashStore.Entry(key: movement.rawValue, rank: UInt64(rank), fields: fields)
    }

    private var fields: [RankedHashStore.Field] {
        var fields = [
            RankedHashStore.Field("schema", Array(record.schemaVersion.utf8)),
            RankedHashStore.Field("as_of", Array(String(record.vector.asOf.seconds).utf8)),
            RankedHashStore.Field("event_id", Array(record.eventID.rawValue.utf8)),
        ]
        for (place, name) in Self.numbers.enumerated() {
            // Swift's own text of a float is the shortest decimal that reads back as it.
            fields.append(
                RankedHashStore.Field(name, Array("\(record.vector[place])".utf8)))
        }
        return fields
    }

    private static let numbers = (0..<FeatureVector.count).map { "v\($0)" }

    /// In the order of `values`.
    static let names = ["rank", "schema", "as_of", "event_id"] + numbers

    /// As Redis has them, the rank among them.
    var values: [[UInt8]] { [Array(String(rank).utf8)] + fields.map(\.value) }
}
