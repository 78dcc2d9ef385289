import Foundation
import Vocabulary

/// Names and passwords as they may be.
package enum AccountName {
    /// Whether it can be anybody's. One that cannot is not looked for: SQLite would find what
    /// stands before a NUL, and `ann\0` would be Ann, whom the throttle knows by another name.
    static func isUsable(_ name: String) -> Bool {
        name.wholeMatch(of: /[A-Za-z0-9][A-Za-z0-9._@-]{0,63}/) != nil
    }

    /// Whether somebody new may have it.
    ///
    /// - Throws: ``AccountRefusal/nameUnusable`` or ``AccountRefusal/nameReserved(_:)``.
    package static func check(_ name: String) throws(AccountRefusal) {
        guard isUsable(name) else { throw .nameUnusable }
        guard !ReservedNames.isReserved(name) else { throw .nameReserved(name) }
    }
}

/// A password's bytes, in the one form that all keyboards agree on.
package struct Password: Sendable {
    package let bytes: [UInt8]

    /// Nobody's.
    static let empty = Password(bytes: [])

    private init(bytes: [UInt8]) { self.bytes = bytes }

    /// - Throws: ``AccountRefusal/passwordTooShort`` or ``AccountRefusal/passwordTooLong``.
    package init(new text: String) throws(AccountRefusal) {
        guard text.count >= AccessLimits.passwordCharactersMin else { throw .passwordTooShort }
        guard let password = Password(text) else { throw .passwordTooLong }
        self = password
    }

    /// One that somebody shows.
    ///
    /// - Returns: nil for what is too long to be anybody's.
    package init?(_ text: String) {
        let bytes = Array(text.precomposedStringWithCanonicalMapping.utf8)
        guard bytes.count <= AccessLimits.passwordByteCountMax else { return nil }
        self.bytes = bytes
    }
}
