import AppendLog
import Appliance
import ArgumentParser
import Daemon
import Foundation
import Terminal
import UnixSignals
import Vocabulary

extension ModelCommand {
    /// `model shadow FILE`
    struct Shadow: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Score payments with another model beside the live one.",
            discussion: """
                Follows the log as the daemon writes it and judges each payment a second time. \
                Verdicts, reviews and the ledger stay as they are. Reports when it ends: after \
                --seconds or --payments, or when interrupted. The console shows the last report \
                beside the model in use.
                """)
        @OptionGroup var data: DataOptions
        @Argument(help: "The other model: a fraud.ubj with its schema.json, or their folder.")
        var file: String
        @Option(help: "The first offset of payment.scored. Default: what comes from now on.")
        var from: Int64?
        @Option(help: "End after this many seconds.") var seconds: Int?
        @Option(help: "End after this many payments.") var payments: Int?
        @Flag(help: "Keep no report for the console.") var discard = false
        @Flag(help: "Answer with one JSON document.") var json = false

        func validate() throws {
            guard from ?? 0 >= 0, seconds ?? 0 >= 0, payments ?? 1 >= 1 else {
                throw ValidationError("--from and --seconds are at least 0, --payments at least 1")
            }
        }

        mutating func run() async throws {
            let (folder, settings) = try await data.history()
            let (file, json, discard) = (file, json, discard)
            let bounds = Bounds(from: from, seconds: seconds, payments: payments)
            try await orCannotRun {
                let steps = try PipelineSteps(settings, modelAt: try ModelCommand.modelFile(file))
                let found = try await Self.follow(folder, steps, bounds)
                try found.report.print(asJSON: json, hasTruth: false)
                guard !discard, found.report.payments > 0 else { return }
                Self.keep(found, file, in: settings.dataPath)
            }
        }

        /// What was found, and in which records.
        private struct Found: Sendable {
            var report: ModelComparison.Report
            var records: Range<Int64>
        }

        /// Leaves the report for the console. It is told already: where this cannot be, a line
        /// says so, and why.
        private static func keep(_ found: Found, _ file: String, in folder: String) {
            let now = Instant(seconds: Int64(Date().timeIntervalSince1970))
            var writer = JSONWriter()
            ShadowReport(found.report, file: file, found.records, at: now).encode(into: &writer)
            do throws(CommandFailure) {
                try FolderOwner.become(of: folder)
                let draft = try WholeFile(
                    "\(folder)/\(ShadowReport.fileName)", advice: "with --discard none is kept")
                do throws(CommandFailure) {
                    try draft.write(String(decoding: writer.bytes, as: UTF8.self) + "\n")
                    try draft.keep()
                } catch {
                    draft.discard()
                    throw error
                }
            } catch {
                let why = error.message ?? "\(folder) cannot be written"
                writeError("tillbox: the report is not kept for the console: \(why)")
            }
        }

        /// From where on, and until when.
        private struct Bounds: Sendable {
            var from: Int64?
            var seconds: Int?
            var payments: Int?
        }

        /// Until there was enough or it is asked to end, which is the usual way and no failure.
        private static func follow(
            _ folder: FolderView, _ steps: PipelineSteps, _ bounds: Bounds
        ) async throws -> Found {
            try await withThrowingTaskGroup(of: Found?.self) { group in
                group.addTask {
                    let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm, .sighup)
                    for await _ in signals { break }
                    return nil
                }
                group.addTask { try await work(folder, steps, bounds) }
                var found: Found?
                for try await ended in group {
                    found = ended ?? found
                    group.cancelAll()
                }
                guard let found else { throw CancellationError() }
                return found
            }
        }

        /// Cancelled, it gives what it has.
        private static func work(
            _ folder: FolderView, _ steps: PipelineSteps, _ bounds: Bounds
        ) async throws -> Found {
            var comparison = ModelComparison(
                model: steps.model, verdicts: try steps.verdicts(),
                distribution: steps.model.schema.distribution)
            let topics = try folder.topics()
            let from = bounds.from ?? topics[.paymentScored]?.end.rawValue
            var history = try folder.scorings(topics, from: from)
            let first = history.next.rawValue
            let until = bounds.seconds.map { ContinuousClock.now + .seconds($0) }
            let bar = ProgressBar(label: "beside the live model")
            defer { bar.clear() }
            while !Task.isCancelled, until.map({ .now < $0 }) ?? true {
                guard let page = try history.page() else {
                    guard !Output.standard.noticesGoneReader() else { break }
                    // Another process writes the log: looking again is the only way to see it grow.
                    try? await Task.sleep(for: .milliseconds(200))
                    try folder.renew(&history)
                    continue
                }
                let isEnough = try comparison.add(page, paymentsMax: bounds.payments ?? .max)
                bar.show(history.next.rawValue, of: history.end.rawValue)
                if isEnough { break }
            }
            let end = max(first, comparison.next?.rawValue ?? history.next.rawValue)
            return Found(report: comparison.report, records: first..<end)
        }
    }
}

extension ShadowReport {
    fileprivate init(
        _ report: ModelComparison.Report, file: String, _ records: Range<Int64>, at now: Instant
    ) {
        self.init(
            madeAt: now, version: report.version, file: file,
            reviewFrom: report.thresholds.review, blockFrom: report.thresholds.block,
            records: records,
            liveModels: report.liveModels.sorted { $0.key < $1.key }.map {
                LiveModel(version: $0.key, scorings: Int64($0.value))
            },
            figures: report.figures)
    }
}
