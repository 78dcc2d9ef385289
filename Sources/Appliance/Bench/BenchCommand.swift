package import ArgumentParser
import Foundation
import Logging
import Terminal

/// `tillbox bench`: every part measured against its limit or its peer, in the same run.
package struct BenchCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure a part, or all of them, against its limit.",
        discussion: """
            Every ratio compares two measurements of one run that alternate round by round, and \
            is the median of the rounds' ratios. Quote ratios; the absolute numbers belong to the \
            machine named above the table. Exit codes: 0 measured, 2 wrong usage, 3 cannot run. \
            A goal that is missed is shown and is no failure.
            """)

    package init() {}

    /// What can be measured.
    enum Part: String, CaseIterable, ExpressibleByArgument {
        case log, gate, validate, features, score, ledger, whole, twin, reconcile, replay, age, all
    }

    @Argument(
        help: """
            log, gate, validate, features, score, ledger, whole, twin, reconcile, replay, age or \
            all.
            """)
    var part = Part.all

    @Option(help: "Rounds of each measurement, 1 to 100. Default 5, with --quick 2.")
    var rounds: Int?

    @Flag(help: "Small sizes: shows that it works, not how fast it is.")
    var quick = false

    @Option(
        help: """
            Balance transactions that reconcile reads, 1000 to 1000000. Default 20000, with \
            --quick 2000.
            """)
    var rows: Int?

    @Option(
        help: """
            Payments of the five years that age gives a box, 1000 to 10000000. Default 100000, \
            with --quick 2000.
            """)
    var payments: Int?

    @Option(
        help: """
            Another tillbox, such as the release before: each round runs both, and the ratio is \
            to it.
            """)
    var against: String?

    @Option(help: "Where scratch files go; its disk is measured. Default: a temporary folder.")
    var folder: String?

    @Flag(help: "Print one JSON document.")
    var json = false

    @Flag(help: "Print Markdown, as docs/BENCHMARKS.md has it.")
    var markdown = false

    @Option(help: "Also draw the ratios into this SVG file.")
    var svg: String?

    @Option(help: "Also write benchmarks.json, benchmarks.md and benchmarks.svg into this folder.")
    var into: String?

    /// Set where this process is the server that another `bench` measures.
    @Option(help: .hidden)
    var serve: BenchServer.Kind?

    package func validate() throws {
        guard (1...100).contains(rounds ?? 1) else {
            throw ValidationError("--rounds is from 1 to 100.")
        }
        guard BenchReconcile.rowCounts.contains(rows ?? BenchReconcile.rowCounts.lowerBound) else {
            throw ValidationError("--rows is from 1000 to 1000000.")
        }
        guard rows == nil || part == .reconcile || part == .all else {
            throw ValidationError("--rows is for reconcile.")
        }
        guard BenchAge.paymentCounts.contains(payments ?? BenchAge.paymentCounts.lowerBound) else {
            throw ValidationError("--payments is from 1000 to 10000000.")
        }
        guard payments == nil || part == .age || part == .all else {
            throw ValidationError("--payments is for age.")
        }
        guard !(json && markdown) else {
            throw ValidationError("--json and --markdown exclude each other.")
        }
    }

    package mutating func run() async throws {
        if let serve { return try await runServer(serve) }
        let bench = self
        try await orCannotRun {
            let context = try BenchContext(
                rounds: bench.rounds ?? (bench.quick ? 2 : 5), isQuick: bench.quick,
                parent: bench.folder)
            defer { context.removeAll() }
            var report = BenchReport(machine: BenchMachine(scratch: context.root), context)
            if let other = bench.against {
                try bench.compare(with: other, in: context, &report)
            } else {
                for part in bench.parts {
                    report.rows += try await bench.measure(part, in: context)
                }
            }
            context.progress.clear()
            try bench.write(report)
        }
    }

    private var parts: [Part] {
        part == .all ? Part.allCases.filter { $0 != .all } : [part]
    }

    private func compare(
        with other: String, in context: BenchContext, _ report: inout BenchReport
    ) throws {
        let comparison = BenchAgainst(
            context: context, other: URL(filePath: other).path, rowCount: rows,
            paymentCount: payments)
        report.against = "\(comparison.other), tillbox \(try comparison.version())"
        for part in parts { report.rows += try comparison.run(part.rawValue) }
    }

    private func measure(_ part: Part, in context: BenchContext) async throws -> [BenchRow] {
        switch part {
        case .log:
            try await BenchLogAppend(context: context).run()
                + BenchLogRead(context: context).run()
        case .gate: try await BenchGate(context: context).run()
        case .validate: try BenchValidate(context: context).run()
        case .features: BenchFeatures(context: context).run()
        case .score: try BenchScore(context: context).run()
        case .ledger: try BenchLedger(context: context).run()
        case .whole: try await BenchWhole(context: context).run()
        case .twin: try await BenchTwin(context: context).run()
        case .reconcile:
            try await BenchReconcile(
                context: context, rowCount: rows ?? context.size(20_000, quick: 2_000)
            ).run()
        case .replay: try await BenchReplay(context: context).run()
        case .age:
            try await BenchAge(
                context: context, payments: payments ?? context.size(100_000, quick: 2_000)
            ).run()
        case .all: []
        }
    }

    private func write(_ report: BenchReport) throws {
        let chart = BenchChart(rows: report.rows).svg()
        if let svg { try Self.write(chart, to: svg) }
        if let into {
            try FileManager.default.createDirectory(
                atPath: into, withIntermediateDirectories: true)
            try Self.write(report.json() + "\n", to: into + "/benchmarks.json")
            try Self.write(report.markdown() + "\n", to: into + "/benchmarks.md")
            try Self.write(chart, to: into + "/benchmarks.svg")
        }
        if json {
            try Output.standard.line(report.json())
        } else if markdown {
            try Output.standard.line(report.markdown())
        } else {
            try Output.standard.line(report.text())
        }
    }

    private static func write(_ text: String, to path: String) throws {
        try Data(text.utf8).write(to: URL(filePath: path))
    }

    private func runServer(_ kind: BenchServer.Kind) async throws {
        LineLogHandler.bootstrap(level: .warning, format: .text)
        let environment = ProcessInfo.processInfo.environment
        guard let folder, let secret = environment[BenchServer.secretVariable] else {
            throw CommandFailure.cannotRun(
                "--serve is for bench itself: it needs a folder and a secret")
        }
        try await orCannotRun {
            try await BenchServer(
                kind: kind, folder: folder, secret: secret,
                stripeBase: environment[BenchServer.stripeVariable]
            ).run()
        }
    }
}

extension BenchServer.Kind: ExpressibleByArgument {}

/// What all parts of a run share: how often, how much, and where.
struct BenchContext: Sendable {
    let rounds: Int
    let isQuick: Bool
    /// The folder that all scratch folders lie in.
    let root: String
    let progress = BenchProgress()

    /// - Parameter parent: where to put the scratch folder; nil for the system's temporary folder.
    init(rounds: Int, isQuick: Bool, parent: String?) throws {
        self.rounds = rounds
        self.isQuick = isQuick
        let above = parent.map { URL(filePath: $0) } ?? FileManager.default.temporaryDirectory
        let name = "tillbox-bench-\(ProcessInfo.processInfo.processIdentifier)"
        root = above.appending(path: name).path
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
    }

    /// The size for this run: a tenth or so of the full one where it is quick.
    func size(_ full: Int, quick: Int) -> Int { isQuick ? quick : full }

    /// A fresh, empty folder. Who is done with it removes it; what an error leaves goes at the end.
    func makeFolder() throws -> String {
        let path = "\(root)/\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }

    func remove(_ folder: String) { try? FileManager.default.removeItem(atPath: folder) }

    /// The limit of every synced write: the same bytes through the same system calls, alone.
    func bareWrites(byteCount: Int, count: Int) throws -> BenchFile.Writes {
        let folder = try makeFolder()
        defer { remove(folder) }
        return try BenchFile(path: folder + "/bare").write(byteCount: byteCount, count: count)
    }

    /// Says what is being measured.
    func show(_ what: String, round: Int) { progress.show(what, round: round, of: rounds) }

    func removeAll() { try? FileManager.default.removeItem(atPath: root) }
}

/// One line on the terminal that says what is being measured; nothing where that is no terminal.
struct BenchProgress: Sendable {
    private let isShown = isatty(STDERR_FILENO) == 1

    func show(_ what: String, round: Int, of rounds: Int) {
        write("\r\u{1B}[Kmeasuring \(what), round \(round + 1) of \(rounds)")
    }

    func clear() { write("\r\u{1B}[K") }

    private func write(_ text: String) {
        guard isShown else { return }
        ErrorOutput.write(text)
    }
}
