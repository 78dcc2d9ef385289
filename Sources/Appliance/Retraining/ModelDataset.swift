import AppendLog
import Bridges
package import Vocabulary

/// Labelled payments for training, one JSON object a line.
///
/// One line a payment: the vector of the scoring that stands (`Standing`), computed when the
/// payment came, and the label as of a moment. So no line knows what came later but by its label,
/// and the label says who knew it and since when.
///
///     {"movement","event_id","created","amount","currency","merchant","values":[8 numbers],
///      "model","score","verdict","label","label_source","label_at","matures_at","mature"}
///
/// `label` is 1 (fraud), 0 or null (nobody knows yet); times are Unix seconds; `amount` counts the
/// currency's smallest unit. No customer, card or device is in it.
package struct ModelDataset {
    /// What its manifest calls the form.
    package static let schema = "model.dataset/1"

    private let maturity: LabelMaturity
    private let evidence: FraudEvidence
    /// Payments that were made in it.
    private let period: ClosedRange<Instant>
    private let digest = SHA256Stream()
    private var summary: Summary

    /// - Parameter period: which payments, by the `created` of the event that was scored; what
    ///   lies behind `evidence.asOf` is left out anyway.
    package init(
        evidence: FraudEvidence, maturity: LabelMaturity, period: ClosedRange<Instant>
    ) {
        self.evidence = evidence
        self.maturity = maturity
        self.period = period
        summary = Summary(asOf: evidence.asOf, maturity: maturity)
    }

    /// What was written.
    package struct Summary: Hashable, Sendable {
        package let asOf: Instant
        package let maturity: LabelMaturity
        package var rows = 0
        package var mature = 0
        package var fraud = 0
        package var unlabelled = 0
        /// Labelled rows by who says so.
        package var bySource: [FraudLabel.Source: Int] = [:]
        /// Payments that were left out for want of a vector.
        package var withoutFeatures = 0
        package var damaged = 0
        package var first: Instant?
        package var last: Instant?
        /// Of the lines, in hex.
        package var sha256 = ""
    }

    /// Where a movement's standing scoring is. A digest of 64 bits stands for its key: among a
    /// million payments two share one with a chance of 3 in 10^8, and one of them is then left out.
    private struct Place {
        var offset: Int64
        var standing: Standing
    }

    /// Writes the lines in the order of the log. Memory is about 50 bytes a payment.
    ///
    /// - Parameters:
    ///   - history: at its beginning.
    ///   - progress: scorings done, and of how many; they are read twice.
    ///   - write: takes some lines.
    /// - Throws: `StoreFailure`, what `write` throws.
    package mutating func run(
        _ history: ScoredHistory, progress: (Int64, Int64) -> Void = { _, _ in },
        _ write: (String) throws -> Void
    ) throws -> Summary {
        let total = history.end.rawValue * 2
        let standing = try Self.standing(in: history, asOf: evidence.asOf) { progress($0, total) }
        var history = history
        while let page = try history.page() {
            var writer = JSONWriter(capacity: 1 << 16)
            for scoring in page {
                let place = standing[Self.key(of: scoring.scored.event)]
                guard place?.offset == scoring.offset.rawValue else { continue }
                add(scoring, to: &writer)
            }
            digest.add(writer.bytes)
            try write(String(decoding: writer.bytes, as: UTF8.self))
            progress(history.end.rawValue + history.next.rawValue, total)
        }
        summary.damaged = history.damagedCount
        summary.sha256 = String(hex: digest.finish())
        return summary
    }

    /// The scoring that stands for each movement, of those that were told by the moment.
    private static func standing(
        in history: ScoredHistory, asOf: Instant, progress: (Int64) -> Void
    ) throws(StoreFailure) -> [UInt64: Place] {
        var history = history
        var places: [UInt64: Place] = [:]
        while let page = try history.page() {
            for scoring in page where scoring.scored.event.created <= asOf {
                let key = key(of: scoring.scored.event)
                let weight = Standing(scoring.scored)
                if let known = places[key], weight < known.standing { continue }
                places[key] = Place(offset: scoring.offset.rawValue, standing: weight)
            }
            progress(history.next.rawValue)
        }
        return places
    }

    static func key(of event: PaymentEvent) -> UInt64 {
        FNV1a.digest(of: event.movement.rawValue.utf8)
    }

    private mutating func add(_ scoring: HistoricScoring, to writer: inout JSONWriter) {
        let event = scoring.scored.event
        guard period.contains(event.created) else { return }
        guard let vector = scoring.vector else {
            summary.withoutFeatures += 1
            return
        }
        let (label, isMature) = maturity.label(of: event, by: evidence)
        count(event, label, isMature)
        writer.beginObject()
        writer.member("movement", event.movement.rawValue)
        writer.member("event_id", event.eventID.rawValue)
        writer.member("created", event.created.seconds)
        writer.member("amount", event.amount.rawValue)
        writer.member("currency", event.currency.code)
        writer.member("merchant", event.merchant.rawValue)
        writer.key("values")
        writer.beginArray()
        for place in 0..<FeatureVector.count { writer.float(vector[place]) }
        writer.endArray()
        writer.member("model", scoring.scored.model)
        writer.member("score", scoring.scored.score)
        writer.member("verdict", scoring.scored.verdict.rawValue)
        writer.member("label", label.map { Int64($0.isFraud ? 1 : 0) })
        writer.member("label_source", label?.source.rawValue)
        writer.member("label_at", label?.at?.seconds)
        writer.member("matures_at", maturity.instant(of: event.created).seconds)
        writer.member("mature", isMature)
        writer.endObject()
        writer.plain("\n")
        writer.beginDocument()
    }

    private mutating func count(_ event: PaymentEvent, _ label: FraudLabel?, _ isMature: Bool) {
        summary.rows += 1
        if isMature { summary.mature += 1 }
        summary.first = summary.first.map { min($0, event.created) } ?? event.created
        summary.last = summary.last.map { max($0, event.created) } ?? event.created
        guard let label else {
            summary.unlabelled += 1
            return
        }
        if label.isFraud { summary.fraud += 1 }
        summary.bySource[label.source, default: 0] += 1
    }
}

extension ModelDataset.Summary {
    /// One JSON object: the data set's manifest.
    package func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("schema", ModelDataset.schema)
        writer.key("features")
        writer.beginArray()
        for name in Feature.names { writer.string(name) }
        writer.endArray()
        writer.member("as_of", asOf.seconds)
        writer.member("maturity_days", Int64(maturity.days))
        writer.member("rows", Int64(rows))
        writer.member("mature", Int64(mature))
        writer.member("fraud", Int64(fraud))
        writer.member("unlabelled", Int64(unlabelled))
        writer.key("labels")
        writer.beginObject()
        for source in FraudLabel.Source.allCases {
            writer.key(named: source.rawValue)
            writer.int(Int64(bySource[source] ?? 0))
        }
        writer.endObject()
        writer.member("without_features", Int64(withoutFeatures))
        writer.member("damaged", Int64(damaged))
        writer.member("first_created", first?.seconds)
        writer.member("last_created", last?.seconds)
        writer.member("sha256", sha256)
        writer.endObject()
    }
}
