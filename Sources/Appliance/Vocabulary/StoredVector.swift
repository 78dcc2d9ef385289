package import Bridges

/// The vector of a movement as Redis has it (contracts §11): a hash under ``RedisKeys/vectors``.
///
/// | field | text |
/// | --- | --- |
/// | `schema` | the model schema's version that the numbers follow |
/// | `as_of` | the moment of the vector, in Unix seconds |
/// | `event_id` | the event that it was computed on |
/// | `rank` | how well informed that event was, 0 to `Informedness.rankMax` |
/// | `v0` … `v7` | the numbers, each the shortest decimal that reads back as its float |
package struct StoredVector: Hashable, Sendable {
    package var movement: MovementKey
    package var eventID: EventID
    package var schema: String
    package var rank: UInt8
    package var vector: FeatureVector

    package init(
        movement: MovementKey, eventID: EventID, schema: String, rank: UInt8, vector: FeatureVector
    ) {
        self.movement = movement
        self.eventID = eventID
        self.schema = schema
        self.rank = rank
        self.vector = vector
    }

    private static let numbers = (0..<FeatureVector.count).map { "v\($0)" }

    /// Every field but the rank, which `RankedHashStore` writes and compares by itself.
    package static let fieldNames = ["schema", "as_of", "event_id"] + numbers

    /// In the order of ``fieldNames``.
    package var values: [[UInt8]] {
        [
            Array(schema.utf8), Array(String(vector.asOf.seconds).utf8),
            Array(eventID.rawValue.utf8),
        ] + (0..<FeatureVector.count).map { Array("\(vector[$0])".utf8) }
    }

    /// To be written, unless a better informed one is there.
    package var entry: RankedHashStore.Entry {
        RankedHashStore.Entry(
            key: movement.rawValue, rank: UInt64(rank),
            fields: zip(Self.fieldNames, values).map { RankedHashStore.Field($0, $1) })
    }
}

extension StoredVector {
    /// What is read of a hash.
    package static let readNames = fieldNames + [RankedHashStore.rankField]

    /// In the order of ``readNames``.
    package var readValues: [[UInt8]] { values + [Array(String(rank).utf8)] }

    /// The first field that is missing, or that holds no number of its kind.
    package struct Unreadable: Error, Hashable, Sendable {
        package var field: String
    }

    /// - Parameter values: of ``readNames``, in their order; nil for a field that is missing.
    /// - Throws: `Unreadable`.
    package init(of movement: MovementKey, _ values: [[UInt8]?]) throws(Unreadable) {
        precondition(values.count == Self.readNames.count, "\(values.count) fields of a vector")
        func read<Value>(
            _ place: Int, _ value: (String) -> Value?
        ) throws(Unreadable) -> Value {
            guard let text = values[place].map({ String(decoding: $0, as: UTF8.self) }),
                let read = value(text)
            else { throw Unreadable(field: Self.readNames[place]) }
            return read
        }
        let schema = try read(0) { $0 }
        let asOf = try read(1) { Int64($0).flatMap { Instant(named: $0) } }
        let event = try read(2) { $0 }
        var numbers: [Float] = []
        for place in 3..<Self.fieldNames.count {
            numbers.append(try read(place) { Float($0).flatMap { $0.isFinite ? $0 : nil } })
        }
        let rank = try read(Self.fieldNames.count) { text in
            UInt8(text).flatMap { $0 <= Informedness.rankMax ? $0 : nil }
        }
        self.init(
            movement: movement, eventID: EventID(event), schema: schema, rank: rank,
            vector: FeatureVector(values: numbers, asOf: asOf))
    }
}
