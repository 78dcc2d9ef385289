import ArgumentParser
import Backup
import Daemon
import Foundation
import Reconcile
import Terminal
import Vocabulary

/// `tillbox archive …`: closed months are sealed, and moved to files on another disk.
struct ArchiveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "archive",
        abstract: "Seal closed months, and move their segments to a cold folder.",
        discussion: """
            A seal holds what log and ledger were at a month's end, with hashes, and names the \
            seal before it. Segments of sealed months may go to another disk: explain, log, \
            replay and verify read them there. See docs/ARCHIVE.md. Exit codes: 0 done, 1 what \
            was looked at does not hold, 2 wrong usage, 3 cannot run.
            """,
        subcommands: [Seal.self, Move.self, List.self, Verify.self, Return.self])

    /// Where the months are, and whether a program reads the answer.
    struct Options: ParsableArguments {
        @OptionGroup var data: DataOptions
        @Flag(help: "Answer with one JSON document.") var json = false

        func settings() async throws -> Settings {
            let settings = try await data.folderSettings(
                insteadInCloud: "no data folder; its log is in Kafka, which keeps what is old")
            let view = FolderView(path: settings.dataPath)
            _ = (try view.logPath(), try view.ledgerPath())
            return settings
        }

        /// The settings, for who writes into the data folder: root goes on as its owner.
        func ownersSettings() async throws -> Settings {
            let settings = try await settings()
            try FolderOwner.become(of: settings.dataPath)
            return settings
        }

        func place() async throws -> ArchivePlace {
            DataFolder(existingAt: try await settings().dataPath).archivePlace
        }
    }

    /// `archive seal MONTH`
    struct Seal: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Seal a month that is over and agrees with Stripe's statement.",
            discussion: """
                Writes archive/MONTH.json in the data folder, also while the daemon runs: each \
                topic's offsets and SHA-256, the ledger's last transaction with its hash, every \
                balance, and the hash of the seal before. The first seal takes in all that came \
                before its month; each later one is of the month behind the last. Sealing again \
                changes nothing.
                """)
        @OptionGroup var options: Options
        @Argument(help: "The month, as 2026-10.") var month: String
        @Flag(help: "Seal it although it was not compared with Stripe, or differs; it says so.")
        var unreconciled = false

        func validate() throws {
            guard CalendarMonth(month) != nil else {
                throw ValidationError("the month must be written as 2026-10")
            }
        }

        mutating func run() async throws {
            guard let month = CalendarMonth(month) else { return }
            let settings = try await options.ownersSettings()
            let place = DataFolder(existingAt: settings.dataPath).archivePlace
            let isReconciled = try reconciled(month, FolderView(path: settings.dataPath), place)
            let bar = ProgressBar(label: "sealing")
            let sealed = try await orCannotRun {
                defer { bar.clear() }
                return try MonthSealing(of: place) { bar.show($0, of: $1, $2) }.run(
                    SealMonth(name: month.description, from: month.from, to: month.to),
                    isReconciled: isReconciled, now: Int64(Date().timeIntervalSince1970 * 1_000))
            }
            guard !options.json else { return try print(sealed) }
            let records = sealed.seal.reaches.reduce(Int64(0)) { $0 + $1.end - $1.start }
            try Output.standard.line(
                """
                \(sealed.isNew ? "sealed" : "sealed already:") \(month): \
                \(Figures.counted(records, "record")), transactions up to \
                \(Figures.grouped(Int(sealed.seal.transactions))), \
                \(Counted.words(sealed.seal.holdings.count, "balance"))\
                \(sealed.seal.isReconciled ? "" : "; not reconciled with Stripe")
                its SHA-256, to be kept elsewhere: \(sealed.digest)
                """)
        }

        /// Whether the month agrees with Stripe's statement; one that is sealed is what it was.
        private func reconciled(
            _ month: CalendarMonth, _ view: FolderView, _ place: ArchivePlace
        ) throws -> Bool {
            let isKnown = try place.months().contains(month.description)
            guard !isKnown, month.to <= Instant(seconds: Int64(Date().timeIntervalSince1970))
            else { return false }
            let report: MonthReport
            do {
                report = try StatementStore(of: try view.ledger()).monthReport(month)
            } catch {
                throw CommandFailure.cannotRun(error)
            }
            if report.isRight || unreconciled { return report.isRight }
            throw CommandFailure.foundSomething(
                report.isCompared
                    ? "\(month) differs from Stripe's statement, and was not sealed; see "
                        + "`tillbox report month \(month)`, or seal it with --unreconciled"
                    : "\(month) was not compared with Stripe to its end, and not sealed; run "
                        + "`tillbox reconcile run`, or seal it with --unreconciled")
        }

        private func print(
            _ sealed: (seal: MonthSeal, digest: String, isNew: Bool)
        ) throws(CommandFailure) {
            var writer = JSONWriter()
            writer.beginObject()
            writer.member("month", sealed.seal.month.name)
            writer.member("new", sealed.isNew)
            writer.member("reconciled", sealed.seal.isReconciled)
            writer.member("transactions", sealed.seal.transactions)
            writer.member("ledger_hash", sealed.seal.ledgerHash)
            writer.member("sha256", sealed.digest)
            writer.endObject()
            try Output.standard.line(String(decoding: writer.bytes, as: UTF8.self))
        }
    }

    /// `archive verify`
    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Compare every seal with log and ledger, and every cold file with its hash.",
            discussion: "Reads everything that was sealed, in the cold folders too.")
        @OptionGroup var options: Options

        mutating func run() async throws {
            let place = try await options.place()
            let bar = ProgressBar(label: "verifying")
            let report = try await orCannotRun {
                defer { bar.clear() }
                return try ArchiveVerification(of: place) { bar.show($0, of: $0, $1) }.run()
            }
            let rows = report.lines.map { line -> [String: Table.Cell] in
                [
                    "name": .text(line.name), "part": .text(line.part),
                    "holds": .flag(line.fault == nil),
                    "fault": line.fault.map { .text($0) } ?? .none,
                ]
            }
            let columns = ["name", "part", "holds"] + (options.json ? ["fault"] : [])
            try Table(columns: columns, rows: rows).print(asJSON: options.json, named: "archive")
            guard report.faults.isEmpty else {
                throw CommandFailure.foundSomething(
                    Self.words(report.faults.map { "\($0.name), \($0.part): \($0.fault ?? "")" }))
            }
        }

        /// As many as a screen has room for: a folder that is away is a fault of each of its files.
        private static let faultsShownMax = 10

        /// A line a fault.
        static func words(_ faults: [String]) -> String {
            let more = faults.count - faultsShownMax
            return (faults.prefix(faultsShownMax)
                + (more > 0 ? ["and \(more) more; --json has each"] : []))
                .joined(separator: "\n")
        }
    }
}
