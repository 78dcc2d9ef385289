import ArgumentParser
import Console
import Terminal

/// `tillbox token …`: what programs show the admin API.
struct TokenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Make, list and remove what programs show the admin API.",
        discussion: """
            Works on the data folder itself, or in the profile cloud on the accounts in Postgres, \
            whether or not a daemon runs. A token goes into `Authorization: Bearer TOKEN`. \
            Exit codes: 0 done, 2 wrong usage, 3 cannot run.
            """,
        subcommands: [Add.self, List.self, Remove.self])

    /// `token add`
    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a token, and show it this once.")
        @OptionGroup var data: DataOptions
        @Argument(help: "What it is for.") var name: String
        @Option(help: "viewer, reviewer or admin: each may all that those before it may.")
        var role: Console.Role
        @Option(help: "How long it is good: 12h, 90d. Default: for ever.") var expires: String?

        func validate() throws {
            guard let expires, Self.milliseconds(expires) == nil else { return }
            throw ValidationError("--expires is a number of hours or days: 12h, 90d")
        }

        /// - Returns: nil for what is no duration from an hour to a hundred years.
        static func milliseconds(_ text: String) -> Int64? {
            guard let unit = text.last, let hours = ["h": 1, "d": 24][unit] as Int64?,
                let count = Int64(text.dropLast()), (1...876_000).contains(count),
                count * hours <= 876_000
            else { return nil }
            return count * hours * 3_600_000
        }

        mutating func run() async throws {
            let door = try await AccountsDoor(data)
            let now = AccountsDoor.now
            let end = expires.flatMap { Self.milliseconds($0) }.map { now + $0 }
            let token = try door.run {
                try $0.addToken(name, role: role, expires: end, at: now)
            }
            try door.note(
                "token add", "\(name) \(role.rawValue), until \(AccountsDoor.moment(end))")
            try Output.standard.line(token)
        }
    }

    /// `token list`
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the tokens, without what is shown.")
        @OptionGroup var data: DataOptions
        @Flag(help: "Answer with one JSON document.") var json = false

        mutating func run() async throws {
            let tokens = try await AccountsDoor(data).run { try $0.tokens() }
            let rows = tokens.map { token in
                [
                    "id": .text(token.id), "name": .text(token.name),
                    "role": .text(token.role.rawValue),
                    "created": .text(AccountsDoor.moment(token.created)),
                    "expires": .text(AccountsDoor.moment(token.expires)),
                    "last used": .text(AccountsDoor.moment(token.lastUsed)),
                ] as [String: Table.Cell]
            }
            try Table(
                columns: ["id", "name", "role", "created", "expires", "last used"], rows: rows
            ).print(asJSON: json, named: "tokens")
        }
    }

    /// `token remove`
    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove a token: it opens nothing any more.")
        @OptionGroup var data: DataOptions
        @Argument(help: "Its name or its id.") var name: String

        mutating func run() async throws {
            let door = try await AccountsDoor(data)
            try door.run { try $0.removeToken(name) }
            try door.note("token remove", name)
            try Output.standard.line("\(name) is removed")
        }
    }
}
