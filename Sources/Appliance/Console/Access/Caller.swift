import HTTPTypes
import Vocabulary

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

    /// Under whose name what is asked for is done: the caller's own. Only the command line, which
    /// shows the data folder's token and has no account, says who sits at it.
    ///
    /// - Parameter said: the `by` of the request's body; nil where it has none.
    /// - Returns: nil where the body must say it and does not.
    /// - Throws: 400 for a `by` that is not the caller's to say, or that is nobody's
    ///   (``PersonName``).
    func name(saying said: String?) throws(Problem) -> String? {
        guard credential != .folder else { return try said.map(Self.name(said:)) }
        guard said == nil else {
            throw Problem(
                .badRequest,
                "by is not yours to say: this is done under your own name, \(name); leave by out",
                code: "name_refused")
        }
        return name
    }

    fileprivate static func name(said: String) throws(Problem) -> String {
        do throws(PersonName.Refusal) {
            return try PersonName.said(said)
        } catch {
            throw Problem(.badRequest, error.description, code: "name_refused")
        }
    }
}

extension AdminContext {
    /// See ``Caller/name(saying:)``.
    func name(saying said: String?) throws(Problem) -> String? {
        guard let caller else { return try said.map(Caller.name(said:)) }
        return try caller.name(saying: said)
    }
}
