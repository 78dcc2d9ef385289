import HTTPTypes
import Hummingbird
import Vocabulary

/// Who may sign in, `/settings/users`, and what programs show, `/settings/tokens`.
extension SettingsPages {
    struct Users {
        struct Row {
            var name, href, role, codes: String
            var state: ShownState
            var since: ShownMoment
            var sessions: String
        }

        var rows: [Row]
        var isEmpty: Bool
        var count: String
        var roles: [SettingsOption]
        /// What was typed, where it was not taken.
        var typed: String
    }

    struct User {
        var name, path: String
        var state: ShownState
        var since: ShownMoment
        var sessions: String
        var isDisabled, hasCodes, isOwn: Bool
        var roles: [SettingsOption]
    }

    func addUsers(to routes: inout AdminRoutes) {
        pages.page(&routes, .get, "/settings/users", .admin) { asked in
            let done = asked.query("removed").map { "\(ShownText.escaped($0)) is removed." }
            return try await users(asked, Told(done: done))
        }
        pages.page(&routes, .post, "/settings/users", .admin, isSecret: true) {
            try await addUser($0)
        }
        pages.page(&routes, .get, "/settings/users/:name", .admin) { asked in
            try await user(
                asked, Told(done: asked.query("done").flatMap { Self.userDone[$0] }))
        }
        pages.page(&routes, .post, "/settings/users/:name", .admin) { try await change($0) }
        pages.page(&routes, .post, "/settings/users/:name/password", .admin, isSecret: true) {
            asked in
            try await attempt({ try await user(asked, $0) }) {
                let name = asked.context.word("name")
                try await desk.setPassword(
                    try asked.field("password"), of: name, dropsCodes: true)
                return Self.sent(to: name, "password")
            }
        }
    }

    // MARK: All of them

    private func users(_ asked: PageRequest, _ told: Told) async throws -> Response {
        let now = desk.now
        let (found, sessions) = try await desk.run {
            (try $0.users(), try $0.sessions(guest: nil, at: now))
        }
        let counts = Dictionary(grouping: sessions, by: \.name).mapValues(\.count)
        let view = Users(
            rows: found.map { user in
                Users.Row(
                    name: ShownText.escaped(user.name), href: Self.path(of: user.name),
                    role: user.role.rawValue, codes: user.hasCodes ? "asked for" : "no",
                    state: Self.state(of: user), since: ShownMoment(milliseconds: user.created),
                    sessions: ShownAmount.grouped(Int64(counts[user.name] ?? 0)))
            }, isEmpty: found.isEmpty, count: ShownNumber.count(Int64(found.count), "user"),
            roles: SettingsOption.roles(chosen: found.isEmpty ? .admin : .viewer),
            typed: ShownText.escaped(asked.form?["name"] ?? ""))
        return respond("settingsUsers", .users, asked, view, told)
    }

    private func addUser(_ asked: PageRequest) async throws -> Response {
        try await attempt({ try await users(asked, $0) }) {
            let (name, role) = (try asked.field("name"), try asked.formRole())
            asked.context.remark("\(name) \(role.rawValue)")
            try await desk.addUser(name, role, password: try asked.field("password"))
            return Self.sent(to: name, "added")
        }
    }

    private static func state(of user: UserAccount) -> ShownState {
        user.disabled == nil ? ShownState("May sign in") : ShownState("Switched off", dot: "o")
    }

    private static func path(of name: String) -> String {
        "/settings/users/\(PathText.escaped(name))"
    }

    private static func sent(to name: String, _ done: String) -> Response {
        ConsolePages.sent(to: "\(path(of: name))?done=\(done)")
    }

    // MARK: One of them

    private static let userDone = [
        "added": "The account is made; tell its password in person.",
        "role": "The role is changed, and holds from the next request on.",
        "disable": "They are switched off, and their sessions have ended.",
        "enable": "They may sign in again.",
        "end": "Their sessions have ended; what those had open ends within seconds.",
        "codes_off": "They are asked for a code no more.",
        "password": "The password is set, their sessions have ended, and no code is asked for.",
    ]

    private func user(_ asked: PageRequest, _ told: Told) async throws -> Response {
        let (name, now) = (asked.context.word("name"), desk.now)
        guard let user = try await desk.run({ try $0.user(named: name) }) else {
            throw Problem(
                .notFound, "there is no user \(ShownText.escaped(String(name.prefix(80))))")
        }
        let sessions = try await desk.run { try $0.sessions(guest: nil, at: now) }
            .count { $0.name == user.name }
        let view = User(
            name: ShownText.escaped(user.name), path: Self.path(of: user.name),
            state: Self.state(of: user), since: ShownMoment(milliseconds: user.created),
            sessions: ShownNumber.count(Int64(sessions), "session"),
            isDisabled: user.disabled != nil, hasCodes: user.hasCodes,
            isOwn: user.name == asked.context.caller?.name,
            roles: SettingsOption.roles(chosen: user.role))
        return respond("settingsUser", .users, asked, view, told)
    }

    private func change(_ asked: PageRequest) async throws -> Response {
        try await attempt({ try await user(asked, $0) }) {
            let (name, act, now) = (asked.context.word("name"), try asked.field("act"), desk.now)
            switch act {
            case "role":
                let role = try asked.formRole()
                try await desk.change { try $0.setRole(role, of: name, keepsAdmin: true) }
            case "disable", "enable":
                let moment = act == "disable" ? now : nil
                try await desk.change { try $0.setDisabled(moment, of: name, keepsAdmin: true) }
            case "end": _ = try await desk.change { try $0.endSessions(of: name) }
            case "codes_off": try await desk.change { try $0.setCodeSecret(nil, of: name) }
            case "remove":
                guard asked.form?["sure"] != nil else {
                    throw Problem(.badRequest, "say that you are sure")
                }
                try await desk.change { try $0.removeUser(name, keepsAdmin: true) }
                return ConsolePages.sent(
                    to: "/settings/users?removed=\(PathText.escaped(name))")
            default: throw Problem(.badRequest, "this form asks for nothing that there is")
            }
            return Self.sent(to: name, act)
        }
    }
}

/// Tokens.
extension SettingsPages {
    struct Tokens {
        struct Row {
            var name, path, role, expires, used: String
            var since: ShownMoment
        }

        /// A new one, shown this once.
        struct Made {
            var label, shown: String
        }

        var rows: [Row]
        var isEmpty: Bool
        var count: String
        var roles, terms: [SettingsOption]
        var typed: String
        var made: Made?
    }

    private static let terms: [(value: String, words: String, days: Int64?)] = [
        ("30", "30 days", 30), ("90", "90 days", 90), ("365", "365 days", 365),
        ("never", "until it is removed", nil),
    ]

    func addTokens(to routes: inout AdminRoutes) {
        pages.page(&routes, .get, "/settings/tokens", .admin) { asked in
            let done = asked.query("removed").map { "\(ShownText.escaped($0)) opens nothing now." }
            return try await tokens(asked, Told(done: done))
        }
        pages.page(&routes, .post, "/settings/tokens", .admin) { asked in
            try await attempt({ try await tokens(asked, $0) }) { try await addToken(asked) }
        }
        pages.page(&routes, .post, "/settings/tokens/:name", .admin) { asked in
            try await attempt({ try await tokens(asked, $0) }) {
                let name = asked.context.word("name")
                try await desk.change { try $0.removeToken(name) }
                return ConsolePages.sent(
                    to: "/settings/tokens?removed=\(PathText.escaped(name))")
            }
        }
    }

    private func addToken(_ asked: PageRequest) async throws -> Response {
        let (name, role, now) = (try asked.field("name"), try asked.formRole(), desk.now)
        let word = try asked.field("expires")
        guard let term = Self.terms.first(where: { $0.value == word }) else {
            throw Problem(.badRequest, "say how long it holds")
        }
        let expires = term.days.map { now + $0 * 86_400_000 }
        let token = try await desk.change {
            try $0.addToken(name, role: role, expires: expires, at: now)
        }
        return try await tokens(
            asked, Told(), Tokens.Made(label: ShownText.escaped(name), shown: token))
    }

    private func tokens(
        _ asked: PageRequest, _ told: Told, _ made: Tokens.Made? = nil
    ) async throws -> Response {
        let now = desk.now
        let found = try await desk.run { try $0.tokens() }
        let view = Tokens(
            rows: found.map { token in
                Tokens.Row(
                    name: ShownText.escaped(token.name),
                    path: "/settings/tokens/\(PathText.escaped(token.name))",
                    role: token.role.rawValue, expires: Self.expiry(of: token, now),
                    used: token.lastUsed.map { ShownMoment(milliseconds: $0).words } ?? "never",
                    since: ShownMoment(milliseconds: token.created))
            }, isEmpty: found.isEmpty, count: ShownNumber.count(Int64(found.count), "token"),
            roles: SettingsOption.roles(chosen: .viewer),
            terms: Self.terms.map {
                SettingsOption(value: $0.value, label: $0.words, isChosen: $0.days == 90)
            }, typed: made == nil ? ShownText.escaped(asked.form?["name"] ?? "") : "", made: made)
        return respond("settingsTokens", .tokens, asked, view, told)
    }

    private static func expiry(of token: TokenAccount, _ now: Int64) -> String {
        guard let expires = token.expires else { return "never" }
        let moment = ShownMoment(milliseconds: expires).words
        return expires > now ? moment : "expired on \(moment)"
    }
}
