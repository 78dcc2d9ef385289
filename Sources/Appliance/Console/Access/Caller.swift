/// What a person or a program may do: each may do all that those before it may.
package enum Role: String, CaseIterable, Comparable, Sendable {
    /// Sees everything but secrets, accounts and the audit log.
    case viewer
    /// Decides reviews, makes the refunds of declined payments, and verifies the ledger, too.
    case reviewer
    /// Changes everything that can be changed.
    case admin

    package static func < (left: Role, right: Role) -> Bool {
        left.rank < right.rank
    }

    private var rank: Int {
        switch self {
        case .viewer: 0
        case .reviewer: 1
        case .admin: 2
        }
    }
}

/// Who a request comes from, as the admin port found out before any route.
package struct Caller: Hashable, Sendable {
    /// How they showed who they are.
    package enum Credential: Hashable, Sendable {
        /// A browser's session; a change needs this token beside its cookie.
        case session(csrfToken: String)
        /// A program's bearer token, of this id.
        case token(id: String)
        /// The bearer token in the data folder: whoever may read that owns the folder.
        case folder
    }

    /// A user's or a token's name.
    package var name: String
    package var role: Role
    package var credential: Credential

    package init(name: String, role: Role, credential: Credential) {
        self.name = name
        self.role = role
        self.credential = credential
    }
}
