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
                The daemon knows nothing of it: verdicts, reviews and the ledger stay as they are. \
                Reports when it ends: after --seconds or --payments, or when interrupted.
                """)
        @OptionGroup var data: DataOptions
        @Argument(help: "The other model: a fraud.ubj with its schema.json, or their folder.")
        var file: String
        @Option(help: "The first offset of payment.scored. Default: what comes from now on.")
        var from: Int64?
        @Option(help: "End after this many seconds.") var seconds: Int?
        @Option(help: "End after this many payments.") var payments: Int?
        @Flag(help: "Answer with one JSON document.") var json = false

        func validate() throws {
            guard from ?? 0 >= 0, seconds ?? 0 >= 0, payments ?? 1 >= 1 else {
                throw ValidationError("--from and --seconds are at least 0, --payments at least 1")
            }
        }

        mutating func run() async throws {
            let (folder, settings) = try await data.history()
            let (file, json) = (file, json)
            let bounds = Bounds(from: from, seconds: seconds, payments: payments)
            try await orCannotRun {
                let steps = try PipelineSteps(settings, modelAt: try ModelCommand.modelFile(file))
                let report = try await Self.follow(folder, steps, bounds)
                try report.print(asJSON: json, hasTruth: false)
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
        ) async throws -> ModelComparison.Report {
            try await withThrowingTaskGroup(of: ModelComparison.Report?.self) { group in
                group.addTask {
                    let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm, .sighup)
                    for await _ in signals { break }
                    return nil
                }
                group.addTask { try await work(folder, steps, bounds) }
                var report: ModelComparison.Report?
                for try await ended in group {
                    report = ended ?? report
                    group.cancelAll()
                }
                guard let report else { throw CancellationError() }
                return report
            }
        }

        /// Cancelled, it gives what it has.
        private static func work(
            _ folder: FolderView, _ steps: PipelineSteps, _ bounds: Bounds
        ) async throws -> ModelComparison.Report {
            var comparison = ModelComparison(
                model: steps.model, verdicts: try steps.verdicts(),
                distribution: steps.model.schema.distribution)
            let topics = try folder.topics()
            let from = bounds.from ?? topics[.paymentScored]?.end.rawValue
            var history = try folder.scorings(topics, from: from)
            let end = bounds.seconds.map { ContinuousClock.now + .seconds($0) }
            let bar = ProgressBar(label: "beside the live model")
            defer { bar.clear() }
            while !Task.isCancelled, end.map({ .now < $0 }) ?? true {
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
            return comparison.report
        }
    }
}
