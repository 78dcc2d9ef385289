import Vocabulary

/// A report: a line for every UTC day and currency, made of the index's sums by day.
enum DayReport: String, CaseIterable {
    case revenue, verdicts, reviews, chargebacks, fees, payouts

    /// A column's value. Amounts are minor units; a rate is a fraction, nil where nothing is
    /// divided by.
    enum Value: Hashable {
        case count(Int64)
        case amount(Int64)
        case rate(Double?)
    }

    /// The words of the index's sums that it is made of.
    var words: [String] {
        switch self {
        case .revenue:
            Self.volume + Self.refunds + Self.disputes + ["fees", "booked:payment_reversed"]
        case .verdicts: Verdict.allCases.map { "verdict:\($0.rawValue)" } + ["payment_failed"]
        case .reviews: ReviewState.allCases.map { "review:\($0.rawValue)" } + [IndexWord.released]
        case .chargebacks: Self.disputes + ["dispute_opened", "booked:payment"]
        case .fees: Self.volume + ["fees"]
        case .payouts:
            [
                "booked:payout", "booked:payout_failed", "booked:payout_debit",
                "booked:payout_debit_failed",
            ]
        }
    }

    private static let volume = ["booked:payment", "booked:capture_grown"]
    private static let refunds = [
        "booked:refund", "booked:refund_failed", "booked:refund_released",
        "booked:refund_restored",
    ]
    private static let disputes = ["booked:dispute_withdrawn", "booked:dispute_reinstated"]

    /// The names of its columns behind day and currency, in their order.
    var columns: [String] { values(of: Sums()).map(\.name) }

    /// What a day, or several, came to in a currency.
    struct Sums {
        private var sums: [String: (count: Int64, amount: Int64)] = [:]

        init(_ sums: some Sequence<DaySum> = EmptyCollection<DaySum>()) {
            for sum in sums {
                let known = self.sums[sum.word] ?? (0, 0)
                self.sums[sum.word] = (known.count &+ sum.count, known.amount &+ sum.amount)
            }
        }

        func count(_ word: String) -> Int64 { sums[word]?.count ?? 0 }
        func amount(_ word: String) -> Int64 { sums[word]?.amount ?? 0 }
    }

    func values(of sums: Sums) -> [(name: String, value: Value)] {
        switch self {
        case .revenue: Self.revenue(sums)
        case .verdicts: Self.verdicts(sums)
        case .reviews: Self.reviews(sums)
        case .chargebacks: Self.chargebacks(sums)
        case .fees:
            [
                ("volume", .amount(Self.volume(sums))), ("fees", .amount(sums.amount("fees"))),
                ("fee_rate", .rate(Self.rate(sums.amount("fees"), of: Self.volume(sums)))),
            ]
        case .payouts:
            [
                ("payouts", .count(sums.count("booked:payout"))),
                ("paid_out", .amount(sums.amount("booked:payout"))),
                ("failed", .count(sums.count("booked:payout_failed"))),
                ("failed_amount", .amount(sums.amount("booked:payout_failed"))),
                (
                    "debited",
                    .amount(
                        sums.amount("booked:payout_debit")
                            &- sums.amount("booked:payout_debit_failed"))
                ),
            ]
        }
    }

    private static func volume(_ sums: Sums) -> Int64 {
        sums.amount("booked:payment") &+ sums.amount("booked:capture_grown")
    }

    private static func disputed(_ sums: Sums) -> Int64 {
        sums.amount("booked:dispute_withdrawn") &- sums.amount("booked:dispute_reinstated")
    }

    private static func revenue(_ sums: Sums) -> [(name: String, value: Value)] {
        let refunded = sums.amount("booked:refund") &- sums.amount("booked:refund_failed")
            &- sums.amount("booked:refund_released") &+ sums.amount("booked:refund_restored")
        let (volume, disputed, fees) = (volume(sums), disputed(sums), sums.amount("fees"))
        let reversed = sums.amount("booked:payment_reversed")
        return [
            ("payments", .count(sums.count("booked:payment"))), ("volume", .amount(volume)),
            ("refunded", .amount(refunded)), ("disputed", .amount(disputed)),
            ("reversed", .amount(reversed)), ("fees", .amount(fees)),
            ("net", .amount(volume &- refunded &- disputed &- reversed &- fees)),
        ]
    }

    private static func verdicts(_ sums: Sums) -> [(name: String, value: Value)] {
        let counts = Verdict.allCases.map { ($0, sums.count("verdict:\($0.rawValue)")) }
        let all = counts.reduce(0) { $0 + ($1.0 == .notScored ? 0 : $1.1) }
        let approved = sums.count("verdict:\(Verdict.approve.rawValue)")
        let reviewed = sums.count("verdict:\(Verdict.manualReview.rawValue)")
        return counts.map { ($0.0.rawValue, .count($0.1)) } + [
            ("failed", .count(sums.count("payment_failed"))),
            ("approval_rate", .rate(rate(approved, of: all))),
            ("review_rate", .rate(rate(reviewed, of: all))),
        ]
    }

    private static func reviews(_ sums: Sums) -> [(name: String, value: Value)] {
        // What scoring released by itself is among the approved, and nobody's error.
        let approved =
            sums.count("review:\(ReviewState.approved.rawValue)") - sums.count(IndexWord.released)
        let declined = sums.count("review:\(ReviewState.declined.rawValue)")
        return ReviewState.allCases.map {
            ($0.rawValue, .count(sums.count("review:\($0.rawValue)")))
        } + [("false_positive_rate", .rate(rate(approved, of: approved + declined)))]
    }

    private static func chargebacks(_ sums: Sums) -> [(name: String, value: Value)] {
        let opened = sums.count("dispute_opened")
        return [
            ("opened", .count(opened)),
            ("withdrawn", .count(sums.count("booked:dispute_withdrawn"))),
            ("withdrawn_amount", .amount(sums.amount("booked:dispute_withdrawn"))),
            ("reinstated", .count(sums.count("booked:dispute_reinstated"))),
            ("reinstated_amount", .amount(sums.amount("booked:dispute_reinstated"))),
            ("dispute_rate", .rate(rate(opened, of: sums.count("booked:payment")))),
        ]
    }

    private static func rate(_ part: Int64, of whole: Int64) -> Double? {
        whole == 0 ? nil : Double(part) / Double(whole)
    }
}

extension DayReport {
    /// One line of a report.
    struct Line {
        /// `2025-03-01`
        var day: String
        var currency: String
        var values: [(name: String, value: Value)]
    }

    /// - Parameter sums: by day and currency.
    func lines(of sums: [DaySum]) -> [Line] {
        var lines: [Line] = []
        var rest = sums[...]
        while let first = rest.first {
            let run = rest.prefix { $0.day == first.day && $0.currency == first.currency }
            rest = rest.dropFirst(run.count)
            lines.append(
                Line(
                    day: Instant(utcDay: first.day).dayText, currency: first.currency,
                    values: values(of: Sums(run))))
        }
        return lines
    }
}
