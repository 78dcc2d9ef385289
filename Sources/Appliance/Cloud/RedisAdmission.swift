package import AppendLog
package import Appliance
package import Bridges
import Synchronization
package import Vocabulary

/// Admission of the cloud plane: the claim is in Redis, the record in Kafka.
///
///     claim (own token) ─▶ Kafka, acknowledged by all ─▶ done ─▶ 200
///        │                    ├─ certainly not written ─▶ claim given back ─▶ 503
///        │                    └─ nobody knows ─▶ 503; the claim runs out by itself
///        └─ somebody's already: done ─▶ duplicate or conflict
///                               pending ─▶ waits for it, then 503
///
/// Nobody is told 200 without `done`. A claim that is forgotten (eviction, failover, a process that
/// died) makes a second record of one event, which books nothing twice. Each wait has an end; the
/// gate's own clock, ``answerPatience``, stands over all of them.
package struct RedisAdmission: AdmissionStore {
    private let claims: ClaimStore
    private let log: KafkaTopicWriter

    /// An answer comes within so many seconds, whatever does not answer us.
    package static let answerSecondsMax = 5
    /// When the gate answers in any case.
    package static let answerPatience = Duration.milliseconds(4_500)
    /// How long a delivery waits for what becomes of somebody else's claim.
    static let pendingPatience = Duration.seconds(3)
    /// What one question to Redis may take.
    package static let claimPatience = Duration.milliseconds(800)
    /// What Kafka's acknowledgement may take; a claim lasts for longer than twice that.
    package static let deliveryPatience = Duration.seconds(2)

    /// - Parameter prefix: in front of every key.
    package init(
        _ redis: RedisClient, prefix: String, log: KafkaTopicWriter
    ) {
        claims = ClaimStore(
            redis, prefix: RedisKeys(prefix: prefix).claims, done: RedisKeys.lifetime)
        self.log = log
    }

    package func admit(
        _ identity: EventIdentity, record: Record,
        completion: @escaping @Sendable (Result<AdmissionOutcome, StoreFailure>) -> Void
    ) {
        // At most one such task a delivery, and the port bounds those.
        Task {
            do throws(StoreFailure) {
                completion(.success(try await admitted(identity, record)))
            } catch {
                completion(.failure(error))
            }
        }
    }

    private func admitted(
        _ identity: EventIdentity, _ record: Record
    ) async throws(StoreFailure) -> AdmissionOutcome {
        let giveUpAt = ContinuousClock.now + Self.pendingPatience
        let token = ClaimToken()
        while true {
            let answer = try await claim(identity, token)
            guard case .held(let standing) = answer else {
                return .admitted(try await store(identity, record, token))
            }
            if let outcome = try outcome(standing, identity) { return outcome }
            let rest = giveUpAt - .now
            guard rest > .zero else { throw .pending }
            // Given back or run out: it may be claimed once more.
            guard let later = try await wait(for: identity, rest) else { continue }
            if let outcome = try outcome(later, identity) { return outcome }
            throw .pending
        }
    }

    /// What a claim that stands says of this delivery; nil while it is pending.
    private func outcome(
        _ standing: ClaimStanding, _ identity: EventIdentity
    ) throws(StoreFailure) -> AdmissionOutcome? {
        let own = identity.claimText
        switch standing {
        case .done(let first): return first == own ? .duplicate : .conflict
        case .pending(let first): return first == own ? nil : .conflict
        case .foreign:
            throw .refused(
                "the key of \(identity.id) in Redis is no claim of the gate; check redis.prefix")
        }
    }

    /// After an answer that was lost it is asked once more, with the same token.
    private func claim(
        _ identity: EventIdentity, _ token: ClaimToken
    ) async throws(StoreFailure) -> ClaimAnswer {
        do throws(RedisError) {
            return try await claims.claim(
                identity.id.rawValue, identity: identity.claimText, token: token)
        } catch {
            throw StoreFailure(error)
        }
    }

    private func wait(
        for identity: EventIdentity, _ patience: Duration
    ) async throws(StoreFailure) -> ClaimStanding? {
        do throws(RedisError) {
            return try await claims.waitUntilDone(identity.id.rawValue, within: patience)
        } catch {
            throw StoreFailure(error)
        }
    }

    private func store(
        _ identity: EventIdentity, _ record: Record, _ token: ClaimToken
    ) async throws(StoreFailure) -> SourcePlace {
        let place: SourcePlace
        switch await log.write(record) {
        case .written(let written): place = written
        case .notWritten(let failure):
            // Whether or not this succeeds, the claim ends: the retry need not wait for that.
            _ = try? await claims.giveBack(
                identity.id.rawValue, identity: identity.claimText, token: token)
            throw failure
        case .perhapsWritten(let failure): throw failure
        }
        do throws(RedisError) {
            try await claims.finish(identity.id.rawValue, identity: identity.claimText)
        } catch {
            throw StoreFailure(error)
        }
        return place
    }
}

extension StoreFailure {
    /// What an error of Redis means to somebody who only wants to store an event.
    init(_ error: RedisError) {
        switch error {
        case .notSent(.overloaded): self = .queueFull
        case .notSent(.shuttingDown): self = .stopping
        default: self = .outside("\(error)")
        }
    }

    init(_ error: KafkaError) {
        switch error {
        case .queueFull: self = .queueFull
        case .closed: self = .stopping
        case .messageTooLarge: self = .tooLarge("\(error)")
        default: self = .outside("\(error.seenByRole)")
        }
    }
}
