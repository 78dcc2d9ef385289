import AppendLog
import Appliance
import Vocabulary

/// What payments would have got under other thresholds, beside what they got.
///
/// A payment counts once, as it was judged last. Rules hold as they did: what a rule sent to a
/// person is not approved by a score, and what has no score keeps its verdict.
struct ThresholdForecast {
    /// Which payments are looked at.
    enum Span: String, CaseIterable {
        /// The last whole UTC day.
        case day
        /// The newest ``lastMax`` records.
        case last
    }

    /// What is known of a payment's last judgement.
    struct Judged: Hashable {
        var verdict: Verdict
        var score: Double?
        var hasRule: Bool
        var amount: MinorUnits
        var currency: Currency
    }

    /// How many payments of one verdict there are, and what they come to.
    struct Tally: Hashable {
        var count: Int64 = 0
        var amount = MinorUnits.zero
    }

    /// Payments of one currency by their verdict.
    struct Line: Hashable {
        var actual: [Verdict: Tally] = [:]
        var other: [Verdict: Tally] = [:]
    }

    static let lastMax: Int64 = 10_000
    /// Records of one day that are looked at; a day that has more is cut.
    static let dayMax = 100_000

    var lines: [Currency: Line] = [:]
    var count: Int64 = 0
    /// Those whose verdict would have been another.
    var changedCount: Int64 = 0
    /// Those without a score, whose verdict no threshold changes.
    var unscoredCount: Int64 = 0

    init(_ payments: some Sequence<Judged>, _ thresholds: ModelSchema.Thresholds) {
        for payment in payments {
            let other = Self.verdict(of: payment, thresholds)
            var line = lines[payment.currency] ?? Line()
            line.actual[payment.verdict, default: Tally()].add(payment.amount)
            line.other[other, default: Tally()].add(payment.amount)
            lines[payment.currency] = line
            count += 1
            if other != payment.verdict { changedCount += 1 }
            if payment.score == nil { unscoredCount += 1 }
        }
    }

    static func verdict(of payment: Judged, _ thresholds: ModelSchema.Thresholds) -> Verdict {
        guard let score = payment.score else { return payment.verdict }
        let byScore = thresholds.verdict(of: score)
        return payment.hasRule ? max(byScore, .manualReview) : byScore
    }

    /// Payments of a span, each as it was judged last in it.
    ///
    /// - Parameter now: decides which day was the last whole one.
    /// - Returns: whether there were more than are looked at.
    /// - Throws: `StoreFailure`.
    static func payments(
        of span: Span, in topic: TopicReader, now: Instant
    ) throws(StoreFailure) -> (payments: [Judged], isCut: Bool) {
        let today = Timestamp(milliseconds: Instant(utcDay: now.utcDay).seconds * 1_000)
        let yesterday = Timestamp(milliseconds: today.milliseconds - 86_400_000)
        let from: Offset
        switch span {
        case .last: from = Offset(max(topic.start.rawValue, topic.end.rawValue - lastMax))
        case .day:
            guard let first = try topic.offset(at: yesterday) else { return ([], false) }
            from = first
        }
        let document = JSONDocument()
        var (judged, seen, isCut): ([MovementKey: Judged], Int, Bool) = ([:], 0, false)
        try topic.scan(from: from) { stored in
            if span == .day, stored.record.timestamp >= today { return false }
            guard seen < dayMax else {
                isCut = true
                return false
            }
            seen += 1
            guard let scored = try? ScoredPayment(stored.record.value ?? [], using: document),
                scored.verdict != .notScored
            else { return true }
            judged[scored.event.movement] = Judged(scored)
            return true
        }
        return (Array(judged.values), isCut)
    }
}

extension ThresholdForecast.Judged {
    init(_ scored: ScoredPayment) {
        verdict = scored.verdict
        score = scored.score
        hasRule = scored.reasons.contains {
            if case .rule = $0 { true } else { false }
        }
        amount = scored.event.amount
        currency = scored.event.currency
    }
}

extension ThresholdForecast.Tally {
    fileprivate mutating func add(_ more: MinorUnits) {
        count += 1
        amount = amount &+ more
    }
}
