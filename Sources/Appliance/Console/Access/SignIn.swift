import AppendLog
import HTTPTypes
import Vocabulary

/// How somebody comes in: by password, or by the setup link.
extension AccessDesk {
    /// What somebody shows to sign in.
    struct Shown: Sendable {
        var name: String
        var password: String
        /// The one-time code; empty where none was typed.
        var code: String
        /// The session that the browser has so far.
        var former: String?
        var address: String?
    }

    /// Signs somebody in.
    ///
    /// What is wrong is not told apart: not the name, the password, the code, nor whether an
    /// account is switched off. All of it takes the time of one password.
    ///
    /// - Returns: the session's secret.
    /// - Throws: ``Problem``: 401, 429 with the seconds to wait, or 503.
    func signIn(_ shown: Shown) async throws -> String {
        let attempt = LoginThrottle.Attempt(
            account: shown.name, address: shown.address ?? "unknown")
        try await hold(back: attempt)
        let user = try await run { try $0.user(named: shown.name) }
        let isRight = try await work {
            try await passwords.matches(Password(shown.password), user?.password)
        }
        guard let user, isRight, user.disabled == nil,
            try await takesCode(shown.code, of: user)
        else { throw await refusal(of: shown) }
        try await forget(attempt)
        // A password is worked on for so long that it can be another by now.
        guard let secret = try await begin(for: user, insteadOf: shown.former) else {
            throw await refusal(of: shown)
        }
        await audit.note(who: user.name, "login", from: shown.address, user.role.rawValue)
        return secret
    }

    private func refusal(of shown: Shown) async -> Problem {
        // What is typed may be anything: also a name that the daemon writes itself.
        let isName = (try? AccountName.check(shown.name)) != nil
        await audit.note(
            who: isName ? shown.name : "unknown", "login refused", from: shown.address,
            "name, password or code is wrong"
                + (isName ? "" : ": \(ShownText.escaped(shown.name))"))
        return Problem(
            .unauthorized, "the name, the password or the code is wrong", code: "login_refused")
    }

    private func takesCode(_ code: String, of user: UserAccount) async throws -> Bool {
        guard let secret = user.codeSecret else { return true }
        // Authenticators show it in two halves.
        let typed = code.filter { $0 != " " }
        guard let step = OneTimeCode.step(of: typed, secret, atMilliseconds: now) else {
            return false
        }
        return try await change { try $0.takeCodeStep(step, of: user.id) }
    }

    /// Counts an attempt before it is looked at.
    func hold(back attempt: LoginThrottle.Attempt) async throws {
        let now = now
        let wait = try await change { try $0.throttle.begin(attempt, atMilliseconds: now) }
        guard let seconds = wait else { return }
        throw Problem(
            .tooManyRequests, "too many attempts; try again in \(seconds) s",
            code: "login_throttled", retryAfterSeconds: seconds)
    }

    /// The attempt was a good one.
    func forget(_ attempt: LoginThrottle.Attempt) async throws {
        let now = now
        try await change { try $0.throttle.succeeded(attempt, atMilliseconds: now) }
    }

    /// Passwords are worked on few at a time.
    func work<Value: Sendable>(
        _ body: () async throws -> Value
    ) async throws -> Value {
        do {
            return try await body()
        } catch is PasswordDesk.Busy {
            throw Problem(
                .serviceUnavailable, "too many sign in at once; try again in a moment",
                code: "login_busy", retryAfterSeconds: 2)
        }
    }

    /// Signs somebody out, wherever they are.
    ///
    /// - Returns: what is to be known where the session is over for this process alone, as the
    ///   store cannot be written; nil where it is over for good.
    func signOut(
        _ secret: String, _ caller: Caller?, from address: String?
    ) async throws -> String? {
        var failure: AccountsFailure?
        do {
            try await end(secret)
        } catch let error as AccountsFailure {
            failure = error
        }
        if let caller {
            await audit.note(caller, "logout", from: address, failure == nil ? "" : "not stored")
        }
        return failure.map {
            "You are signed out here, but that could not be stored: \($0). Until somebody has "
                + "signed in or out again, another instance, or a restart, would still know the "
                + "session."
        }
    }

    // MARK: The first start

    private static let setupRefused = Problem(
        .forbidden,
        "this link was used, or is of an earlier start; the log of the last start has the newest",
        code: "setup_refused")

    /// - Throws: ``Problem`` where a code does not let anybody in.
    func checkSetup(_ code: String, from address: String?) async throws {
        let (hash, now) = (AccessSecret.hash(code), now)
        guard try await !run({ try $0.knowsSetup(hash, at: now) }) else { return }
        let attempt = LoginThrottle.Attempt(account: nil, address: address ?? "unknown")
        try await hold(back: attempt)
        throw Self.setupRefused
    }

    /// Lets the guest in, once.
    ///
    /// - Returns: the session's secret.
    func letGuestIn(
        _ code: String, _ guest: SessionGuest, former: String?, from address: String?
    ) async throws -> String {
        try await checkSetup(code, from: address)
        // An account that was made meanwhile closes this way.
        let (hash, now) = (AccessSecret.hash(code), now)
        let isIn = try await change { store in
            try !store.hasUsers && store.useSetup(hash, at: now) { _ in }
        }
        guard isIn, let secret = try await begin(for: nil, insteadOf: former) else {
            throw Self.setupRefused
        }
        await audit.note(who: guest.name, "login", from: address, "by the setup link")
        return secret
    }

    /// Makes the first account, an admin's, and signs it in.
    ///
    /// - Returns: the session's secret.
    /// - Throws: ``Problem``; 400 where name or password cannot be, which leaves the link good.
    func makeFirst(
        _ code: String, name: String, password: String, former: String?, from address: String?
    ) async throws -> String {
        try await checkSetup(code, from: address)
        let user: UserAccount
        do {
            try AccountName.check(name)
            let new = try Password(new: password)
            let hash = try await work { try await passwords.hash(new) }
            let (shown, now) = (AccessSecret.hash(code), now)
            let made = try await change { store in
                try store.addFirst(name, password: hash, using: shown, at: now)
            }
            guard let made else { throw Self.setupRefused }
            user = made
        } catch let refusal as AccountRefusal {
            throw Problem(refusal)
        }
        await audit.note(who: name, "first account", from: address, "by the setup link")
        guard let secret = try await begin(for: user, insteadOf: former) else {
            throw Problem(AccountRefusal.changed(name))
        }
        return secret
    }
}

extension Problem {
    /// A refusal of the accounts, as the admin API says it.
    init(_ refusal: AccountRefusal) {
        switch refusal {
        case .nameUnusable, .nameReserved, .passwordTooShort, .passwordTooLong:
            self.init(.badRequest, refusal.description, code: "account_refused")
        case .nameTaken, .changed, .lastAdmin, .firstIsNoAdmin, .notFirst:
            self.init(.conflict, refusal.description, code: "account_conflict")
        case .unknown: self.init(.notFound, refusal.description, code: "account_unknown")
        }
    }
}
