package import Appliance
import Vocabulary

/// Finds out who asks.
package protocol AdminAccess: Sendable {
    /// Where what callers change is noted; nil where there is no audit log.
    var log: AuditLog? { get }

    /// - Returns: nil for who shows nothing.
    /// - Throws: ``Problem`` for a credential that is not, or no longer, good.
    func caller(of request: PortRequest) async throws -> Caller?
}

extension AdminAccess {
    package var log: AuditLog? { nil }
}
