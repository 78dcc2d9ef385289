import AppendLog
import Synchronization

@testable import Appliance
@testable import Vocabulary

/// Claims in a map that several gates share, apart from the topic that the records go to: between
/// the two a process may die.
final class MemoryClaims: Sendable {
    enum Claim: Hashable, Sendable {
        case pending(token: Int, EventIdentity)
        case done(EventIdentity)
    }

    private struct State {
        var claims: [EventID: Claim] = [:]
        var nextToken = 0
    }

    private let state = Mutex(State())

    /// - Returns: the token of the new claim, or the claim that stands.
    func take(_ identity: EventIdentity) -> (token: Int?, standing: Claim?) {
        state.withLock { state in
            if let claim = state.claims[identity.id] { return (nil, claim) }
            state.nextToken += 1
            state.claims[identity.id] = .pending(token: state.nextToken, identity)
            return (state.nextToken, nil)
        }
    }

    /// The record is durable, whoever claimed it.
    func done(_ identity: EventIdentity) {
        state.withLock { $0.claims[identity.id] = .done(identity) }
    }

    func standing(_ id: EventID) -> Claim? { state.withLock { $0.claims[id] } }

    /// Claims that nobody has said anything of for too long, or whose time is up under its owner.
    func expire() {
        state.withLock { state in
            state.claims = state.claims.filter { _, claim in
                if case .done = claim { true } else { false }
            }
        }
    }
}

/// One gate's admission: claim, append, done; a pending claim is waited for, then given up on.
struct MemoryAdmission: AdmissionStore {
    let claims: MemoryClaims
    let broker: MemoryBroker
    let schedule: Schedule
    let task: Int
    /// Told when this process died inside an admission: nobody is answered then.
    let died: @Sendable () -> Void

    private static let looksMax = 2

    func admit(
        _ identity: EventIdentity, record: Record,
        completion: @escaping @Sendable (Result<AdmissionOutcome, StoreFailure>) -> Void
    ) {
        // The caller waits for the answer, so that one of the two runs at any time.
        Task {
            do {
                completion(try await admitted(identity, record))
            } catch {
                died()
                completion(.failure(.broken("the gate died")))
            }
        }
    }

    private func admitted(
        _ identity: EventIdentity, _ record: Record
    ) async throws -> Result<AdmissionOutcome, StoreFailure> {
        try await schedule.pass(task, "gate: claim")
        let (token, standing) = claims.take(identity)
        guard token == nil else { return try await append(identity, record) }
        var claim = standing
        for _ in 0..<Self.looksMax {
            switch claim {
            case .done(let first): return .success(first == identity ? .duplicate : .conflict)
            case .pending(_, let first) where first != identity: return .success(.conflict)
            case .pending: break
            case nil: return .failure(.pending)
            }
            try await schedule.pass(task, "gate: meets a claim")
            claim = claims.standing(identity.id)
        }
        if case .done(let first) = claim {
            return .success(first == identity ? .duplicate : .conflict)
        }
        return .failure(.pending)
    }

    private func append(
        _ identity: EventIdentity, _ record: Record
    ) async throws -> Result<AdmissionOutcome, StoreFailure> {
        try await schedule.pass(task, "gate: claimed")
        let place = broker.append(record, to: .webhookReceived)
        try await schedule.pass(task, "gate: appended")
        claims.done(identity)
        return .success(.admitted(place))
    }
}

/// `dead.letter` of the memory broker.
struct MemoryLetters: LetterStore {
    let broker: MemoryBroker

    func keep(
        _ letters: [Record],
        completion: @escaping @Sendable (Result<Void, StoreFailure>) -> Void
    ) {
        for letter in letters { _ = broker.append(letter, to: .deadLetter) }
        completion(.success(()))
    }
}
