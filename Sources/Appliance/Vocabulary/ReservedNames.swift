import Foundation

/// Names that the daemon writes itself, where else a person's or a program's stands.
///
/// Nobody may be called so: what a machine did would pass for a person's act, and a person's for a
/// machine's. Case makes no difference, nor do letters that are another form of the same (`ſ`).
package enum ReservedNames {
    /// Whoever looks after the payments: the scoring that opens a review, and releases it again.
    package static let scoring = "scoring"
    /// The clock by which a review that nobody decides is declined.
    package static let expiry = "expiry"
    /// The process, as the audit log has it.
    package static let daemon = "daemon"
    /// Who shows the data folder's token.
    package static let folder = "local"
    /// Who shows the token of `admin.token_file`.
    package static let adminToken = "admin.token"
    /// Who came in by the setup link without an account, in the profile dev.
    package static let guest = "dev"

    /// What decides, and is nobody.
    private static let machines: Set = [scoring, expiry, daemon]
    /// All of them.
    package static let all = machines.union([folder, adminToken, guest])

    /// Whether no person decides under this name.
    package static func isMachine(_ name: String) -> Bool { machines.contains(folded(name)) }

    /// Whether no account, and no token, may have this name.
    package static func isReserved(_ name: String) -> Bool { all.contains(folded(name)) }

    private static func folded(_ name: String) -> String {
        name.precomposedStringWithCompatibilityMapping.lowercased()
    }

    /// For a sentence.
    package static let machineWords = machines.sorted().joined(separator: ", ")
}
