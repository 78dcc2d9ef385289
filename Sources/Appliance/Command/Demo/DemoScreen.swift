import Foundation
import Terminal
import Vocabulary

/// The demo's picture of one moment, drawn for a terminal of any size from 80 × 24 on.
///
///     title, where it is, what it plays
///     the flow: Stripe ─▶ gate ─▶ validate ─▶ score ─▶ ledger, each with its rate and its counts
///     how long it takes
///     single payments, as many as there is room for, the newest at the end
///     the sums: debits minus credits by currency, and what was booked
///     how to reconcile it
///
/// Pure: the same moment gives the same lines.
struct DemoScreen: Sendable {
    /// In less than these the picture is not drawn.
    static let columnsMin = 80
    static let rowsMin = 24

    var now: DemoFigures
    /// Some seconds earlier: rates are taken between the two.
    var before: DemoFigures
    /// What is played, where the data and the twin are: a line each.
    var about: [String]
    /// Oldest first.
    var payments: [DemoPayment]
    /// Debits minus credits over all accounts, by currency; nil while it is not known.
    var sums: [Currency: Int64]?
    /// Commands to paste, each on a line of its own however long it is.
    var hints: [String]
    /// The latest warning, if there was one.
    var warning: String?

    /// One stage of the flow.
    private struct Stage {
        var name: String
        var facts: [Fact]

        /// - Parameter rate: what comes out of it in a second.
        init(_ name: String, rate: Double, _ facts: [Fact]) {
            self.name = name
            self.facts = [.text(StyledText(DemoNumber.perSecond(rate), .flow))] + facts
        }
    }

    private enum Fact {
        case text(StyledText)
        /// The style is for a count above zero.
        case count(Int, String, StyledText.Style = .plain)

        /// Its width where nothing is cut off.
        func width(in unit: CountUnit) -> Int {
            switch self {
            case .text(let text): text.width
            case .count(let count, let word, _): unit.words(count).count + 1 + word.count
            }
        }

        func text(in unit: CountUnit, within width: Int) -> StyledText {
            switch self {
            case .text(let text): return text.cut(to: width)
            case .count(let count, let word, let style):
                var text = StyledText(unit.words(count), count > 0 ? style : .muted)
                text.append(" " + word, .muted)
                return text.cut(to: width)
            }
        }
    }

    /// What the counts of a picture are told in: the same for all of them, since 11 k beside 6,500
    /// is read as less.
    private enum CountUnit: CaseIterable {
        case ones, thousands, millions

        func words(_ count: Int) -> String {
            switch self {
            case .millions where count >= 1_000_000:
                DemoNumber.grouped(count / 1_000_000) + " M"
            case .thousands, .millions:
                count >= 1_000 ? DemoNumber.grouped(count / 1_000) + " k" : "\(count)"
            case .ones: DemoNumber.grouped(count)
            }
        }
    }

    /// Exactly `rows` lines at most, none wider than `columns`; a hint that is longer takes the
    /// lines that the terminal breaks it into.
    func lines(columns: Int, rows: Int) -> [StyledText] {
        guard columns >= Self.columnsMin, rows >= Self.rowsMin else {
            return tooSmall(columns, rows)
        }
        let top = title(columns) + flow(columns) + [times(), StyledText()]
        let bottom = [StyledText()] + balance(columns) + notes(columns)
        let hintRows = hints.reduce(0) { $0 + Self.rows(of: $1.count + 2, columns) }
        let room = rows - top.count - bottom.count - hintRows - 1
        let feed = self.feed(columns, rows: max(0, room))
        let lines = (top + feed + bottom).map { $0.cut(to: columns) }
        return lines + hints.map { StyledText("  " + $0, .flow) }
    }

    /// In place of the picture where there is no room for it.
    private func tooSmall(_ columns: Int, _ rows: Int) -> [StyledText] {
        var sum = StyledText("\(Counted.words(now[.booked], "transaction")), ")
        sum.append(proof)
        let lines = [
            StyledText("Tillbox runs. Ctrl-C ends it", .strong), sum,
            StyledText("this terminal: \(columns) × \(rows)", .muted),
            StyledText("the picture: \(Self.columnsMin) × \(Self.rowsMin)", .muted),
        ]
        return lines.prefix(rows).map { $0.cut(to: columns) }
    }

    /// Lines that a terminal breaks a text into.
    static func rows(of width: Int, _ columns: Int) -> Int {
        max(1, (width + columns - 1) / columns)
    }

    private func title(_ columns: Int) -> [StyledText] {
        var title = StyledText("  Tillbox", .strong)
        title.append("  a payments backbone in one box", .muted)
        title.pad(to: columns - 14)
        title.append("Ctrl-C ends it", .muted)
        return [title] + about.map { StyledText("  " + $0, .muted) } + [StyledText()]
    }
}

// MARK: - The flow

extension DemoScreen {
    /// Shares of the width, made for the longest words under each stage and, but for the last one,
    /// a space behind them: at 80 columns it is these columns.
    private static let flowShares = [13, 16, 16, 15, 18]

    private func flow(_ columns: Int) -> [StyledText] {
        let stages = [stripe, gate, validate, score, ledger]
        let whole = Self.flowShares.reduce(0, +)
        let widths = Self.flowShares.map { $0 * (columns - 2) / whole }
        // What a stage's facts may take.
        let rooms = widths.enumerated().map { $0 == widths.count - 1 ? $1 : $1 - 1 }
        var names = StyledText("  ")
        for (stage, width) in zip(stages, widths) {
            if names.width > 2 { names.append(" ─▶ ", .flow) }
            let isLast = stage.name == stages.last?.name
            names.append(StyledText(stage.name, .strong).fit(isLast ? width : width - 4))
        }
        let unit = CountUnit.allCases.first { unit in
            zip(stages, rooms).allSatisfy { stage, room in
                stage.facts.allSatisfy { $0.width(in: unit) <= room }
            }
        } ?? .millions
        let depth = stages.map(\.facts.count).max() ?? 0
        let facts = (0..<depth).map { row in
            var line = StyledText("  ")
            var place = 2
            for (index, stage) in stages.enumerated() {
                line.pad(to: place)
                if row < stage.facts.count {
                    line.append(stage.facts[row].text(in: unit, within: rooms[index]))
                }
                place += widths[index]
            }
            return line
        }
        return [names] + facts + [StyledText()]
    }

    private var stripe: Stage {
        let delivered: [Counters.Name] = [.admitted, .duplicates, .signatureRefused]
        return Stage(
            "Stripe", rate: delivered.reduce(0) { $0 + now.rate($1, since: before) },
            [.count(delivered.reduce(0) { $0 + now[$1] }, "webhooks")])
    }

    private var gate: Stage {
        Stage(
            "gate", rate: now.rate(.admitted, since: before),
            [
                .count(now[.admitted], "admitted"), .count(now[.duplicates], "duplicates"),
                .count(now[.signatureRefused], "forged"),
            ])
    }

    private var validate: Stage {
        Stage(
            "validate", rate: now.rate(.validated, since: before),
            [
                .count(now[.validated], "movements"), .count(now[.ignored], "ignored"),
                .count(now[.deadLetters], "dead letters", .bad),
            ])
    }

    private var score: Stage {
        Stage(
            "score", rate: now.judgedRate(since: before),
            [
                .count(now.judged, "judged"), .count(now[.approved], "approved"),
                .count(now[.flagged], "in review", .warning),
                .count(now[.blocked], "blocked", .bad),
            ])
    }

    private var ledger: Stage {
        Stage(
            "ledger", rate: now.rate(.booked, since: before),
            [.count(now[.booked], "transactions"), .text(proof)])
    }

    /// Whether all accounts sum to zero.
    private var proof: StyledText {
        guard let sums else { return StyledText("sum not read yet", .muted) }
        return sums.values.allSatisfy { $0 == 0 }
            ? StyledText("sums to zero", .good) : StyledText("out of balance", .bad)
    }

    private func times() -> StyledText {
        var line = StyledText("  to 200  ", .muted)
        line.append(pair(now.acknowledged))
        line.append("     to the ledger  ", .muted)
        line.append(pair(now.endToEnd))
        return line
    }

    private func pair(_ quantiles: [Int64]) -> StyledText {
        var pair = StyledText("p50 ", .muted)
        pair.append(DemoNumber.duration(quantiles[0]))
        pair.append("  p99 ", .muted)
        pair.append(DemoNumber.duration(quantiles[1]))
        return pair
    }
}

// MARK: - Payments and sums

extension DemoScreen {
    /// Where the columns of the feed end; the reasons take the rest.
    private enum Column {
        static let amount = 17
        static let verdict = 28
        static let time = 38
    }

    private func feed(_ columns: Int, rows: Int) -> [StyledText] {
        guard rows > 1 else { return [] }
        var head = StyledText("  payment")
        head.pad(to: Column.amount + 3)
        head.append("verdict")
        head.pad(to: Column.time - 5)
        head.append("booked in  why, or the booked pair")
        let shown = payments.suffix(rows - 1).map(row)
        return [StyledText(head.plain, .muted)] + shown
            + Array(repeating: StyledText(), count: rows - 1 - shown.count)
    }

    private func row(_ payment: DemoPayment) -> StyledText {
        let amount = DemoNumber.money(payment.amount.rawValue, payment.currency)
        var row = StyledText()
        row.pad(to: Column.amount - amount.count - 4)
        row.append(amount, .strong)
        row.append(" " + payment.currency.code, .muted)
        row.pad(to: Column.amount + 3)
        row.append(payment.verdict.words, payment.verdict.style)
        let time = "\(payment.latencyMilliseconds) ms"
        row.pad(to: Column.time + 4 - time.count)
        row.append(time)
        row.append("  ")
        row.append(reasons(of: payment))
        return row
    }

    private func reasons(of payment: DemoPayment) -> StyledText {
        guard !payment.reasons.isEmpty else {
            return StyledText(
                "\(Self.short(payment.debit)) → \(Self.short(payment.credit))", .muted)
        }
        return StyledText(payment.reasons.prefix(2).map(\.words).joined(separator: ", "))
    }

    /// An account without its first word: `default:payable`.
    private static func short(_ account: String) -> String {
        account.split(separator: ":", maxSplits: 1).last.map(String.init) ?? account
    }

    /// Volume by currency, and that debits minus credits are zero in each.
    private func balance(_ columns: Int) -> [StyledText] {
        var lines: [StyledText] = []
        var line = StyledText("  payments booked", .muted)
        for (currency, amount) in now.volume.sorted(by: { $0.key.code < $1.key.code }) {
            var part = StyledText("   " + DemoNumber.money(amount, currency))
            part.append(" " + currency.code, .muted)
            if line.width + part.width > columns {
                lines.append(line)
                line = StyledText("                 ")
            }
            line.append(part)
        }
        lines.append(line)
        var sum = StyledText("  debits − credits", .muted)
        for (currency, amount) in (sums ?? [:]).sorted(by: { $0.key.code < $1.key.code }) {
            let part = "  \(DemoNumber.money(amount, currency)) \(currency.code)"
            guard sum.width + part.count < columns else { break }
            sum.append(part, amount == 0 ? .good : .bad)
        }
        return lines + [sum]
    }

    private func notes(_ columns: Int) -> [StyledText] {
        warning.map { [StyledText("  " + $0, .warning)] } ?? []
    }
}

extension Verdict {
    /// As the console says it.
    fileprivate var words: String {
        switch self {
        case .notScored: "not scored"
        case .approve: "approved"
        case .manualReview: "in review"
        case .block: "blocked"
        }
    }

    fileprivate var style: StyledText.Style {
        switch self {
        case .notScored, .approve: .muted
        case .manualReview: .warning
        case .block: .bad
        }
    }
}

extension VerdictReason {
    /// For people: `amount z-score 4.1`, `features missing`.
    var words: String {
        switch self {
        case .rule(let name): name.replacing("_", with: " ")
        case .feature(let name, let value, _): Self.words(name, value)
        }
    }

    private static func words(_ feature: String, _ value: Double) -> String {
        let count = Int(value.rounded())
        return switch feature {
        case "tx_velocity_1m": "\(Counted.words(count, "payment")) within a minute"
        case "tx_velocity_1h": "\(Counted.words(count, "payment")) within an hour"
        case "amount_zscore": "amount \(tenths(value)) deviations from the usual"
        case "merchant_risk_score": "disputes at this merchant \(tenths(value * 100)) %"
        case "device_switch_flag": value == 0 ? "the same device" : "another device"
        case "country_mismatch_flag":
            value == 0 ? "card and billing country agree" : "card and billing country differ"
        case "failed_attempts_1h": "\(Counted.words(count, "failure")) within an hour"
        case "log_seconds_since_last": value < 0 ? "first payment" : "last payment \(ago(value))"
        default: "\(feature) \(tenths(value))"
        }
    }

    private static func tenths(_ value: Double) -> String {
        let tenths = (value * 10).rounded()
        guard tenths.magnitude < 1e15 else { return "\(value)" }
        let whole = Int(tenths)
        return (whole < 0 ? "−" : "") + "\(whole.magnitude / 10).\(whole.magnitude % 10)"
    }

    /// `ln(1 + seconds)` in words.
    private static func ago(_ logarithm: Double) -> String {
        Figures.ago(seconds: exp(min(logarithm, 30)) - 1)
    }
}
