package import AppendLog
import Appliance
import Bridges
package import Vocabulary

/// Tells the cloud roles in Redis what this box knows: which events are stored, and the vectors of
/// its payments.
///
/// Everything that is written may be written again, so the position, a hash under the log's id,
/// follows behind. Redis forgets: after a week, when it is full, when it is flushed. A position
/// that is gone is begun again a week back, and one that goes while the bridge runs is noticed with
/// the next records.
package final class RedisTarget: RelayTarget {
    package let topics = [TopicID.webhookReceived, .paymentFeatures]

    private let makePlace: @Sendable () throws(RelayFailure) -> RedisPlace
    private let clock: any LogClock
    private var client: RedisClient?
    private var place: RedisPlace?
    private var knowledge: LogKnowledge?
    private var next: [TopicID: Offset] = [:]

    /// Commands of one pipeline.
    private static let pipelineCount = 1_024

    /// - Parameter place: asked at each opening, so that a new password needs no restart.
    package init(
        clock: any LogClock = SystemLogClock(),
        _ place: @escaping @Sendable () throws(RelayFailure) -> RedisPlace
    ) {
        makePlace = place
        self.clock = clock
    }

    // MARK: Opening

    package func open(
        _ source: RelaySource, during attempt: RelayAttempt
    ) async throws(RelayFailure) -> [TopicID: Offset] {
        let place = try makePlace()
        let client = try Self.client(of: place)
        (self.client, self.place, knowledge) = (client, place, LogKnowledge(source: source))
        let stored = try await positions(client, place, source)
        let oldest = clock.now().milliseconds - RedisKeys.lifetimeMilliseconds
        for topic in topics {
            if let offset = stored[topic] {
                next[topic] = offset
            } else {
                next[topic] = try start(of: topic, source, since: oldest)
            }
        }
        // From now on it is there: one that is missing was lost.
        try await keep(next, client, place, source)
        return next
    }

    private static func client(of place: RedisPlace) throws(RelayFailure) -> RedisClient {
        do throws(StreamError) {
            return try RedisClient(place.configuration)
        } catch {
            throw error.isRetryable ? .passing("\(error)") : .permanent("\(error)")
        }
    }

    /// The first record that is not older.
    private func start(
        of topic: TopicID, _ source: RelaySource, since oldest: Int64
    ) throws(RelayFailure) -> Offset {
        let reader = source[topic]
        do throws(StoreFailure) {
            let first = try reader.offset(at: Timestamp(milliseconds: oldest))
            return max(reader.start, first ?? reader.end)
        } catch {
            throw RelayFailure(error)
        }
    }

    private func positions(
        _ client: RedisClient, _ place: RedisPlace, _ source: RelaySource
    ) async throws(RelayFailure) -> [TopicID: Offset] {
        let command = RedisCommand(
            "HMGET",
            [.text(place.keys.position(of: source.log))] + topics.map { .text($0.rawValue) })
        let reply: RedisReply
        do throws(RedisError) {
            reply = try await client.send(command)
        } catch {
            throw RelayFailure(error)
        }
        var found: [TopicID: Offset] = [:]
        for (topic, value) in zip(topics, reply.array ?? []) {
            let text = value.bytes.map { String(decoding: $0, as: UTF8.self) }
            found[topic] = text.flatMap { Int64($0) }.flatMap(Offset.init(named:))
        }
        return found
    }

    private func keep(
        _ places: [TopicID: Offset], _ client: RedisClient, _ place: RedisPlace,
        _ source: RelaySource
    ) async throws(RelayFailure) {
        var arguments: [RedisArgument] = [.text(place.keys.position(of: source.log))]
        for (topic, offset) in places.sorted(by: { $0.key < $1.key }) {
            arguments += [.text(topic.rawValue), .number(offset.rawValue)]
        }
        _ = try await send([RedisCommand("HSET", arguments)], client)
    }

    package func close() async {
        await client?.shutDown()
        client = nil
    }

    // MARK: Delivering

    package func deliver(
        _ run: RelayRun, during attempt: RelayAttempt
    ) async throws(RelayFailure) -> [TopicID: Offset] {
        guard let client, let place, var knowledge else {
            throw .passing("the Redis bridge is not open")
        }
        let source = knowledge.source
        guard try await positions(client, place, source) == next else {
            throw .passing("Redis has lost what was written to it; it is written again")
        }
        let claims = (run.records[.webhookReceived] ?? []).compactMap {
            knowledge.admitted(by: $0)
        }
        _ = try await send(claims.map { Self.claim(on: $0, at: place) }, client)
        var vectors: [RankedHashStore.Entry] = []
        for stored in run.records[.paymentFeatures] ?? [] {
            if let vector = try knowledge.vector(of: stored) { vectors.append(vector.entry) }
        }
        self.knowledge = knowledge
        try await write(vectors, client, place)
        let places = next.merging(run.next) { $1 }
        try await keep(places, client, place, source)
        next = places
        return places
    }

    /// The same as `ClaimStore.finish` sends.
    private static func claim(on event: EventIdentity, at place: RedisPlace) -> RedisCommand {
        RedisCommand(
            "SET", .text(place.claimKey(of: event.id)), .bytes(ClaimStore.done(event.claimText)),
            "PX", .number(RedisKeys.lifetimeMilliseconds))
    }

    private func write(
        _ vectors: [RankedHashStore.Entry], _ client: RedisClient, _ place: RedisPlace
    ) async throws(RelayFailure) {
        let store = RankedHashStore(
            client, prefix: place.keys.vectors, lifetime: RedisKeys.lifetime)
        var rest = vectors[...]
        while !rest.isEmpty {
            for result in await store.write(Array(rest.prefix(Self.pipelineCount))) {
                if case .failure(let error) = result { throw RelayFailure(error) }
            }
            rest = rest.dropFirst(Self.pipelineCount)
        }
    }

    /// All answers; the first error ends it.
    ///
    /// - Parameter comparing: a key of another kind is an answer too, which is never the right one.
    private func send(
        _ commands: [RedisCommand], _ client: RedisClient, comparing: Bool = false
    ) async throws(RelayFailure) -> [RedisReply] {
        var (rest, replies) = (commands[...], [RedisReply]())
        while !rest.isEmpty {
            for result in await client.send(all: Array(rest.prefix(Self.pipelineCount))) {
                switch result {
                case .success(let reply): replies.append(reply)
                case .failure(.refused(let reply)) where comparing && reply.code == "WRONGTYPE":
                    replies.append(.bulk(Array(reply.text.utf8)))
                case .failure(let error): throw RelayFailure(error)
                }
            }
            rest = rest.dropFirst(Self.pipelineCount)
        }
        return replies
    }

    // MARK: Verifying

    package func verify(
        _ source: RelaySource
    ) async throws(RelayFailure) -> BridgeVerification {
        let place = try makePlace()
        let client = try Self.client(of: place)
        let outcome: Result<BridgeVerification, RelayFailure>
        do throws(RelayFailure) {
            outcome = .success(try await compare(source, client, place))
        } catch {
            outcome = .failure(error)
        }
        await client.shutDown()
        return try outcome.get()
    }

    private func compare(
        _ source: RelaySource, _ client: RedisClient, _ place: RedisPlace
    ) async throws(RelayFailure) -> BridgeVerification {
        let ends = try await positions(client, place, source)
        var (verification, knowledge) = (BridgeVerification(), LogKnowledge(source: source))
        // What expires while it is compared is not missed.
        let oldest =
            clock.now().milliseconds - RedisKeys.lifetimeMilliseconds
            + Self.verifyMarginMilliseconds
        for topic in topics where ends[topic] == nil {
            guard try start(of: topic, source, since: oldest) < source[topic].end else { continue }
            verification.firstDifference =
                verification.firstDifference
                ?? "Redis has no position of this log in \(topic.rawValue), so that nothing of it "
                + "was compared: it was flushed, or the bridge has never run"
        }
        let claims = try self.claims(source, since: oldest, upTo: ends[.webhookReceived], knowledge)
        let replies = try await send(
            claims.map { RedisCommand("GET", .text(place.claimKey(of: $0.id))) }, client,
            comparing: true)
        verification.parts.append(
            Self.part(
                named: "claims",
                zip(claims, replies).map {
                    ($0.id.rawValue, ClaimStore.done($0.claimText), $1.bytes)
                },
                &verification.firstDifference))
        let vectors = try self.vectors(
            source, since: oldest, upTo: ends[.paymentFeatures], &knowledge)
        let there = try await stored(vectors, client, place)
        var due = vectors.map(\.readValues.line)
        if zip(due, there).contains(where: { $1 != nil && $0 != $1 }) {
            let later = try laterVectors(source, from: ends[.paymentFeatures] ?? .zero, &knowledge)
            for (index, vector) in vectors.enumerated() {
                guard let value = there[index], later[vector.movement]?.contains(value) == true
                else { continue }
                due[index] = value
            }
        }
        verification.parts.append(
            Self.part(
                named: "vectors",
                vectors.indices.map { (vectors[$0].movement.rawValue, due[$0], there[$0]) },
                &verification.firstDifference))
        return verification
    }

    /// What Redis has of each; nil where it has nothing.
    private func stored(
        _ vectors: [StoredVector], _ client: RedisClient, _ place: RedisPlace
    ) async throws(RelayFailure) -> [[UInt8]?] {
        let replies = try await send(
            vectors.map { vector in
                RedisCommand(
                    "HMGET",
                    [.text(place.vectorKey(of: vector.movement))]
                        + StoredVector.readNames.map { .text($0) })
            }, client, comparing: true)
        return replies.map { reply in
            if let otherKind = reply.bytes { return otherKind }
            let values = (reply.array ?? []).compactMap(\.bytes)
            return values.isEmpty ? nil : values.line
        }
    }

    /// Milliseconds that a comparison has until what it looks for may have expired.
    private static let verifyMarginMilliseconds: Int64 = 15 * 60_000

    /// Vectors behind the position, by movement: those that the bridge has written since are no
    /// difference.
    private func laterVectors(
        _ source: RelaySource, from start: Offset, _ knowledge: inout LogKnowledge
    ) throws(RelayFailure) -> [MovementKey: Set<[UInt8]>] {
        var later: [MovementKey: Set<[UInt8]>] = [:]
        try source.scan(
            .paymentFeatures, from: start, upTo: source.renewedEnd(of: .paymentFeatures)
        ) { stored throws(RelayFailure) in
            guard let vector = try knowledge.vector(of: stored) else { return }
            later[vector.movement, default: []].insert(vector.readValues.line)
        }
        return later
    }

    private func claims(
        _ source: RelaySource, since oldest: Int64, upTo end: Offset?, _ knowledge: LogKnowledge
    ) throws(RelayFailure) -> [EventIdentity] {
        var claims: [EventIdentity] = []
        try source.scan(
            .webhookReceived, from: try start(of: .webhookReceived, source, since: oldest),
            upTo: end ?? .zero
        ) { stored throws(RelayFailure) in
            if let event = knowledge.admitted(by: stored) { claims.append(event) }
        }
        return claims
    }

    /// Of each movement the one that stands: the best informed, and of two alike the later.
    private func vectors(
        _ source: RelaySource, since oldest: Int64, upTo end: Offset?,
        _ knowledge: inout LogKnowledge
    ) throws(RelayFailure) -> [StoredVector] {
        var standing: [MovementKey: StoredVector] = [:]
        try source.scan(
            .paymentFeatures, from: try start(of: .paymentFeatures, source, since: oldest),
            upTo: end ?? .zero
        ) { stored throws(RelayFailure) in
            guard let vector = try knowledge.vector(of: stored) else { return }
            if let known = standing[vector.movement], known.rank > vector.rank { return }
            standing[vector.movement] = vector
        }
        return standing.values.sorted { $0.movement.rawValue < $1.movement.rawValue }
    }

    private static func part(
        named name: String, _ pairs: [(key: String, here: [UInt8], there: [UInt8]?)],
        _ firstDifference: inout String?
    ) -> BridgeVerification.Part {
        var (here, there, count) = (FNV1a(), FNV1a(), Int64(0))
        for pair in pairs {
            here.add(pair.here)
            if let value = pair.there {
                count += 1
                there.add(value)
            }
            guard pair.there != pair.here, firstDifference == nil else { continue }
            firstDifference =
                pair.there == nil
                ? "Redis has no \(name) of \(pair.key): evicted, flushed or expired"
                : "Redis has other \(name) of \(pair.key)"
        }
        return BridgeVerification.Part(
            name: name, localCount: Int64(pairs.count), targetCount: count,
            localDigest: String(hex: here.digest),
            targetDigest: String(hex: there.digest))
    }
}

extension [[UInt8]] {
    /// One after the other, with a space behind each.
    fileprivate var line: [UInt8] { reduce(into: []) { $0 += $1 + [UInt8(ascii: " ")] } }
}

extension RelayFailure {
    init(_ error: RedisError) {
        self = error.isRetryable ? .passing("\(error)") : .permanent("\(error)")
    }
}
