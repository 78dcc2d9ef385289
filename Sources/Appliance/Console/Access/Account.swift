/// A person who may sign in.
package struct UserAccount: Hashable, Sendable {
    package var id: Int64
    package var name: String
    package var role: Role
    /// As ``PasswordHash`` writes it.
    var password: String
    /// The secret of one-time codes; nil where none are asked for.
    var codeSecret: [UInt8]?
    /// Milliseconds since 1970, as every time here.
    package var created: Int64
    /// When it was switched off; nil while it may sign in.
    package var disabled: Int64?

    /// Whether one-time codes are asked for beside the password.
    package var hasCodes: Bool { codeSecret != nil }
}

/// What a program shows instead of a password.
package struct TokenAccount: Hashable, Sendable {
    /// 16 hex digits, which are no part of the token.
    package var id: String
    package var name: String
    package var role: Role
    package var created: Int64
    /// nil for never.
    package var expires: Int64?
    /// To within ``AccessLimits/noteMilliseconds``; nil before the first use.
    package var lastUsed: Int64?
}

/// A browser that somebody signed in with.
package struct SessionAccount: Hashable, Sendable {
    /// The first 16 hex digits of the hash that is stored of its secret.
    package var id: String
    package var name: String
    package var role: Role
    package var created: Int64
    /// To within ``AccessLimits/noteMilliseconds``.
    package var lastSeen: Int64
}

/// Why an account was not made or changed.
package enum AccountRefusal: Error, Hashable, CustomStringConvertible {
    case nameUnusable
    /// The daemon writes it itself; see ``ReservedNames``.
    case nameReserved(String)
    case nameTaken(String)
    case unknown(String)
    /// Somebody else has changed how it comes in since it was read.
    case changed(String)
    case passwordTooShort
    case passwordTooLong
    case lastAdmin
    /// Nobody has an account, and the first must be able to make the others.
    case firstIsNoAdmin
    /// Somebody has an account already, so that the first cannot be made any more.
    case notFirst

    package var description: String {
        switch self {
        case .nameUnusable:
            "a name has 1 to 64 letters, digits, dots, - _ and @, and begins with a letter or digit"
        case .nameReserved(let name):
            "\(name) is a name that Tillbox writes itself, so nobody can have it; take another"
        case .nameTaken(let name): "there is \(name) already"
        case .unknown(let name): "there is no \(name)"
        case .changed(let name): "\(name) was changed meanwhile; try again"
        case .passwordTooShort:
            "a password has at least \(AccessLimits.passwordCharactersMin) characters"
        case .passwordTooLong:
            "a password has at most \(AccessLimits.passwordByteCountMax) bytes"
        case .lastAdmin: "nobody else has the role admin; give it to somebody first"
        case .firstIsNoAdmin: "the first account must have the role admin"
        case .notFirst: "there is an account already; sign in with it"
        }
    }
}

/// The accounts could not be read or written.
package struct AccountsFailure: Error, CustomStringConvertible {
    package let description: String
}

/// Bounds of who may come in.
package enum AccessLimits {
    package static let passwordCharactersMin = 15
    package static let passwordByteCountMax = 1024
    /// A session that nobody used for so long is over.
    package static let idleMilliseconds: Int64 = 30 * 60_000
    /// A session is over then, however much it is used.
    package static let sessionMilliseconds: Int64 = 12 * 3_600_000
    /// How old what is noted of a session's or token's last use may be.
    package static let noteMilliseconds: Int64 = 30_000
    /// Seconds between two looks at whether who reads a stream may still come in.
    package static let streamLookSeconds: Int64 = 5
    /// Streams of one user, in all their sessions together, or of one token.
    package static let streamsPerCallerMax = 8
    /// Sessions of one user; a further one ends the oldest.
    package static let sessionsPerUserMax = 20
    /// Passwords that are worked on at once; each takes 128 MiB.
    package static let passwordsAtOnce = 2
    /// Those that wait for it; further ones are told to come back.
    package static let passwordsWaitingMax = 16
    /// Bytes of the largest form, or JSON, that signs somebody in or changes an account.
    static let bodyByteCountMax = 8_192
    /// Characters of one field of the audit log.
    static let auditCharactersMax = 2_000
}
