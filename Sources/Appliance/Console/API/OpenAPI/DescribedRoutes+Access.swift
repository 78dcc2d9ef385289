import Vocabulary

/// Accounts, and what open consoles read.
extension DescribedRoutes {
    static let live: [RouteDescription] = [
        .get(
            "/api/v1/figures", "figures", "The newest figures with those of the last hour.",
            .json(.named("LiveFigures"))),
        .get(
            "/api/v1/events", "events", "Server-sent events, for as long as somebody reads.",
            [
                .init(
                    name: "Last-Event-ID", schema: .text(),
                    meaning: "the last event that was read, to go on behind it", isHeader: true)
            ], .text([ServerSentEvent.contentType]), problems: [429]),
    ]

    static let access: [RouteDescription] = users + tokens + [
        .get(
            "/api/v1/sessions", "sessions", "Who is signed in.",
            .json(.object([("sessions", .list(.named("Session")))]))),
        .delete("/api/v1/sessions/:id", "endSession", "Signs somebody out."),
        .get(
            "/api/v1/audit", "audit", "Who changed what, newest first.", [limit(1_000), row],
            .json(
                .object([
                    ("audit", .list(.named("AuditEntry"))), ("next", .orNull(.word)),
                    ("broken_at", .orNull(.id)),
                ]))),
        .post(
            "/api/v1/password", "changeOwnPassword",
            "Sets the caller's own password; their sessions end.", body: .named("OwnPassword"),
            answers: [204: .none], problems: [429]),
    ]

    private static let users: [RouteDescription] = [
        .get(
            "/api/v1/users", "users", "Who may sign in.",
            .json(.object([("users", .list(.named("User")))]))),
        .post(
            "/api/v1/users", "addUser", "Adds somebody who may sign in.", body: .named("NewUser"),
            answers: [201: .json(.named("User"))]),
        .post(
            "/api/v1/users/:name", "changeUser",
            "Gives another role, shuts somebody out, or lets them in again.",
            body: .named("UserChange"), answers: [200: .json(.named("User"))]),
        .post(
            "/api/v1/users/:name/password", "setPassword",
            "Sets somebody's password; their sessions end.", body: .named("NewPassword"),
            answers: [204: .none]),
        .post(
            "/api/v1/users/:name/totp", "setCodes",
            "Asks for a code at sign-in from now on, or no longer.", body: .named("CodesChange"),
            answers: [200: .json(.named("Codes"))]),
        .delete("/api/v1/users/:name", "removeUser", "Removes somebody; their sessions end."),
    ]

    private static let tokens: [RouteDescription] = [
        .get(
            "/api/v1/tokens", "tokens", "Bearer tokens of programs, without what is shown.",
            .json(.object([("tokens", .list(.named("Token")))]))),
        .post(
            "/api/v1/tokens", "addToken", "Makes a token, and shows it this once.",
            body: .named("NewToken"), answers: [201: .json(.named("TokenShown"))]),
        .delete("/api/v1/tokens/:name", "removeToken", "Removes a token."),
    ]
}
