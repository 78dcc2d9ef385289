package import AppendLog
package import Vocabulary

/// What another model, or other thresholds, make of payments that were judged already.
///
/// Nothing that it computes leaves it: verdicts, reviews and the ledger are untouched. A payment
/// counts once, with the verdict that stands on either side (`Standing`). Memory is about 80 bytes
/// a payment.
package struct ModelComparison {
    /// What a payment is known to have been.
    package enum Truth: Int, CaseIterable, Sendable {
        case unknown, honest, fraud
    }

    /// Verdicts that money depends on, as places.
    package static let verdicts: [Verdict] = [.approve, .manualReview, .block]

    /// Payments in one currency by truth, live verdict and the other verdict.
    package struct Tally: Hashable, Sendable {
        /// 27 cells: truth × 9 + live × 3 + other.
        package fileprivate(set) var cells = [Cell](repeating: Cell(), count: 27)

        package struct Cell: Hashable, Sendable {
            package var count: Int64 = 0
            /// In the currency's smallest unit.
            package var amount: Int64 = 0
            /// Of the payments' margins; zero where no costs are given.
            package var margin: Int64 = 0

            package init() {}
        }

        /// Sums wrap around, as those of the ledger's counters do: no real ones come near it.
        fileprivate mutating func add(
            _ sign: Int64, _ amount: Int64, _ margin: Int64, to cell: Int
        ) {
            cells[cell].count += sign
            cells[cell].amount &+= sign * amount
            cells[cell].margin &+= sign * margin
        }

        package subscript(truth: Truth, live: Int, other: Int) -> Cell {
            cells[truth.rawValue * 9 + live * 3 + other]
        }

        /// What the verdicts of one side cost, over payments whose truth is known.
        package func cost(_ costs: DecisionCosts, ofOther: Bool) -> Int64 {
            var sum: Int64 = 0
            for live in 0..<3 {
                for other in 0..<3 {
                    let verdict = verdicts[ofOther ? other : live]
                    let (fraud, honest) = (self[.fraud, live, other], self[.honest, live, other])
                    switch verdict {
                    case .approve:
                        sum &+= fraud.amount &+ fraud.count &* costs.disputeFee
                    case .manualReview:
                        sum &+= (fraud.count + honest.count) &* costs.review
                    default: sum &+= honest.margin
                    }
                }
            }
            return sum
        }
    }

    private struct Entry {
        var live: Standing
        var other: Standing
        var amount: Int64
        var currency: Currency
        var truth: Truth
    }

    private let model: any RiskModel
    private let verdicts: Verdicts
    private let evidence: FraudEvidence?
    private let maturity: LabelMaturity
    private let costs: [Currency: DecisionCosts]
    /// By `ModelDataset.key`.
    private var entries: [UInt64: Entry] = [:]
    package private(set) var report: Report
    /// Behind the last record that was judged; nil before the first.
    package private(set) var next: Offset?

    /// All that was found so far.
    package struct Report: Hashable, Sendable {
        /// The model that is compared, and from which scores on it reviews and blocks.
        package let version: String
        package let thresholds: ModelSchema.Thresholds
        /// Models that judged the payments, with how many scorings each.
        package var liveModels: [String: Int] = [:]
        package var scorings = 0
        package var payments = 0
        /// Scorings without a vector: both sides send them to a person.
        package var withoutFeatures = 0
        package var byCurrency: [Currency: Tally] = [:]
        /// Scorings that both sides gave a score, the sum of how far the two lay apart, and the
        /// most.
        package var scoredByBoth = 0
        package var differenceSum = 0.0
        package var differenceMax = 0.0
        /// What the compared model saw and said, in its training's bins; nil where it tells none.
        package var drift: DriftCount?
        package let costs: [Currency: DecisionCosts]

        /// Payments on which both verdicts agree.
        package var agreeing: Int64 {
            byCurrency.values.reduce(0) { sum, tally in
                sum
                    + Truth.allCases.reduce(0) { sum, truth in
                        sum + (0..<3).reduce(0) { $0 + tally[truth, $1, $1].count }
                    }
            }
        }
    }

    /// - Parameters:
    ///   - verdicts: the thresholds and amount limits that its scores are judged by.
    ///   - distribution: what the model learned from.
    ///   - evidence: what is known of the payments; nil where nothing is asked.
    package init(
        model: any RiskModel, verdicts: Verdicts, distribution: TrainingDistribution?,
        evidence: FraudEvidence? = nil, maturity: LabelMaturity = LabelMaturity(),
        costs: [Currency: DecisionCosts] = [:]
    ) {
        self.model = model
        self.verdicts = verdicts
        self.evidence = evidence
        self.maturity = maturity
        self.costs = costs
        report = Report(version: model.version, thresholds: verdicts.thresholds, costs: costs)
        report.drift = distribution?.bins(of: Feature.names).map { DriftCount($0) }
    }

    /// Judges some scorings of the log again.
    ///
    /// - Throws: `ModelError.predictionFailed`.
    package mutating func add(_ page: [HistoricScoring]) throws(ModelError) {
        let scores = try model.predict(page.compactMap(\.vector))
        var place = 0
        for scoring in page {
            var score: Double?
            if scoring.vector != nil {
                score = Double(scores[place])
                place += 1
            }
            add(scoring, score)
            next = scoring.offset.advanced(by: 1)
        }
    }

    /// The same until there are `paymentsMax` payments.
    ///
    /// - Returns: whether there are.
    package mutating func add(
        _ page: [HistoricScoring], paymentsMax: Int
    ) throws(ModelError) -> Bool {
        var rest = page[...]
        // As many scorings as there are payments missing cannot tell of more.
        while !rest.isEmpty, report.payments < paymentsMax {
            let some = rest.prefix(paymentsMax - report.payments)
            try add(Array(some))
            rest = rest.dropFirst(some.count)
        }
        return report.payments >= paymentsMax
    }

    private mutating func add(_ scoring: HistoricScoring, _ score: Double?) {
        let event = scoring.scored.event
        var other = scoring.scored
        other.score = score
        other.verdict =
            verdicts.decide(
                event, reading: scoring.vector.map { .fresh($0) } ?? .missing, score: score
            ).verdict
        report.scorings += 1
        report.liveModels[scoring.scored.model ?? "none", default: 0] += 1
        if scoring.vector == nil { report.withoutFeatures += 1 }
        if let live = scoring.scored.score, let score {
            report.scoredByBoth += 1
            report.differenceSum += abs(live - score)
            report.differenceMax = max(report.differenceMax, abs(live - score))
        }
        let key = ModelDataset.key(of: event)
        let known = entries[key]
        if known == nil, let vector = scoring.vector, let score {
            report.drift?.add(vector, score: score)
        }
        file(
            Entry(
                live: Standing(scoring.scored), other: Standing(other),
                amount: event.amount.rawValue, currency: event.currency,
                truth: truth(of: event)), in: key, known)
    }

    /// Puts a payment's newest state in the place of the one before.
    private mutating func file(_ new: Entry, in key: UInt64, _ known: Entry?) {
        var entry = new
        if let known {
            // Another currency contradicts the first telling; the ledger refuses it.
            guard known.currency == new.currency else { return }
            count(known, -1)
            entry.live = max(known.live, new.live)
            entry.other = max(known.other, new.other)
            entry.amount = max(known.amount, new.amount)
        } else {
            report.payments += 1
        }
        count(entry, 1)
        entries[key] = entry
    }

    private mutating func count(_ entry: Entry, _ sign: Int64) {
        let cell =
            entry.truth.rawValue * 9 + Self.place(of: entry.live) * 3 + Self.place(of: entry.other)
        let margin = costs[entry.currency].map { $0.margin(of: entry.amount) } ?? 0
        report.byCurrency[entry.currency, default: Tally()]
            .add(sign, entry.amount, margin, to: cell)
    }

    /// The verdict's place among `verdicts`: the lowest digit of a standing is its strictness.
    private static func place(of standing: Standing) -> Int {
        Int(standing.rawValue % Standing.strictnessCount - Standing.mild)
    }

    private func truth(of event: PaymentEvent) -> Truth {
        guard let evidence, let label = maturity.label(of: event, by: evidence).label else {
            return .unknown
        }
        return label.isFraud ? .fraud : .honest
    }
}
