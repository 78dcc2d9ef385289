package import Bridges
package import Vocabulary

/// Vectors in Redis, as contracts §11 has them: `features:{movement}` is a hash of `schema`,
/// `as_of`, `event_id`, `rank` and `v0` … `v7`, for a week, never replaced by one of a lower rank.
package struct FeatureStore: Sendable {
    private let hashes: RankedHashStore
    private let waiting: WaitingPayments

    /// How long vectors, and payments without one, are kept.
    static let lifetime = Duration.seconds(7 * 86_400)

    package init(_ redis: RedisClient, prefix: String) {
        hashes = RankedHashStore(redis, prefix: prefix + "features:", lifetime: Self.lifetime)
        waiting = WaitingPayments(redis, prefix: prefix)
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

    /// A hash that is no vector of its movement: as good as none.
    struct Unfit: Hashable, Sendable {
        enum Reason: Hashable, Sendable {
            /// The first field that is missing, or that holds no number of its kind.
            case unreadable(field: String)
            /// The event belongs to another movement.
            case another(EventID, MovementKey)
        }

        var movement: MovementKey
        var reason: Reason
        /// As it was read: exactly this gives way to a good one.
        var fields: [RankedHashStore.Field]
    }

    /// What Redis has of a movement.
    enum Found: Hashable, Sendable {
        case nothing
        case vector(Entry)
        case unfit(Unfit)
    }

    private static let numbers = (0..<FeatureVector.count).map { "v\($0)" }
    private static let fields = ["schema", "as_of", "event_id", "rank"] + numbers

    /// Writes vectors, each unless a better informed one is there.
    package func write(_ entries: [Entry]) async throws(RedisError) {
        // What is no vector has no rank that would count.
        let found = try await read(entries.map { ($0.movement, $0.eventID) })
        let results = await hashes.write(
            zip(entries, found).map { entry, found in
                var hash = Self.hash(of: entry)
                if case .unfit(let unfit) = found { hash.replaced = unfit.fields }
                return hash
            })
        for result in results { _ = try result.get() }
    }

    private static func hash(of entry: Entry) -> RankedHashStore.Entry {
        var fields = [
            RankedHashStore.Field("schema", Array(entry.schema.utf8)),
            .init("as_of", Array(String(entry.vector.asOf.seconds).utf8)),
            .init("event_id", Array(entry.eventID.rawValue.utf8)),
        ]
        for (place, name) in numbers.enumerated() {
            // Swift's own text of a float is the shortest decimal that reads back as it.
            fields.append(.init(name, Array("\(entry.vector[place])".utf8)))
        }
        return .init(key: entry.movement.rawValue, rank: UInt64(entry.rank), fields: fields)
    }

    /// What there is of movements, each asked for by one of its events; as many answers, in their
    /// order.
    ///
    /// Another event's movement is known of those that wait or have waited: one that is not known
    /// is believed, since it may be a further event of the same movement.
    func read(
        _ wanted: [(movement: MovementKey, event: EventID?)]
    ) async throws(RedisError) -> [Found] {
        let answers = await hashes.read(wanted.map(\.movement.rawValue), fields: Self.fields)
        var found: [Found] = []
        var others: [(place: Int, event: EventID, fields: [RankedHashStore.Field])] = []
        found.reserveCapacity(wanted.count)
        for ((movement, event), answer) in zip(wanted, answers) {
            switch answer {
            case .success(nil): found.append(.nothing)
            case .success(let values?):
                let one = Self.found(of: movement, values)
                if case .vector(let entry) = one, entry.eventID != event {
                    others.append((found.count, entry.eventID, Self.present(values)))
                }
                found.append(one)
            // A key of another kind is an entry that cannot be read.
            case .failure(.refused(let reply)) where reply.code == "WRONGTYPE":
                found.append(
                    .unfit(Unfit(movement: movement, reason: .unreadable(field: ""), fields: [])))
            case .failure(let error): throw error
            }
        }
        let owners = try await waiting.movements(of: others.map(\.event))
        for (other, owner) in zip(others, owners) {
            let movement = wanted[other.place].movement
            guard let owner, owner != movement else { continue }
            found[other.place] = .unfit(
                Unfit(
                    movement: movement, reason: .another(other.event, owner),
                    fields: other.fields))
        }
        return found
    }

    private static func present(_ values: [[UInt8]?]) -> [RankedHashStore.Field] {
        zip(fields, values).compactMap { name, value in
            value.map { RankedHashStore.Field(name, $0) }
        }
    }

    private static func found(of movement: MovementKey, _ values: [[UInt8]?]) -> Found {
        let texts = values.map { $0.map { String(decoding: $0, as: UTF8.self) } }
        func unfit(_ place: Int) -> Found {
            .unfit(
                Unfit(
                    movement: movement, reason: .unreadable(field: fields[place]),
                    fields: present(values)))
        }
        guard let schema = texts[0] else { return unfit(0) }
        guard let asOf = texts[1].flatMap({ Int64($0) }).flatMap({ Instant(named: $0) }) else {
            return unfit(1)
        }
        guard let event = texts[2] else { return unfit(2) }
        guard let rank = texts[3].flatMap({ UInt8($0) }), rank <= Informedness.rankMax else {
            return unfit(3)
        }
        var numbers: [Float] = []
        for place in 4..<fields.count {
            guard let number = texts[place].flatMap({ Float($0) }), number.isFinite else {
                return unfit(place)
            }
            numbers.append(number)
        }
        return .vector(
            Entry(
                movement: movement, eventID: EventID(event), schema: schema, rank: rank,
                vector: FeatureVector(values: numbers, asOf: asOf)))
    }
}

extension FeatureStore.Unfit: CustomStringConvertible {
    var description: String {
        switch reason {
        case .unreadable(field: ""): "it is no hash"
        case .unreadable(let field): "its field \(field) is missing, or not what it should be"
        case .another(let event, let owner): "its event \(event) is one of \(owner)"
        }
    }
}
