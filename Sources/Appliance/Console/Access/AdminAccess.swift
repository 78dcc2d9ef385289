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
    /// somebody reads it ends where it does not. It is no use of a session or a token, and so
    /// keeps neither alive; where the accounts cannot be read, it does not hold.
    func isStill(_ caller: Caller, by request: PortRequest) async -> Bool
}

extension AdminAccess {
    package var log: AuditLog? { nil }

    package func isStill(_ caller: Caller, by request: PortRequest) async -> Bool {
        (try? await self.caller(of: request)) == caller
    }
}
