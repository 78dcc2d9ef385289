package import Appliance
import Vocabulary

/// Finds out who asks.
package protocol AdminAccess: Sendable {
    /// - Returns: nil for who shows nothing.
    /// - Throws: ``Problem`` for a credential that is not, or no longer, good.
    func caller(of request: PortRequest) async throws -> Caller?
}

/// Everybody who reaches the port may do everything.
package struct OpenAccess: AdminAccess {
    package init() {}

    package func caller(of request: PortRequest) async throws -> Caller? {
        Caller(name: "everybody", role: .admin, credential: .folder)
    }
}
