import ArgumentParser
import Console
import Terminal
import Vocabulary

/// `tillbox audit …`: who did what.
struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit", abstract: "Read the audit log, and follow its chain of hashes.",
        discussion: "Exit codes: 0 done, 1 the log was changed, 2 wrong usage, 3 cannot run.",
        subcommands: [List.self, Verify.self])

    /// `audit list`
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the newest entries, the newest first.")
        @OptionGroup var data: DataOptions
        @Option(help: "So many at most.") var count = 100
        @Flag(help: "Answer with one JSON document.") var json = false

        func validate() throws {
            guard (1...100_000).contains(count) else {
                throw ValidationError("--count is from 1 to 100000")
            }
        }

        mutating func run() async throws {
            let entries = try await AccountsDoor(data).run {
                try $0.auditEntries(before: nil, limit: count)
            }
            let rows = entries.map { entry in
                [
                    "seq": .number(entry.seq), "at": .text(AccountsDoor.moment(entry.at)),
                    "who": .text(entry.who), "what": .text(entry.what),
                    "from": .text(entry.place), "detail": .text(entry.detail),
                ] as [String: Table.Cell]
            }
            try Table(columns: ["seq", "at", "who", "what", "from", "detail"], rows: rows)
                .print(asJSON: json, named: "audit")
        }
    }

    /// `audit verify`
    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check that nothing in the audit log was changed or taken away.")
        @OptionGroup var data: DataOptions

        mutating func run() async throws {
            let door = try await AccountsDoor(data)
            let count: Int
            do {
                count = try door.store.verifyAudit()
            } catch let fault as AuditBreak {
                throw CommandFailure.foundSomething(fault.description)
            }
            try Output.standard.line(
                "the audit log is sound: \(Counted.words(count, "entry", "entries"))")
        }
    }
}
