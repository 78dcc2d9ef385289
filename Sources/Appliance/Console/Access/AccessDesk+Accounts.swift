import HTTPTypes
import Vocabulary

/// What people and programs change of accounts, by the console's pages and by the API alike.
///
/// What cannot be is an ``AccountRefusal``, or a ``Problem`` where it is about the caller.
extension AccessDesk {
    /// Makes a user; the first one is an admin.
    func addUser(_ name: String, _ role: Role, password: String) async throws {
        try AccountName.check(name)
        let new = try Password(new: password)
        let hash = try await work { try await passwords.hash(new) }
        let now = now
        try await change {
            try $0.addUser(name, role: role, password: hash, at: now, keepsAdmin: true)
        }
    }

    /// Sets somebody's password; their sessions end.
    ///
    /// - Parameter user: as it was when somebody showed its password; nil for who may in any case.
    func setPassword(
        _ password: String, of name: String, dropsCodes: Bool, knowing user: UserAccount? = nil
    ) async throws {
        let new = try Password(new: password)
        let hash = try await work { try await passwords.hash(new) }
        try await change {
            try $0.setPassword(hash, of: name, dropsCodes: dropsCodes, knowing: user)
        }
    }

    /// Sets the caller's own password; their sessions end.
    func setOwnPassword(
        _ password: String, knowing current: String, _ caller: Caller?, from address: String?
    ) async throws {
        let user = try await account(of: caller)
        try await check(current, of: user, from: address)
        try await setPassword(password, of: user.name, dropsCodes: false, knowing: user)
    }

    /// Asks the caller for one-time codes from now on.
    ///
    /// - Parameters:
    ///   - secret: that the caller's authenticator has.
    ///   - code: one that it makes of it: nobody is asked for codes that they cannot make.
    func setOwnCodes(
        _ secret: [UInt8], showing code: String, knowing current: String, _ caller: Caller?,
        from address: String?
    ) async throws {
        let user = try await account(of: caller)
        try await check(current, of: user, from: address)
        let typed = code.filter { $0 != " " }
        guard let step = OneTimeCode.step(of: typed, secret, atMilliseconds: now) else {
            throw Problem(
                .badRequest,
                "this is not the code of this secret now; look whether the clock is right",
                code: "code_refused")
        }
        try await change {
            try $0.setCodeSecret(secret, of: user.name, taken: step, knowing: user)
        }
    }

    /// Asks the caller for one-time codes no more.
    func dropOwnCodes(
        knowing current: String, _ caller: Caller?, from address: String?
    ) async throws {
        let user = try await account(of: caller)
        try await check(current, of: user, from: address)
        try await change { try $0.setCodeSecret(nil, of: user.name, knowing: user) }
    }

    /// Ends one of the caller's own sessions.
    func endOwnSession(_ id: String, _ caller: Caller?) async throws {
        let user = try await account(of: caller)
        let now = now
        let isOwn = try await run { try $0.sessions(guest: nil, at: now) }
            .contains { $0.id == id && $0.name == user.name }
        guard isOwn, try await change({ try $0.endSession(id: id) }) else {
            throw Problem(.notFound, "you have no session \(id.prefix(40))")
        }
    }

    /// The account of somebody who is signed in with it.
    func account(of caller: Caller?) async throws -> UserAccount {
        guard let caller, case .session = caller.credential,
            let user = try await run({ try $0.user(named: caller.name) })
        else { throw Problem(.conflict, "only somebody with an account has a password") }
        return user
    }

    /// Who knows the password may change how they come in; a session alone does not do.
    private func check(
        _ current: String, of user: UserAccount, from address: String?
    ) async throws {
        let attempt = LoginThrottle.Attempt(account: user.name, address: address ?? "unknown")
        try await hold(back: attempt)
        guard
            try await work({ try await passwords.matches(Password(current), user.password) })
        else { throw Problem(.forbidden, "the current password is another", code: "login_refused") }
        try await forget(attempt)
    }
}
