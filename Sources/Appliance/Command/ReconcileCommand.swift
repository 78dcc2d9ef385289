import Appliance
import ArgumentParser
import Daemon
import Foundation
import Logging
import NIOHTTP1
import Reconcile
import Terminal
import Vocabulary

/// `tillbox reconcile …`: Stripe's statement against the ledger, and Stripe's events against the
/// log.
struct ReconcileCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reconcile",
        abstract: "Prove the ledger against Stripe's statement, and fetch what never arrived.",
        discussion: """
            run and sweep ask the running daemon; list and show read the data folder. In the \
            profile cloud run and sweep do it themselves, one at a time, and what they find is \
            kept in Postgres, where list and show read it. Exit codes: 0 clean, 1 breaks were \
            found, 2 wrong usage, 3 cannot run.
            """,
        subcommands: [Run.self, List.self, Show.self, Sweep.self])

    /// How the daemon is reached.
    struct DaemonOptions: ParsableArguments {
        @OptionGroup var data: DataOptions

        @Flag(help: "Answer with one JSON document.")
        var json = false

        /// Hands `body` the way to the daemon; in the profile cloud there is none, and this process
        /// reconciles.
        func connected(
            _ body: (AdminConnection) async throws -> Void
        ) async throws {
            let settings = try await data.settings(needsSecrets: false)
            guard settings.profile == .cloud else {
                return try await body(AdminConnection(settings))
            }
            let own = try await data.settings(needsSecrets: false, needsStripe: true)
            LineLogHandler.bootstrap(level: own.logLevel, format: own.logFormat ?? .json) {
                PastedCommand.completed($0)
            }
            try await orCannotRun {
                try own.requirePostgres(for: "reconciliation in the profile cloud")
                try await CloudPlane(
                    own, counters: Counters(), logger: Logger(label: "tillbox")
                ).reconciling(body)
            }
        }
    }

    /// Milliseconds between two looks at a run that is under way.
    fileprivate static let pollMilliseconds = 100
    /// Findings that a person is shown; programs read all of them.
    fileprivate static let shownCount = 50

    /// `reconcile run`
    struct Run: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Compare a period, book what Stripe charged, and say what does not agree.")
        @OptionGroup var options: DaemonOptions
        @Option(
            help: """
                Begin here: RFC 3339, a UTC date, or Unix seconds. Default: where the last run \
                allows.
                """, transform: Moment.parse)
        var from: Moment?
        @Option(
            help: "End before this; a date is included as a whole. Default: now.",
            transform: Moment.parse)
        var to: Moment?
        @Flag(name: .customLong("dry-run"), help: "Show what would be booked, and change nothing.")
        var dryRun = false

        func validate() throws {
            guard let from, let to, from.start >= to.end else { return }
            throw ValidationError("--from lies before --to")
        }

        mutating func run() async throws {
            let this = self
            try await options.connected { try await this.run(by: $0) }
        }

        private func run(by connection: AdminConnection) async throws {
            let path = "/api/v1/reconciliations"
            let id = try await connection.send(.POST, path, body: request()) { root in
                guard let id = root["id"]?.string else { throw connection.strange(path) }
                return id
            }
            let outcome = try await ReconcileCommand.follow(id, connection)
            let page = "\(path)/\(id)?limit=\(options.json ? 1000 : ReconcileCommand.shownCount)"
            if options.json {
                try Output.standard.line(try await connection.text(page))
            } else {
                let text = try await connection.send(.GET, page) { ReconcileText.of($0) }
                try Output.standard.line(PastedCommand.completed(text))
            }
            if let failure = outcome.failure { throw CommandFailure.cannotRun(failure) }
            guard outcome.isClean else {
                throw CommandFailure.foundSomething(
                    outcome.isDry
                        ? "this is what a run would book or report; nothing was changed"
                        : "run \(id) is not clean; see: `tillbox reconcile show \(id)`")
            }
        }

        private func request() -> [UInt8] {
            var writer = JSONWriter()
            writer.beginObject()
            if let from { writer.member("from", from.start.seconds) }
            if let to {
                let now = Int64(Date().timeIntervalSince1970)
                // The API's end is exclusive, a day on the command line is meant as a whole.
                let end = to.end == to.start ? to.end.seconds : to.end.seconds + 1
                writer.member("to", min(end, now))
            }
            writer.member("dry_run", dryRun)
            writer.endObject()
            return writer.bytes
        }
    }

    /// How a run ended.
    fileprivate struct Outcome {
        var isClean: Bool
        var isDry: Bool
        var failure: String?
    }

    /// Waits for a run's end, with a bar on a terminal.
    fileprivate static func follow(
        _ id: String, _ connection: AdminConnection
    ) async throws -> Outcome {
        let bar = ProgressBar(label: "reconciling")
        defer { bar.clear() }
        var outcome: Outcome?
        while outcome == nil {
            outcome = try await connection.send(
                .GET, "/api/v1/reconciliations/\(id)?limit=1"
            ) { root in
                guard let run = root["reconciliation"], let state = run["state"]?.string else {
                    throw connection.strange("reconciliations")
                }
                let count = run["transactions"]?.int64 ?? 0
                bar.show(
                    Int64((run["progress"]?.double ?? 0) * 1000), of: 1000,
                    "\(state), \(Counted.words(count, "balance transaction"))")
                guard state == "finished" || state == "failed" else { return nil }
                return Outcome(
                    isClean: run["clean"]?.bool ?? false, isDry: run["dry_run"]?.bool ?? false,
                    failure: run["failure"]?.string)
            }
            if outcome == nil { try await Task.sleep(for: .milliseconds(pollMilliseconds)) }
        }
        guard let outcome else { preconditionFailure("the loop above ends with an outcome") }
        return outcome
    }

    /// `reconcile sweep`
    struct Sweep: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Fetch the events that Stripe has and that never arrived.",
            discussion: """
                Exit codes: 0 all that were missed are stored, 1 one of them cannot be stored \
                (each sweep tries again), 2 wrong usage, 3 cannot run.
                """)
        @OptionGroup var options: DaemonOptions

        mutating func run() async throws {
            let this = self
            try await options.connected { try await this.run(by: $0) }
        }

        private func run(by connection: AdminConnection) async throws {
            let id = try await connection.send(.POST, "/api/v1/sweeps") { root in
                guard let id = root["id"]?.int64 else { throw connection.strange("sweeps") }
                return id
            }
            let path = "/api/v1/sweeps/\(id)"
            var (isOver, hasFailed) = (false, false)
            var failure: String?
            while !isOver {
                try await Task.sleep(for: .milliseconds(ReconcileCommand.pollMilliseconds))
                (isOver, hasFailed, failure) = try await connection.send(.GET, path) { root in
                    let state = root["state"]?.string
                    return (state != "reading", state == "failed", root["failure"]?.string)
                }
            }
            if options.json {
                try Output.standard.line(try await connection.text(path))
            } else if !hasFailed {
                try await connection.send(.GET, path) { root in
                    try Output.standard.line(
                        "\(Counted.words(root["events"]?.int64 ?? 0, "event")) at Stripe until "
                            + ReconcileText.moment(Instant(seconds: root["to"]?.int64 ?? 0))
                            + ", \(root["missed"]?.int64 ?? 0) of them had never arrived")
                }
            }
            guard let failure else { return }
            throw hasFailed
                ? CommandFailure.cannotRun(failure) : CommandFailure.foundSomething(failure)
        }
    }
}

// MARK: - Reading the data folder

extension ReconcileCommand {
    /// Where the ledger is.
    struct StoreOptions: ParsableArguments {
        @OptionGroup var data: DataOptions

        /// Hands the store to `body`, also while the daemon runs.
        func withStore<Value>(_ body: (StatementStore) throws -> Value) async throws -> Value {
            let settings = try await data.settings(needsSecrets: false)
            guard settings.profile != .cloud else {
                return try await orCannotRun {
                    try settings.requirePostgres(for: "what reconciliation has found")
                    return try body(try settings.quietPlane().statement())
                }
            }
            let ledger = try await data.folder().ledger()
            do {
                return try body(StatementStore(of: ledger))
            } catch let error as LedgerError {
                throw CommandFailure.cannotRun(error.description)
            }
        }
    }

    /// `reconcile list`
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the runs, newest first.")
        @OptionGroup var options: StoreOptions
        @Option(help: "How many at most.") var limit = 20
        @Flag(help: "Answer with one JSON document.") var json = false

        func validate() throws {
            guard (1...10_000).contains(limit) else {
                throw ValidationError("--limit must be from 1 to 10000")
            }
        }

        mutating func run() async throws {
            let limit = limit
            let reports = try await options.withStore { store in
                try store.runs(before: nil, limit: limit).map { try store.report($0) }
            }
            if json {
                var writer = JSONWriter()
                writer.beginObject()
                writer.key("reconciliations")
                writer.beginArray()
                for report in reports {
                    let name = RunName(number: report.run.id, isDry: false)
                    report.encode(into: &writer, name: name, progress: nil)
                }
                writer.endArray()
                writer.endObject()
                try Output.standard.line(String(decoding: writer.bytes, as: UTF8.self))
                return
            }
            let columns = [
                "run", "state", "from", "to", "transactions", "share", "booked", "breaks", "late",
                "missed events until", "clean",
            ]
            try Output.standard.line(Table(columns: columns, rows: reports.map(Self.row)).text())
        }

        private static func row(_ report: RunReport) -> [String: Table.Cell] {
            let late = report.breaks.first { $0.kind == .late }?.count ?? 0
            let all = report.breaks.reduce(0) { $0 + $1.count }
            return [
                "run": .number(report.run.id), "state": .text(report.run.state.rawValue),
                "from": .text(ReconcileText.moment(report.run.from)),
                "to": .text(ReconcileText.moment(report.run.to)),
                "transactions": .number(report.run.transactions),
                "share": ReconcileText.percent(report.share),
                "missed events until": .text(
                    report.run.sweptTo.map(ReconcileText.moment) ?? "never"),
                "booked": .number(report.currencies.reduce(0) { $0 + $1.booked }),
                "breaks": .number(all - late), "late": .number(late),
                "clean": .text(!report.isClean ? "no" : late > 0 ? "so far" : "yes"),
            ]
        }
    }

    /// `reconcile show RUN`
    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show a run with everything that it found and booked.",
            discussion: "Exit code 1 if the run is not clean, 3 if there is no such run.")
        @OptionGroup var options: StoreOptions
        @Argument(help: "The run's number, or last.") var run: String
        @Flag(help: "Answer with one JSON document.") var json = false
        @Flag(help: "Answer with one line a finding, for a spreadsheet; amounts in minor units.")
        var csv = false

        func validate() throws {
            guard run == "last" || RunName(run) != nil else {
                throw ValidationError(
                    "RUN is a number, as `tillbox reconcile list` has it, or last")
            }
            guard !(json && csv) else { throw ValidationError("choose --json or --csv") }
        }

        mutating func run() async throws {
            let (words, json, csv) = (run, json, csv)
            let isClean = try await options.withStore { store in
                guard let report = try Self.report(words, store) else {
                    throw CommandFailure.cannotRun(ReconcileRefusal.unknownRun.message)
                }
                if csv {
                    try Self.printCSV(report, store)
                } else {
                    let text = try Self.document(report, store, isWhole: json)
                    try Output.standard.line(
                        json ? text : PastedCommand.completed(try Self.text(of: text)))
                }
                return report.isClean
            }
            if !isClean { throw CommandFailure.foundSomething(nil) }
        }

        private static func report(
            _ words: String, _ store: StatementStore
        ) throws -> RunReport? {
            let run =
                if let name = RunName(words) {
                    name.isDry ? nil : try store.run(name.number)
                } else {
                    try store.runs(before: nil, limit: 1).first
                }
            return try run.map { try store.report($0) }
        }

        /// The document of the API's `GET reconciliations/{id}`, with all findings or the first.
        private static func document(
            _ report: RunReport, _ store: StatementStore, isWhole: Bool
        ) throws -> String {
            var writer = JSONWriter()
            writer.beginObject()
            writer.key("reconciliation")
            let name = RunName(number: report.run.id, isDry: false)
            report.encode(into: &writer, name: name, progress: nil)
            writer.key("findings")
            writer.beginArray()
            let now = report.run.finishedAt ?? report.run.to
            var next: FindingPlace? = .start
            while let place = next {
                let limit = isWhole ? 1000 : ReconcileCommand.shownCount
                let page = try store.findings(of: report.run, after: place, limit: limit)
                for finding in page.findings { finding.encode(into: &writer, now: now) }
                next = page.next
                guard isWhole else { break }
            }
            writer.endArray()
            writer.member("next", next?.token)
            writer.endObject()
            return String(decoding: writer.bytes, as: UTF8.self)
        }

        private static func text(of json: String) throws -> String {
            let document = JSONDocument()
            return try withExtendedLifetime(document) {
                ReconcileText.of(try document.parse(Array(json.utf8)))
            }
        }

        private static func printCSV(_ report: RunReport, _ store: StatementStore) throws {
            try Output.standard.line(StoredBreak.csvHeader)
            let name = RunName(number: report.run.id, isDry: false)
            let now = report.run.finishedAt ?? report.run.to
            var next: FindingPlace? = .start
            while let place = next {
                let page = try store.findings(of: report.run, after: place, limit: 1000)
                for finding in page.findings {
                    try Output.standard.line(finding.csvLine(run: name, now: now))
                }
                next = Output.standard.isClosed ? nil : page.next
            }
        }
    }
}
