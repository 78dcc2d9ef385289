package import AppendLog
package import Appliance
import Bridges
import HTTPTypes
package import Logging
import NIOHTTP1
import Vocabulary

/// Finds out who asks the admin port, and lets people in and out.
///
/// | shown | who it is |
/// | --- | --- |
/// | nothing, or a session that is over | nobody |
/// | `Authorization: Bearer` with the folder's token | whoever may read the data folder: an admin |
/// | the same with a token of `tillbox token add` | that program |
/// | the same with `admin.token`, in the cloud plane | a program: a reviewer |
/// | the cookie of a session | who signed in |
///
/// A change that comes by a session needs its CSRF token too, and an `Origin` that is this port's:
/// a browser sends the cookie along by itself, and both of these only for a page of ours.
package struct AccessDesk: AdminAccess {
    let store: any AccountStore
    /// Where changes, logins and the daemon's own acts are noted.
    package let audit: AuditLog
    let passwords: PasswordDesk
    let setup: SetupLink
    /// Who comes in by the setup link without an account; nil where they make one.
    let guest: SessionGuest?
    /// A program that comes in by a token which is no account: the command line of this machine by
    /// the folder's, or whoever has that of the settings.
    private let known: (hash: [UInt8], caller: Caller)?
    /// The data folder, so that a command learns that it speaks to the wrong daemon.
    private let dataPath: String
    private let clock: any LogClock
    /// Each request that shows something asks the store; it waits for no change.
    private let reads = BlockingQueue("tillbox.console.access")
    private let changes = BlockingQueue("tillbox.console.accounts")
    private let ended = EndedSessions()

    /// Over the accounts of a data folder.
    ///
    /// - Parameters:
    ///   - folderToken: what the command line of this machine shows.
    ///   - dataPath: the data folder's one absolute path.
    ///   - letsGuestsIn: whether the setup link opens the console without an account: in the
    ///     profile dev.
    package init(
        store: any AccountStore, folderToken: String, dataPath: String, letsGuestsIn: Bool,
        clock: any LogClock, logger: Logger
    ) {
        self.init(
            store: store, folderToken: folderToken, dataPath: dataPath, letsGuestsIn: letsGuestsIn,
            clock: clock, passwords: PasswordDesk(), logger: logger)
    }

    /// Over accounts that several instances share, each of which keeps nothing. Blocking.
    ///
    /// - Parameters:
    ///   - token: of the settings, by which a program comes in as reviewer; nil for none.
    ///   - dataPath: as commands name the place that they mean.
    package init(
        sharing store: any AccountStore, token: String?, dataPath: String, clock: any LogClock,
        logger: Logger
    ) {
        self.init(
            store: store,
            known: token.map { ($0, TokenAccess.caller(.reviewer)) }, dataPath: dataPath,
            letsGuestsIn: false, clock: clock, passwords: PasswordDesk(), logger: logger)
    }

    init(
        store: any AccountStore, folderToken: String, dataPath: String = "", letsGuestsIn: Bool,
        clock: any LogClock, passwords: PasswordDesk, logger: Logger
    ) {
        let owner = Caller(name: ReservedNames.folder, role: .admin, credential: .folder)
        self.init(
            store: store, known: (folderToken, owner),
            dataPath: dataPath, letsGuestsIn: letsGuestsIn, clock: clock, passwords: passwords,
            logger: logger)
    }

    private init(
        store: any AccountStore, known: (token: String, caller: Caller)?, dataPath: String,
        letsGuestsIn: Bool, clock: any LogClock, passwords: PasswordDesk, logger: Logger
    ) {
        self.store = store
        self.passwords = passwords
        self.clock = clock
        self.dataPath = dataPath
        audit = AuditLog(store: store, clock: clock, logger: logger)
        self.known = known.map { (AccessSecret.hash($0.token), $0.caller) }
        guest = letsGuestsIn ? SessionGuest() : nil
        setup = SetupLink(store, at: clock.now().milliseconds)
        if !letsGuestsIn { try? store.endGuestSessions() }
    }

    /// The path of the setup link; nil where somebody had an account at the start, or where another
    /// instance has made the link.
    package var setupPath: String? { setup.code.map { "/setup?code=\($0)" } }

    /// Notes how the daemon is set up, where that has changed. Blocks.
    package func noteConfiguration(_ summary: String) {
        guard store.trouble == nil else { return }
        audit.noteConfiguration(summary)
    }

    /// Lets go of the accounts.
    package func close() { store.close() }

    /// What an operator should look at: accounts that cannot be used.
    package var warning: String? {
        store.trouble.map {
            "nobody can sign in: \($0); \(store.remedy)"
        }
    }

    package var log: AuditLog? { audit }

    var now: Int64 { clock.now().milliseconds }

    /// What only reads the store, or notes something in it.
    func run<Value: Sendable>(
        _ body: @escaping @Sendable (any AccountStore) throws -> Value
    ) async throws -> Value {
        try await reads.run { [store] in try body(store) }
    }

    /// What changes the store, and may wait for who else does.
    func change<Value: Sendable>(
        _ body: @escaping @Sendable (any AccountStore) throws -> Value
    ) async throws -> Value {
        try await changes.run { [store] in try body(store) }
    }

    // MARK: Who asks

    package func caller(of request: PortRequest) async throws -> Caller? {
        try await caller(of: request, isUse: true)
    }

    package func standing(of caller: Caller, by request: PortRequest) async -> AccessStanding {
        await AccessStanding(of: caller) { try await self.caller(of: request, isUse: false) }
    }

    /// - Parameter isUse: whether it is noted that the session or token was used.
    private func caller(of request: PortRequest, isUse: Bool) async throws -> Caller? {
        if let shown = request.headers.first(name: "Authorization") {
            return try await program(showing: shown, request.headers, isUse: isUse)
        }
        guard let secret = Self.cookie(of: request.headers) else {
            try DataFolderCheck.checkStranger(request.headers, dataPath: dataPath)
            return nil
        }
        let (hash, now) = (AccessSecret.hash(secret), now)
        guard !ended.has(hash) else { return nil }
        let session = try await run { [guest] in
            try $0.session(hash, guest: guest, at: now, isUse: isUse)
        }
        guard let session else { return nil }
        let token = Self.csrfToken(of: secret)
        if request.method != .GET, request.method != .HEAD, !Self.isOwnDoor(request) {
            try Self.checkIsOurs(request, csrfToken: token)
        }
        return Caller(
            name: session.name, role: session.role, credential: .session(csrfToken: token))
    }

    private func program(
        showing shown: String, _ headers: HTTPHeaders, isUse: Bool
    ) async throws -> Caller {
        let unknown = Problem(
            .unauthorized, "this token is unknown or has expired; see `tillbox token list`",
            code: "token_refused")
        guard let token = BearerToken.of(shown) else { throw unknown }
        if let known, equalInConstantTime(AccessSecret.hash(token), known.hash) {
            return known.caller
        }
        let now = now
        guard let account = try await run({ try $0.token(token, at: now, isUse: isUse) })
        else {
            try DataFolderCheck.checkStranger(headers, dataPath: dataPath)
            throw unknown
        }
        return Caller(
            name: account.name, role: account.role, credential: .token(id: account.id))
    }

    /// Where people come in, whoever they were before: these ask nobody who they are, and look at
    /// the Origin themselves.
    private static func isOwnDoor(_ request: PortRequest) -> Bool {
        ["/login", "/setup"].contains(request.target.prefix { $0 != "?" })
    }

    private static func checkIsOurs(_ request: PortRequest, csrfToken: String) throws(Problem) {
        try checkOrigin(request.headers)
        let form = PostedForm(
            type: request.headers.first(name: "Content-Type"), body: request.body)
        let shown = request.headers.first(name: "X-CSRF-Token") ?? form?["csrf"] ?? ""
        guard equalInConstantTime(Array(shown.utf8), Array(csrfToken.utf8)) else {
            throw Problem(
                .forbidden, "this page is of another session; load it again", code: "csrf_refused")
        }
    }

    /// A browser says where a change comes from; that it is this port's own is known already
    /// (``AdminGuard``) where it says so.
    static func checkOrigin(_ headers: HTTPHeaders) throws(Problem) {
        guard headers.first(name: "Origin") != nil else {
            throw Problem(
                .forbidden, "a change that comes with a session must say its Origin",
                code: "origin_missing")
        }
    }

    // MARK: Sessions

    static let cookieName = "__Host-tillbox"

    /// The secret of a session; nil where none is shown.
    static func cookie(of headers: HTTPHeaders) -> String? {
        for pair in headers["Cookie"].joined(separator: ";").split(separator: ";") {
            let parts = pair.drop { $0 == " " }.split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2, parts[0] == cookieName { return String(parts[1]) }
        }
        return nil
    }

    /// What a page of the session sends beside the cookie: it follows from the session's secret,
    /// which no page can read, and is kept nowhere.
    static func csrfToken(of secret: String) -> String {
        let code = HMACSHA256(key: Array(secret.utf8)).code(for: Array("csrf".utf8)[...])
        return String(hex: code)
    }

    /// Begins a session, and ends the one that the browser had.
    ///
    /// - Parameters:
    ///   - user: as it was when it was let in; nil for the guest.
    ///   - former: the secret that the browser shows so far.
    /// - Returns: the new secret; nil where the user was changed meanwhile, and has no session.
    func begin(for user: UserAccount?, insteadOf former: String?) async throws -> String? {
        let (secret, now) = (AccessSecret.make(), now)
        let isBegun = try await change { [ended] store in
            try ended.store(in: store)
            if let former { try store.endSession(AccessSecret.hash(former)) }
            return try store.beginSession(AccessSecret.hash(secret), of: user, at: now)
        }
        return isBegun ? secret : nil
    }

    /// Ends a session; for this process also where it cannot be stored.
    ///
    /// - Throws: ``AccountsFailure`` where that is so.
    func end(_ secret: String) async throws {
        ended.add(AccessSecret.hash(secret), at: now)
        try await change { [ended] in try ended.store(in: $0) }
    }
}

/// The header field by which a program shows its token.
enum BearerToken {
    /// - Returns: nil for another scheme.
    static func of(_ field: String) -> String? {
        let parts = field.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
        return parts[1].trimmingSuffix { $0 == " " }
    }
}

extension Substring {
    fileprivate func trimmingSuffix(_ isBlank: (Character) -> Bool) -> String {
        var text = self
        while let last = text.last, isBlank(last) { text.removeLast() }
        return String(text)
    }
}

/// Whoever shows one token, which the settings name or the process has made; there are no accounts.
package struct TokenAccess: AdminAccess {
    private let hash: [UInt8]?
    private let role: Role

    /// - Parameter token: nil lets nobody in.
    package init(_ token: String?, role: Role) {
        hash = token.map { AccessSecret.hash($0) }
        self.role = role
    }

    package func caller(of request: PortRequest) async throws -> Caller? {
        guard let shown = request.headers.first(name: "Authorization") else { return nil }
        guard let token = BearerToken.of(shown), let hash,
            equalInConstantTime(AccessSecret.hash(token), hash)
        else {
            throw Problem(
                .unauthorized, "this token is not the one of admin.token_file",
                code: "token_refused")
        }
        return Self.caller(role)
    }

    /// Who shows the token of the settings.
    static func caller(_ role: Role) -> Caller {
        let name = ReservedNames.adminToken
        return Caller(name: name, role: role, credential: .token(id: name))
    }
}
