import HTTPTypes
import Hummingbird
import NIOHTTP1
import Vocabulary

/// One's own account: `/settings`. Whoever has a session and not the password can change nothing
/// here but end sessions.
extension SettingsPages {
    /// What the page shows.
    struct Account {
        struct Session {
            var id: String
            var since, seen: ShownMoment
            var isThis: Bool
        }

        var name, role, way: String
        var hasAccount, hasCodes: Bool
        /// Whether who looks came in by the setup link.
        var isGuest = false
        var sessions: [Session] = []
        var hasOthers = false
    }

    /// A new secret, until somebody shows a code of it.
    struct Codes {
        var secret, address: String
    }

    func addAccount(to routes: inout AdminRoutes) {
        pages.page(&routes, .get, "/settings", .viewer) { asked in
            try await account(
                asked, Told(done: asked.query("done").flatMap { Self.accountDone[$0] }))
        }
        pages.page(&routes, .get, "/settings/codes", .viewer) { asked in
            _ = try await desk.account(of: asked.context.caller)
            return codes(asked, OneTimeCode.secret())
        }
        pages.page(&routes, .post, "/settings/password", .viewer, isSecret: true) {
            try await setPassword($0)
        }
        pages.page(&routes, .post, "/settings/codes", .viewer, isSecret: true) {
            try await setCodes($0)
        }
        pages.page(&routes, .post, "/settings/codes/off", .viewer, isSecret: true) { asked in
            try await attempt({ try await account(asked, $0) }) {
                try await desk.dropOwnCodes(
                    knowing: try asked.field("current"), asked.context.caller,
                    from: asked.context.address)
                return ConsolePages.sent(to: "/settings?done=codes_off")
            }
        }
        pages.page(&routes, .post, "/settings/sessions", .viewer) { try await endSessions($0) }
    }

    private static let accountDone = [
        "codes": "From now on you are asked for a code, too.",
        "codes_off": "You are asked for a code no more.",
        "session": "The session has ended; what it had open ends within seconds.",
    ]

    private func account(_ asked: PageRequest, _ told: Told) async throws -> Response {
        let caller = asked.context.caller
        var shown = Account(
            name: ShownText.escaped(caller?.name ?? ""), role: asked.role.rawValue,
            way: "", hasAccount: false, hasCodes: false)
        switch caller?.credential {
        case .session:
            let name = caller?.name ?? ""
            let user = try await desk.run { try $0.user(named: name) }
            shown.hasAccount = user != nil
            shown.hasCodes = user?.hasCodes ?? false
            shown.isGuest = user == nil
            shown.way =
                user == nil
                ? "You came in by the setup link, without an account. Make one under Users: it "
                    + "must have the role admin, and this way in is closed with it."
                : ""
            if user != nil { try await addSessions(of: name, to: &shown, asked) }
        case .token: shown.way = "You came in with a token, which has no password."
        case .folder, nil: shown.way = "You came in with the token of the data folder."
        }
        return respond("settings", .account, asked, shown, told)
    }

    private func addSessions(
        of name: String, to shown: inout Account, _ asked: PageRequest
    ) async throws {
        let (now, own) = (desk.now, Self.sessionHash(asked).map { AccessSecret.id(of: $0) })
        let sessions = try await desk.run { try $0.sessions(guest: nil, at: now) }
        shown.sessions = sessions.filter { $0.name == name }.map {
            Account.Session(
                id: $0.id, since: ShownMoment(milliseconds: $0.created),
                seen: ShownMoment(milliseconds: $0.lastSeen), isThis: $0.id == own)
        }
        shown.hasOthers = shown.sessions.contains { !$0.isThis }
    }

    /// What is stored of the session that asks; nil where none does.
    private static func sessionHash(_ asked: PageRequest) -> [UInt8]? {
        let fields = HTTPHeaders(asked.request.headers.map { ($0.name.rawName, $0.value) })
        return AccessDesk.cookie(of: fields).map { AccessSecret.hash($0) }
    }

    private func setPassword(_ asked: PageRequest) async throws -> Response {
        try await attempt({ try await account(asked, $0) }) {
            let new = try asked.field("password")
            guard new == (try asked.field("again")) else {
                throw Problem(.badRequest, "the new password was typed in two ways")
            }
            try await desk.setOwnPassword(
                new, knowing: try asked.field("current"), asked.context.caller,
                from: asked.context.address)
            // This session has ended with it.
            return ConsolePages.sent(to: "/login")
        }
    }

    // MARK: Codes

    private func codes(
        _ asked: PageRequest, _ secret: [UInt8], _ told: Told = Told()
    ) -> Response {
        let name = asked.context.caller?.name ?? ""
        return respond(
            "settingsCodes", .account, asked,
            Codes(
                secret: OneTimeCode.text(of: secret),
                address: OneTimeCode.address(of: secret, user: name)), told)
    }

    private func setCodes(_ asked: PageRequest) async throws -> Response {
        guard let secret = OneTimeCode.secret(of: try asked.field("secret")) else {
            throw Problem(.badRequest, "the form must bring its own secret back")
        }
        return try await attempt({ codes(asked, secret, $0) }) {
            try await desk.setOwnCodes(
                secret, showing: try asked.field("code"), knowing: try asked.field("current"),
                asked.context.caller, from: asked.context.address)
            return ConsolePages.sent(to: "/settings?done=codes")
        }
    }

    // MARK: Sessions

    private func endSessions(_ asked: PageRequest) async throws -> Response {
        try await attempt({ try await account(asked, $0) }) {
            let id = try asked.field("id")
            if id == "others" {
                let name = try await desk.account(of: asked.context.caller).name
                let kept = Self.sessionHash(asked)
                _ = try await desk.change { try $0.endSessions(of: name, butOf: kept) }
            } else {
                try await desk.endOwnSession(id, asked.context.caller)
            }
            return ConsolePages.sent(to: "/settings?done=session")
        }
    }
}
