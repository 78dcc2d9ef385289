package import Bridges
package import Vocabulary

/// Vectors in Redis, each for a week and never replaced by one of a lower rank.
package struct FeatureStore: Sendable {
    private let hashes: RankedHashStore
    private let waiting: WaitingPayments

    /// - Parameter prefix: in front of every key.
    package init(_ redis: RedisClient, prefix: String) {
        let keys = RedisKeys(prefix: prefix)
        hashes = RankedHashStore(redis, prefix: keys.vectors, lifetime: RedisKeys.lifetime)
        waiting = WaitingPayments(redis, prefix: prefix)
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
        case vector(StoredVector)
        case unfit(Unfit)
    }

    /// Writes vectors, each unless a better informed one is there.
    ///
    /// - Throws: the first `RedisError`; the others may be there.
    package func write(_ vectors: [StoredVector]) async throws(RedisError) {
        // What is no vector has no rank that would count.
        let found = try await read(vectors.map { ($0.movement, $0.eventID) })
        let results = await hashes.write(
            zip(vectors, found).map { vector, found in
                var hash = vector.entry
                if case .unfit(let unfit) = found { hash.replaced = unfit.fields }
                return hash
            })
        for result in results { _ = try result.get() }
    }

    /// What there is of movements, each asked for by one of its events; as many answers, in their
    /// order.
    ///
    /// Another event's movement is known of those that wait or have waited: one that is not known
    /// is believed, since it may be a further event of the same movement.
    func read(
        _ wanted: [(movement: MovementKey, event: EventID?)]
    ) async throws(RedisError) -> [Found] {
        let answers = await hashes.read(
            wanted.map(\.movement.rawValue), fields: StoredVector.readNames)
        var found: [Found] = []
        var others: [(place: Int, event: EventID, fields: [RankedHashStore.Field])] = []
        found.reserveCapacity(wanted.count)
        for ((movement, event), answer) in zip(wanted, answers) {
            switch answer {
            case .success(nil): found.append(.nothing)
            case .success(let values?):
                let one = Self.found(of: movement, values)
                if case .vector(let vector) = one, vector.eventID != event {
                    others.append((found.count, vector.eventID, Self.present(values)))
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
        zip(StoredVector.readNames, values).compactMap { name, value in
            value.map { RankedHashStore.Field(name, $0) }
        }
    }

    private static func found(of movement: MovementKey, _ values: [[UInt8]?]) -> Found {
        do throws(StoredVector.Unreadable) {
            return .vector(try StoredVector(of: movement, values))
        } catch {
            return .unfit(
                Unfit(
                    movement: movement, reason: .unreadable(field: error.field),
                    fields: present(values)))
        }
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
