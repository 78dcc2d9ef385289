package import Appliance
import Vocabulary

/// Finds out who asks.
package protocol AdminAccess: Sendable {
    /// Where what callers change is noted; nil where there is no audit log.
    var log: AuditLog? { get }

    /// - Returns: nil for who shows nothing.
    /// - Throws: ``Problem`` for a credential that is not, or no longer, good; ``AccountsFailure``
    ///   where that cannot be read now.
    func caller(of request: PortRequest) async throws -> Caller?

    /// Whether what a request showed still means the same caller: what is written for as long as
    /// somebody reads it ends where that is not certain. It is no use of a session or a token, and
    /// so keeps neither alive.
    func standing(of caller: Caller, by request: PortRequest) async -> AccessStanding
}

/// How somebody stands who was let in before.
package enum AccessStanding: Hashable, Sendable {
    case good
    /// The session or token is over, or has another role.
    case over
    /// The accounts cannot be read now: why.
    case unknown(String)

    /// - Parameter ask: who the same request is from now.
    init(of caller: Caller, asking ask: () async throws -> Caller?) async {
        do {
            self = try await ask() == caller ? .good : .over
        } catch let failure as AccountsFailure {
            self = .unknown(failure.description)
        } catch {
            self = .over
        }
    }
}

extension AdminAccess {
    package var log: AuditLog? { nil }

    package func standing(of caller: Caller, by request: PortRequest) async -> AccessStanding {
        await AccessStanding(of: caller) { try await self.caller(of: request) }
    }
}
