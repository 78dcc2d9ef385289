import Bridges
import Dispatch
import Foundation
import Synchronization

/// What is kept of a password: `scrypt$17$8$1$SALT$KEY`, the cost (log N, r, p) and, in base64, 16
/// random bytes and the key that scrypt makes of the password and them.
struct PasswordHash: Hashable, Sendable {
    let cost: Scrypt.Cost
    let salt: [UInt8]
    let key: [UInt8]

    static let saltByteCount = 16

    /// N = 2^17, r = 8, p = 1: 128 MiB.
    static let usualCost: Scrypt.Cost = {
        guard let cost = Scrypt.Cost(logN: 17, r: 8, p: 1) else {
            preconditionFailure("scrypt's usual cost is too much")
        }
        return cost
    }()

    init(cost: Scrypt.Cost, salt: [UInt8], key: [UInt8]) {
        self.cost = cost
        self.salt = salt
        self.key = key
    }

    /// - Returns: nil for what no version of this program wrote.
    init?(_ text: String) {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 6, parts[0] == "scrypt", let logN = Int(parts[1]),
            let r = Int(parts[2]), let p = Int(parts[3]),
            let cost = Scrypt.Cost(logN: logN, r: r, p: p),
            let salt = Data(base64Encoded: String(parts[4])), !salt.isEmpty,
            let key = Data(base64Encoded: String(parts[5])), key.count == Scrypt.keyByteCount
        else { return nil }
        self.init(cost: cost, salt: [UInt8](salt), key: [UInt8](key))
    }

    var text: String {
        let words = [Data(salt).base64EncodedString(), Data(key).base64EncodedString()]
        return "scrypt$\(cost.logN)$\(cost.r)$\(cost.p)$" + words.joined(separator: "$")
    }
}

/// Works passwords out, off the cooperative pool, and few at once: each takes 128 MiB.
package final class PasswordDesk: Sendable {
    /// Too many wait already.
    package struct Busy: Error {}

    private struct State {
        var running = 0
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())
    private let cost: Scrypt.Cost
    private let queue = DispatchQueue(label: "tillbox.console.passwords", attributes: .concurrent)
    /// Worked on for somebody who has no account, so that the answer takes as long as to anybody.
    private let nobody: PasswordHash

    package convenience init() { self.init(cost: PasswordHash.usualCost) }

    /// - Parameter cost: of new hashes.
    init(cost: Scrypt.Cost) {
        self.cost = cost
        nobody = PasswordHash(
            cost: cost, salt: randomBytes(count: PasswordHash.saltByteCount),
            key: randomBytes(count: Scrypt.keyByteCount))
    }

    /// What is to be kept of a password.
    ///
    /// - Throws: ``Busy`` where too many wait, or there is no memory.
    package func hash(_ password: Password) async throws(Busy) -> String {
        let salt = randomBytes(count: PasswordHash.saltByteCount)
        let key = try await key(password, salt, cost)
        return PasswordHash(cost: cost, salt: salt, key: key).text
    }

    /// Whether a password is the one that was kept.
    ///
    /// - Parameters:
    ///   - password: nil for what cannot be anybody's.
    ///   - kept: nil for who has no account: that is worked on as long.
    /// - Throws: ``Busy`` where too many wait, or there is no memory.
    package func matches(_ password: Password?, _ kept: String?) async throws(Busy) -> Bool {
        let known = kept.flatMap { PasswordHash($0) }
        let hash = known ?? nobody
        let shown = password ?? .empty
        let key = try await key(shown, hash.salt, hash.cost)
        let isEqual = equalInConstantTime(key, hash.key)
        return isEqual && known != nil && password != nil
    }

    private func key(
        _ password: Password, _ salt: [UInt8], _ cost: Scrypt.Cost
    ) async throws(Busy) -> [UInt8] {
        try await enter()
        let key: [UInt8]? = await withCheckedContinuation { continuation in
            queue.async {
                continuation.resume(
                    returning: Scrypt.key(password: password.bytes, salt: salt, cost: cost))
            }
        }
        leave()
        guard let key else { throw Busy() }
        return key
    }

    private func enter() async throws(Busy) {
        let isFull = state.withLock {
            $0.running >= AccessLimits.passwordsAtOnce
                && $0.waiting.count >= AccessLimits.passwordsWaitingMax
        }
        guard !isFull else { throw Busy() }
        await withCheckedContinuation { continuation in
            let goesOn = state.withLock { state in
                guard state.running >= AccessLimits.passwordsAtOnce else {
                    state.running += 1
                    return true
                }
                state.waiting.append(continuation)
                return false
            }
            if goesOn { continuation.resume() }
        }
    }

    /// The next one takes over the place of who leaves.
    private func leave() {
        let next: CheckedContinuation<Void, Never>? = state.withLock { state in
            guard !state.waiting.isEmpty else {
                state.running -= 1
                return nil
            }
            return state.waiting.removeFirst()
        }
        next?.resume()
    }
}
