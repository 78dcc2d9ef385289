import Appliance
import Foundation
import Terminal
import Vocabulary

extension ModelDataset.Summary {
    /// The manifest.
    var json: String {
        var writer = JSONWriter()
        encode(into: &writer)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    func text(path: String, seconds: Double) -> String {
        let sources = FraudLabel.Source.allCases.compactMap { source in
            bySource[source].map { "\($0) by \(source.rawValue)" }
        }
        var lines = [
            "\(Counted.words(rows, "payment")) in \(path), as of \(asOf.rfc3339)"
                + String(
                    format: "; %.1f s, %.0f a second", seconds,
                    Double(rows) / max(seconds, 0.001)),
            "\(fraud) fraud, \(rows - fraud - unlabelled) honest, \(unlabelled) not known yet"
                + (sources.isEmpty ? "" : " (\(sources.joined(separator: ", ")))"),
            "\(Counted.words(mature, "is", "are")) older than "
                + Counted.words(maturity.days, "day"),
        ]
        if withoutFeatures > 0 {
            lines.append(
                "left out: \(Counted.words(withoutFeatures, "payment")) that "
                    + "\(Counted.noun(withoutFeatures, "names", "name")) nobody to compare with")
        }
        if damaged > 0 {
            lines.append(
                "left out: \(Counted.words(damaged, "record")) that cannot be read; run `tillbox "
                    + "log verify`")
        }
        if mature == 0 {
            lines.append(
                "none is old enough to train on: wait, or choose fewer --maturity-days and know "
                    + "that later disputes are missing")
        }
        return lines.joined(separator: "\n")
    }
}

extension ModelComparison.Report {
    /// - Parameter hasTruth: whether it was asked what the payments are known to have been.
    func print(asJSON: Bool, hasTruth: Bool) throws(CommandFailure) {
        try Output.standard.line(asJSON ? json(hasTruth: hasTruth) : text(hasTruth: hasTruth))
    }

    private var currencies: [Currency] { byCurrency.keys.sorted { $0.code < $1.code } }

    // MARK: For people

    func text(hasTruth: Bool) -> String {
        let live = liveModels.sorted { $0.key < $1.key }.map { "\($0.key) (\($0.value))" }
        let liveCount = liveModels.values.reduce(0) { $0 + $1 }
        var parts = [
            """
            live: \(live.isEmpty ? "no" : live.joined(separator: ", ")) \
            \(Counted.noun(liveCount, "scoring"))
            other: \(version), review from \(thresholds.review), block from \(thresholds.block)
            \(Counted.words(payments, "payment")) in \(Counted.words(scorings, "scoring")), \
            \(withoutFeatures) without a vector
            """
        ]
        guard payments > 0 else { return parts[0] + "\nno payment to compare" }
        parts[0] += "\nboth verdicts agree on \(agreeing) of \(Counted.words(payments, "payment"))"
        parts[0] += String(format: " (%.2f %%)", Double(agreeing) / Double(payments) * 100)
        if scoredByBoth > 0 {
            parts[0] += String(
                format: "\nscores lie %.4f apart on average, %.4f at most",
                differenceSum / Double(scoredByBoth), differenceMax)
        }
        parts.append(changes)
        if hasTruth { parts.append(truth) }
        if let drift = driftTable { parts.append(drift) }
        return parts.joined(separator: "\n\n")
    }

    /// Payments and money by what both sides say.
    private var changes: String {
        var rows: [[String: Table.Cell]] = []
        for currency in currencies {
            for live in 0..<3 {
                for other in 0..<3 {
                    let cell = sum(currency, live, other)
                    guard cell.count > 0 else { continue }
                    rows.append([
                        "currency": .text(currency.code),
                        "live": .text(ModelComparison.verdicts[live].rawValue),
                        "other": .text(ModelComparison.verdicts[other].rawValue),
                        "payments": .number(cell.count),
                        "amount": .amount(currency.display(MinorUnits(cell.amount))),
                        "change": .text(Self.change(live, other)),
                    ])
                }
            }
        }
        return Table(
            columns: ["currency", "live", "other", "payments", "amount", "change"], rows: rows
        ).text()
    }

    private static func change(_ live: Int, _ other: Int) -> String {
        if live == other { return "" }
        if live == 0 { return "would be held" }
        return other == 0 ? "would be let through" : "held either way"
    }

    /// What both sides did with the payments whose truth is known.
    private var truth: String {
        var rows: [[String: Table.Cell]] = []
        for currency in currencies {
            for isOther in [false, true] {
                let known = self.known(currency, ofOther: isOther)
                rows.append([
                    "currency": .text(currency.code),
                    "side": .text(isOther ? "other" : "live"),
                    "fraud": .number(known.fraud.count),
                    "held": .number(known.fraudHeld.count),
                    "let through": .amount(currency.display(
                        MinorUnits(known.fraud.amount &- known.fraudHeld.amount))),
                    "honest": .number(known.honest.count),
                    "honest held": .number(known.honestHeld.count),
                    "honest held amount": .amount(
                        currency.display(MinorUnits(known.honestHeld.amount))),
                    "cost": cost(currency, ofOther: isOther).map {
                        .amount(currency.display(MinorUnits($0)))
                    } ?? .none,
                ])
            }
        }
        return Table(
            columns: [
                "currency", "side", "fraud", "held", "let through", "honest", "honest held",
                "honest held amount", "cost",
            ], rows: rows
        ).text()
    }

    private var driftTable: String? {
        guard let drift, drift.payments > 0 else { return nil }
        let rows = zip(FeatureNames.withScore, drift.stabilityIndexes).map { name, index in
            [
                "input": .text(name), "drift": index.map { .decimal($0, places: 3) } ?? .none,
                "means": .text(Self.meaning(of: index)),
            ] as [String: Table.Cell]
        }
        return Table(columns: ["input", "drift", "means"], rows: rows).text()
    }

    /// In the customary words for a population stability index.
    private static func meaning(of index: Double?) -> String {
        switch index ?? 0 {
        case ..<ValueBins.shiftedFrom: "as in training"
        case ..<ValueBins.otherFrom: "somewhat other than in training"
        default: "other than in training"
        }
    }

    // MARK: Sums

    private func sum(
        _ currency: Currency, _ live: Int, _ other: Int
    ) -> ModelComparison.Tally.Cell {
        var sum = ModelComparison.Tally.Cell()
        for truth in ModelComparison.Truth.allCases {
            guard let cell = byCurrency[currency]?[truth, live, other] else { continue }
            sum.count += cell.count
            sum.amount &+= cell.amount
        }
        return sum
    }

    private struct Known {
        var fraud = ModelComparison.Tally.Cell()
        var fraudHeld = ModelComparison.Tally.Cell()
        var honest = ModelComparison.Tally.Cell()
        var honestHeld = ModelComparison.Tally.Cell()
    }

    private func known(_ currency: Currency, ofOther: Bool) -> Known {
        var known = Known()
        guard let tally = byCurrency[currency] else { return known }
        for live in 0..<3 {
            for other in 0..<3 {
                let isHeld = (ofOther ? other : live) > 0
                let (fraud, honest) = (tally[.fraud, live, other], tally[.honest, live, other])
                known.fraud.add(fraud)
                known.honest.add(honest)
                guard isHeld else { continue }
                known.fraudHeld.add(fraud)
                known.honestHeld.add(honest)
            }
        }
        return known
    }

    private func cost(_ currency: Currency, ofOther: Bool) -> Int64? {
        costs[currency].flatMap { byCurrency[currency]?.cost($0, ofOther: ofOther) }
    }

    // MARK: For programs

    /// What is told of any comparison.
    var figures: ShadowReport.Figures {
        ShadowReport.Figures(
            payments: Int64(payments), scorings: Int64(scorings),
            withoutFeatures: Int64(withoutFeatures),
            differenceMean: scoredByBoth > 0 ? differenceSum / Double(scoredByBoth) : nil,
            differenceMax: scoredByBoth > 0 ? differenceMax : nil, lines: lines)
    }

    /// Payments and money by what both sides say.
    private var lines: [ShadowReport.Line] {
        var lines: [ShadowReport.Line] = []
        for currency in currencies {
            for live in 0..<3 {
                for other in 0..<3 {
                    let cell = sum(currency, live, other)
                    guard cell.count > 0 else { continue }
                    lines.append(
                        ShadowReport.Line(
                            currency: currency, live: ModelComparison.verdicts[live],
                            other: ModelComparison.verdicts[other], payments: cell.count,
                            amount: MinorUnits(cell.amount)))
                }
            }
        }
        return lines
    }

    func json(hasTruth: Bool) -> String {
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("version", version)
        writer.member("review_from", thresholds.review)
        writer.member("block_from", thresholds.block)
        writer.key("live_models")
        writer.beginObject()
        for (name, count) in liveModels.sorted(by: { $0.key < $1.key }) {
            writer.key(named: name)
            writer.int(Int64(count))
        }
        writer.endObject()
        figures.encodeMembers(into: &writer)
        if hasTruth { writeTruth(into: &writer) }
        writeDrift(into: &writer)
        writer.endObject()
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    private func writeTruth(into writer: inout JSONWriter) {
        writer.key("truth")
        writer.beginArray()
        for currency in currencies {
            for isOther in [false, true] {
                let known = self.known(currency, ofOther: isOther)
                writer.beginObject()
                writer.member("currency", currency.code)
                writer.member("side", isOther ? "other" : "live")
                writer.member("fraud", known.fraud.count)
                writer.member("fraud_minor_units", known.fraud.amount)
                writer.member("fraud_held", known.fraudHeld.count)
                writer.member("fraud_held_minor_units", known.fraudHeld.amount)
                writer.member("honest", known.honest.count)
                writer.member("honest_held", known.honestHeld.count)
                writer.member("honest_held_minor_units", known.honestHeld.amount)
                writer.member("cost_minor_units", cost(currency, ofOther: isOther))
                writer.endObject()
            }
        }
        writer.endArray()
    }

    private func writeDrift(into writer: inout JSONWriter) {
        writer.key("drift")
        writer.beginObject()
        if let drift {
            for (name, index) in zip(FeatureNames.withScore, drift.stabilityIndexes) {
                writer.key(named: name)
                if let index { writer.double(index) } else { writer.null() }
            }
        }
        writer.endObject()
    }
}

extension ModelComparison.Tally.Cell {
    fileprivate mutating func add(_ other: Self) {
        count += other.count
        amount &+= other.amount
    }
}

/// The model's inputs and what it says, in the order of its drift.
private enum FeatureNames {
    static let withScore = Feature.names + ["score"]
}
