import ArgumentParser
import Bridges
import Console
import Terminal

/// `tillbox user …`: who may sign in to the console.
struct UserCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "user", abstract: "Make, list and remove who may sign in to the console.",
        discussion: """
            Works on the data folder itself, or in the profile cloud on the accounts in Postgres, \
            whether or not a daemon runs. A password is typed, or the first line of standard \
            input; never an argument. Exit codes: 0 done, 2 wrong usage, 3 cannot run.
            """,
        subcommands: [
            Add.self, List.self, Remove.self, PasswordOf.self, Codes.self, Disable.self,
            Enable.self,
        ])

    /// `user add`
    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a user; the password has 15 characters or more.")
        @OptionGroup var data: DataOptions
        @Argument(help: "The name to sign in with.") var name: String
        @Option(help: "viewer, reviewer or admin: each may all that those before it may.")
        var role: Console.Role

        mutating func run() async throws {
            let door = try await AccountsDoor(data)
            try door.run { store in
                try AccountName.check(name)
                if try store.user(named: name) != nil { throw AccountRefusal.nameTaken(name) }
            }
            let hash = try await AccountsDoor.newPassword()
            try door.run {
                try $0.addUser(name, role: role, password: hash, at: AccountsDoor.now)
            }
            try door.note("user add", "\(name) \(role.rawValue)")
            try Output.standard.line("\(name) may sign in as \(role.rawValue)")
        }
    }

    /// `user list`
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List who may sign in.")
        @OptionGroup var data: DataOptions
        @Flag(help: "Answer with one JSON document.") var json = false

        mutating func run() async throws {
            let users = try await AccountsDoor(data).run { try $0.users() }
            let rows = users.map { user in
                [
                    "name": .text(user.name), "role": .text(user.role.rawValue),
                    "codes": .flag(user.hasCodes), "disabled": .flag(user.disabled != nil),
                    "created": .text(AccountsDoor.moment(user.created)),
                ] as [String: Table.Cell]
            }
            try Table(columns: ["name", "role", "codes", "disabled", "created"], rows: rows)
                .print(asJSON: json, named: "users")
        }
    }

    /// `user remove`
    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove a user, and end their sessions.",
            discussion: "Without any user the next start prints a setup link again.")
        @OptionGroup var data: DataOptions
        @Argument var name: String

        mutating func run() async throws {
            let door = try await AccountsDoor(data)
            try door.run { try $0.removeUser(name, keepsAdmin: false) }
            try door.note("user remove", name)
            try Output.standard.line("\(name) is removed")
        }
    }

    /// `user password`
    struct PasswordOf: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "password",
            abstract: "Set another password; all sessions end, and codes are asked for no more.")
        @OptionGroup var data: DataOptions
        @Argument var name: String

        mutating func run() async throws {
            let door = try await AccountsDoor(data)
            try door.run { store in
                if try store.user(named: name) == nil { throw AccountRefusal.unknown(name) }
            }
            let hash = try await AccountsDoor.newPassword()
            try door.run { try $0.setPassword(hash, of: name, dropsCodes: true) }
            try door.note("user password", name)
            try Output.standard.line("\(name) has another password")
        }
    }

    /// `user totp`
    struct Codes: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "totp",
            abstract: "Ask a user for one-time codes too, by a new secret that is shown once.")
        @OptionGroup var data: DataOptions
        @Argument var name: String
        @Flag(help: "Ask for none any more.") var off = false

        mutating func run() async throws {
            let door = try await AccountsDoor(data)
            let secret = off ? nil : OneTimeCode.secret()
            try door.run { try $0.setCodeSecret(secret, of: name) }
            try door.note("user totp", "\(name) \(off ? "off" : "on")")
            guard let secret else {
                return try Output.standard.line("\(name) is asked for no codes")
            }
            try Output.standard.line(
                "secret \(OneTimeCode.text(of: secret))\n"
                    + OneTimeCode.address(of: secret, user: name))
        }
    }

    /// `user disable`
    struct Disable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Keep a user out, and end their sessions.")
        @OptionGroup var data: DataOptions
        @Argument var name: String

        mutating func run() async throws {
            let door = try await AccountsDoor(data)
            try door.run {
                try $0.setDisabled(AccountsDoor.now, of: name, keepsAdmin: false)
            }
            try door.note("user disable", name)
            try Output.standard.line("\(name) may not sign in")
        }
    }

    /// `user enable`
    struct Enable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Let a user in again.")
        @OptionGroup var data: DataOptions
        @Argument var name: String

        mutating func run() async throws {
            let door = try await AccountsDoor(data)
            try door.run { try $0.setDisabled(nil, of: name, keepsAdmin: false) }
            try door.note("user enable", name)
            try Output.standard.line("\(name) may sign in")
        }
    }
}
