import AppendLog
import ArgumentParser
import Bridges
import Console
import Daemon
import Foundation
import Terminal
import Vocabulary

/// The accounts of a data folder that a daemon has made, or those of the cloud plane, for the
/// commands on them: they work whether or not it runs, and it sees each change at the next request.
struct AccountsDoor {
    let store: any AccountStore

    init(_ data: DataOptions) async throws {
        let settings = try await data.settings(needsSecrets: false)
        guard settings.profile != .cloud else {
            store = try await orCannotRun {
                try settings.requirePostgres(for: "accounts of the profile cloud")
                return try settings.quietPlane().accounts()
            }
            return
        }
        // In no other program's folder is anything made.
        _ = try FolderView(path: settings.dataPath).logPath()
        try FolderOwner.become(of: settings.dataPath)
        let folder = DataFolder(existingAt: settings.dataPath)
        do {
            try FileManager.default.createDirectory(
                atPath: folder.console, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
        } catch {
            throw CommandFailure.cannotRun(
                "cannot make \(folder.console): \(ErrorWords.reason(of: error))")
        }
        store = FolderAccounts(at: folder.accounts)
        if let trouble = store.trouble { throw CommandFailure.cannotRun(trouble) }
    }

    static var now: Int64 { SystemLogClock().now().milliseconds }

    /// What `body` does, in words that a command ends with.
    func run<Value>(_ body: (any AccountStore) throws -> Value) throws(CommandFailure) -> Value {
        do {
            return try body(store)
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            throw .cannotRun(error)
        }
    }

    /// Notes what this command did.
    func note(_ what: String, _ detail: String) throws(CommandFailure) {
        try run { try Self.note(what, detail, in: $0) }
    }

    /// Notes what a command of this user did.
    ///
    /// - Parameter detail: what a person should know of it; never a secret.
    static func note(_ what: String, _ detail: String, in store: any AccountStore) throws {
        try store.note(
            who: "\(FolderOwner.caller) (command line)", what: what, place: "command line",
            detail: detail, at: now)
    }

    /// The hash of a new password that somebody types, or pipes in.
    static func newPassword() async throws -> String {
        let text = try PasswordPrompt.new()
        do {
            return try await PasswordDesk().hash(try Password(new: text))
        } catch let refusal as AccountRefusal {
            throw CommandFailure(
                exitCode: CommandFailure.wrongUsage, message: refusal.description)
        } catch is PasswordDesk.Busy {
            throw CommandFailure.cannotRun("there is not enough memory for scrypt (128 MiB)")
        }
    }

    /// A moment as lists show it; `never` for none.
    static func moment(_ milliseconds: Int64?) -> String {
        guard let milliseconds else { return "never" }
        return Instant(seconds: milliseconds / 1_000).rfc3339
    }
}

/// A password from a person without showing it, or the first line of standard input. Never from an
/// argument, which every user of a machine can see.
enum PasswordPrompt {
    static func new() throws(CommandFailure) -> String {
        guard isatty(STDIN_FILENO) == 1 else {
            guard let line = readLine(strippingNewline: true) else {
                throw .cannotRun("there is no password on standard input")
            }
            return line
        }
        let first = try TypedLine.hidden("Password: ", what: "password")
        guard try TypedLine.hidden("Once more: ", what: "password") == first else {
            throw CommandFailure(
                exitCode: CommandFailure.wrongUsage, message: "the two are not the same")
        }
        return first
    }
}

extension Console.Role: ExpressibleByArgument {}
