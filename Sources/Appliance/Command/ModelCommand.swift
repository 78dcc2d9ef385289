import AppendLog
import Appliance
import ArgumentParser
import Daemon
import Foundation
import Terminal
import Vocabulary

/// `tillbox model …`: from payments to a better model, and whether it is one.
struct ModelCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "model",
        abstract: "Train the fraud model on your own payments, and try another one.",
        discussion: """
            dataset writes labelled payments, model/train.py --data makes a candidate of them, \
            backtest and shadow say what it would have changed, and the key model.path puts it in \
            use. None of them changes what was judged. docs/RETRAINING.md has the whole way.
            """,
        subcommands: [Dataset.self, Backtest.self, Shadow.self])
}

extension DataOptions {
    /// The folder of payments that were scored, with its settings.
    func history() async throws -> (folder: FolderView, settings: Settings) {
        let settings = try await folderSettings(
            insteadInCloud: "no data folder; run this on that of a box of the profile edge")
        return (FolderView(path: settings.dataPath), settings)
    }
}

extension FolderView {
    /// The scorings of the log, from its beginning or from another place.
    func scorings(
        _ topics: [TopicID: TopicReader], from: Int64? = nil
    ) throws -> ScoredHistory {
        guard let scored = topics[.paymentScored], let features = topics[.paymentFeatures] else {
            throw CommandFailure.cannotRun("the log in \(path) has no scorings yet")
        }
        let start = from.map { Offset($0) }
        if let start, start < scored.start || start > scored.end {
            throw CommandFailure.cannotRun(
                "offset \(start.rawValue) is outside \(scored.start.rawValue)..<"
                    + "\(scored.end.rawValue) of payment.scored; choose --from within")
        }
        return try ScoredHistory(scored: scored, features: features, from: start)
    }

    /// Shows `history` the log as it is now.
    func renew(_ history: inout ScoredHistory) throws {
        let topics = try topics()
        guard let scored = topics[.paymentScored], let features = topics[.paymentFeatures] else {
            return
        }
        history.renew(scored: scored, features: features)
    }

    /// What the log says of payments by `asOf`.
    fileprivate func evidence(
        _ topics: [TopicID: TopicReader], asOf: Instant
    ) throws -> FraudEvidence {
        guard let webhooks = topics[.webhookReceived], let reviews = topics[.paymentReview] else {
            throw CommandFailure.cannotRun("the log in \(path) has no webhooks yet")
        }
        let bar = ProgressBar(label: "reading labels")
        defer { bar.clear() }
        var evidence = FraudEvidence(asOf: asOf)
        try evidence.read(webhooks: webhooks, reviews: reviews) { bar.show($0, of: $1) }
        return evidence
    }
}

/// How labels come about.
struct LabelOptions: ParsableArguments {
    @Option(
        name: .customLong("as-of"),
        help: """
            Labels as they were known then: RFC 3339, a UTC date (included as a whole), or Unix \
            seconds. Default: now.
            """,
        transform: Moment.parse)
    var asOf: Moment?

    @Flag(
        help: "Take an --as-of that lies ahead: silence until then counts, which nobody has kept.")
    var allowFuture = false

    @Option(
        help: "Days after which a payment that nobody complained of counts as honest, 1 to 730.")
    var maturityDays = LabelMaturity.standardDays

    func validate() throws {
        guard (1...LabelMaturity.daysMax).contains(maturityDays) else {
            throw ValidationError("--maturity-days is from 1 to \(LabelMaturity.daysMax)")
        }
        // Silence until a day that has not come says nothing.
        guard !allowFuture, let asOf, asOf.start > Self.now else { return }
        throw ValidationError(
            "--as-of lies in the future: payments that nobody has complained of yet would count as "
                + "honest, though complaints may come; leave --as-of away to learn from what is "
                + "known, or give --allow-future with simulated payments")
    }

    var maturity: LabelMaturity { LabelMaturity(days: maturityDays) }

    /// Of a day that is not over, only what has passed.
    var instant: Instant {
        guard let end = asOf?.end else { return Self.now }
        return allowFuture ? end : min(end, Self.now)
    }

    private static var now: Instant { Instant(seconds: Int64(Date().timeIntervalSince1970)) }
}

/// A period of payments.
struct PeriodOptions: ParsableArguments {
    @Option(
        help: "Only payments made then or later: RFC 3339, a UTC date, or Unix seconds.",
        transform: Moment.parse)
    var from: Moment?

    @Option(
        help: "Only payments made then or earlier; a date is included as a whole.",
        transform: Moment.parse)
    var to: Moment?

    func validate() throws {
        guard let from, let to, from.start > to.end else { return }
        throw ValidationError("--from lies behind --to")
    }

    var range: ClosedRange<Instant> {
        // Moments lie from 1970 to 9999; so does what a log may hold.
        let first = from?.start ?? Instant(seconds: .min)
        return first...(to?.end ?? Instant(seconds: .max))
    }
}

extension ModelCommand {
    /// `model dataset --out FILE`
    struct Dataset: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write labelled payments for training, one JSON object a line.",
            discussion: """
                Features are those of when the payment came, labels those known at --as-of: from \
                disputes for fraud, early fraud warnings and people's decisions, else honest once \
                --maturity-days have passed. FILE.manifest.json says what is in it, with its \
                SHA-256. Reads the data folder without its lock, also while the daemon runs.
                """)
        @OptionGroup var data: DataOptions
        @OptionGroup var labels: LabelOptions
        @OptionGroup var period: PeriodOptions
        @Option(help: "The file; its manifest is written beside it.") var out: String
        @Flag(help: "Print the manifest as one JSON document.") var json = false

        mutating func run() async throws {
            let (folder, _) = try await data.history()
            let (labels, period, out, json) = (labels, period, out, json)
            try await orCannotRun {
                let began = ContinuousClock.now
                let topics = try folder.topics()
                let history = try folder.scorings(topics)
                let dataset = ModelDataset(
                    evidence: try folder.evidence(topics, asOf: labels.instant),
                    maturity: labels.maturity, period: period.range)
                let summary = try Self.write(dataset, history, to: out)
                let seconds = (ContinuousClock.now - began) / .seconds(1)
                try Output.standard.line(
                    json ? summary.json : summary.text(path: out, seconds: seconds))
            }
        }

        private static func write(
            _ dataset: ModelDataset, _ history: ScoredHistory, to path: String
        ) throws -> ModelDataset.Summary {
            let bar = ProgressBar(label: "writing the data set")
            defer { bar.clear() }
            var dataset = dataset
            let file = try WholeFile(path)
            let summary: ModelDataset.Summary
            do {
                summary = try dataset.run(
                    history, progress: { bar.show($0, of: $1) }, file.write)
                try file.keep()
            } catch {
                file.discard()
                throw error
            }
            // Behind the data: one without the other is told by the digest.
            let manifest = try WholeFile(path + ".manifest.json")
            do {
                try manifest.write(summary.json + "\n")
                try manifest.keep()
            } catch {
                manifest.discard()
                throw error
            }
            return summary
        }
    }

    /// `model backtest [FILE] --from D --to D`
    struct Backtest: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Judge past payments again with another model or other thresholds.",
            discussion: """
                Takes the vectors that the log holds, and compares the verdicts with those that \
                were given: how many agree, and which money would have been held or let through. \
                What is known of the payments (as model dataset says it) is counted beside it, and \
                with --fees what the decisions cost. Nothing is written.
                """)
        @OptionGroup var data: DataOptions
        @OptionGroup var labels: LabelOptions
        @OptionGroup var period: PeriodOptions
        @Argument(help: "The other model, a fraud.ubj or its folder. Default: the one in use.")
        var file: String?
        @Option(help: "Review from this score on, instead of the model's threshold.")
        var reviewFrom: Double?
        @Option(help: "Block from this score on, instead of the model's threshold.")
        var blockFrom: Double?
        @Option(
            help: """
                What decisions cost in a currency, in its smallest unit: usd:1500:200:300 is a \
                dispute fee of 15.00, 2.00 for a review, a margin of 3 %. Repeat it for others.
                """)
        var fees: [String] = []
        @Flag(help: "Answer with one JSON document.") var json = false

        func validate() throws { _ = try costs() }

        private func costs() throws -> [Currency: DecisionCosts] {
            var all: [Currency: DecisionCosts] = [:]
            for argument in fees {
                guard let (currency, costs) = DecisionCosts.parse(argument) else {
                    throw ValidationError(
                        "--fees is CURRENCY:DISPUTE:REVIEW:MARGIN, three whole numbers, the "
                            + "margin in hundredths of a percent: usd:1500:200:300")
                }
                guard all.updateValue(costs, forKey: currency) == nil else {
                    throw ValidationError("--fees names \(currency.code) twice")
                }
            }
            return all
        }

        mutating func run() async throws {
            let (folder, settings) = try await data.history()
            let (command, costs) = (self, try costs())
            try await orCannotRun {
                let steps = try PipelineSteps(
                    settings, modelAt: try command.file.map(ModelCommand.modelFile))
                let verdicts = try steps.verdicts(
                    reviewFrom: command.reviewFrom, blockFrom: command.blockFrom)
                let topics = try folder.topics()
                var history = try folder.scorings(topics)
                var comparison = ModelComparison(
                    model: steps.model, verdicts: verdicts,
                    distribution: steps.model.schema.distribution,
                    evidence: try folder.evidence(topics, asOf: command.labels.instant),
                    maturity: command.labels.maturity, costs: costs)
                let bar = ProgressBar(label: "judging again")
                defer { bar.clear() }
                let range = command.period.range
                while let page = try history.page() {
                    try comparison.add(page.filter { range.contains($0.scored.event.created) })
                    bar.show(history.next.rawValue, of: history.end.rawValue)
                }
                bar.clear()
                try comparison.report.print(asJSON: command.json, hasTruth: true)
            }
        }
    }

    /// Where a model's file is: named itself or by its folder.
    static func modelFile(_ path: String) throws -> String {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw CommandFailure.cannotRun(
                "there is no \(path); name a candidate's folder, or the fraud.ubj in it")
        }
        return isFolder.boolValue ? "\(path)/fraud.ubj" : path
    }
}
