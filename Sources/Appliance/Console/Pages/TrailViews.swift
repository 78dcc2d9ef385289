import AppendLog
import Appliance
import Vocabulary

/// A transaction of the ledger and what led to it, down to the bytes of the webhook.
struct TrailView {
    struct Line {
        var account, href: String
        var amount: ShownAmount
    }

    struct Sum {
        var amount: ShownAmount
        var isZero: Bool
    }

    struct Point {
        var words: String
        var record: String?
        var isStop: Bool
    }

    struct Statement {
        var id, type: String
        var amount, fee, net: ShownAmount
        var isWrong: Bool
        /// nil where it is in no payout yet, or none is known.
        var paidOut: Payout?
    }

    /// The payout that paid a line out, and its day.
    struct Payout { var name, href, day: String }

    struct Decision {
        var words: String
        var note: String?
        var moment: ShownMoment
        var point: Point
    }

    struct Webhook {
        var words: String
        var received: ShownMoment
        var signature: ShownState
        var origin: String?
        var numbers: [Number]
        var pieces: [Piece]
    }

    struct Number { var words, path: String }
    /// A part of the shown bytes; marked where it is the number itself.
    struct Piece {
        var text: String
        var isMarked: Bool
    }

    var id, href, kind, movement, movementHref: String
    /// Of the account whose explanation this is a part of.
    var amount: ShownAmount?
    var balance: ShownAmount?
    var effective, posted: ShownMoment
    var hash: String
    var event: String
    var lines: [Line]
    /// The sum of each currency's lines, all zero in a sound transaction.
    var sums: [Sum]
    var points: [Point]
    var redriven: String?
    var webhook: Webhook?
    var hasNoWebhook: Bool
    var decision: Decision?
    var statement: [Statement]
    var faults: [String]
}

extension TrailView {
    /// - Parameters:
    ///   - entry: the entry of one account that is to be explained; nil explains all of it.
    ///   - account: that account.
    init(
        _ explained: ExplainedTransaction, entry: ExplainedEntry? = nil,
        of account: Appliance.AccountName? = nil, _ currency: Currency? = nil
    ) {
        let transaction = explained.transaction
        let posting = transaction.posting
        let lines = posting.entries.map { line in
            Line(
                account: ShownText.escaped(line.account.rawValue),
                href: AccountPath.href(line.account, line.currency),
                amount: ShownAmount(line.amount, line.currency))
        }
        self.init(
            id: ShownAmount.grouped(transaction.id.rawValue),
            href: "/ledger/transactions/\(transaction.id)",
            kind: posting.kind.words, movement: ShownText.escaped(posting.movement.rawValue),
            movementHref: AccountPath.explain(posting.movement.rawValue),
            amount: currency.flatMap { currency in
                entry.map { ShownAmount($0.amount, currency) }
            },
            balance: currency.flatMap { currency in
                entry.map { ShownAmount($0.balance, currency) }
            },
            effective: ShownMoment(posting.effectiveAt),
            posted: ShownMoment(Timestamp(milliseconds: transaction.postedAtMilliseconds)),
            hash: String(hex: transaction.hash), event: ShownText.escaped(posting.eventID.rawValue),
            lines: lines, sums: Self.sums(posting),
            points: explained.records.map(Self.point),
            redriven: explained.redrivenFrom.map { "\($0)" },
            webhook: nil, hasNoWebhook: explained.webhook == nil,
            decision: explained.decision.map(Self.decision),
            statement: explained.statement.map(Self.line),
            faults: explained.faults.map(ShownText.escaped))
        let accounts = account.map { [$0] } ?? posting.entries.map(\.account)
        webhook = explained.webhook.map { Self.webhook($0, explained, accounts, posting) }
    }

    private static func sums(_ posting: Posting) -> [Sum] {
        Dictionary(grouping: posting.entries, by: \.currency).sorted { $0.key.code < $1.key.code }
            .map { currency, lines in
                let sum = lines.reduce(MinorUnits.zero) { $0 &+ $1.amount }
                return Sum(amount: ShownAmount(sum, currency), isZero: sum == .zero)
            }
    }

    private static func point(_ point: TrailPoint) -> Point {
        let topic = point.topic.rawValue
        return switch point.state {
        case .at(let offset):
            Point(
                words: LogPath.words(point.topic, point.partition, offset),
                record: LogPath.page(point.topic, point.partition, query: "from=\(offset)"),
                isStop: false)
        case .removed(let begins):
            Point(
                words: "\(topic): gone by the log’s retention, which begins at "
                    + ShownAmount.grouped(begins.rawValue), isStop: false)
        case .missing: Point(words: "\(topic): missing", isStop: true)
        case .pending: Point(words: "\(topic): still to be published", isStop: false)
        case .noLog:
            Point(words: "\(topic): its log is elsewhere, and was not read", isStop: false)
        }
    }

    private static func decision(_ decision: ExplainedDecision) -> Decision {
        let record = decision.record
        let by = record.by.isEmpty ? "somebody" : ShownText.escaped(record.by)
        return Decision(
            words: "\(record.state.rawValue.sentence) by \(by)",
            note: record.note.map(ShownText.escaped), moment: ShownMoment(record.at),
            point: point(decision.point))
    }

    private static func line(_ line: StatementLine) -> Statement {
        Statement(
            id: ShownText.escaped(line.id), type: ShownText.escaped(line.type),
            amount: ShownAmount(line.amount, line.currency),
            fee: ShownAmount(line.fee, line.currency), net: ShownAmount(line.net, line.currency),
            isWrong: !line.isRight,
            paidOut: line.payout.map { payout in
                Payout(
                    name: ShownText.escaped(payout.id), href: AccountPath.explain(payout.id),
                    day: ShownMoment(payout.created).day)
            })
    }

    // MARK: Bytes

    private static func webhook(
        _ webhook: ExplainedWebhook, _ explained: ExplainedTransaction,
        _ accounts: [Appliance.AccountName], _ posting: Posting
    ) -> Webhook {
        var numbers = explained.numbers(for: accounts[0])
        for account in accounts.dropFirst() {
            for number in explained.numbers(for: account) where !numbers.contains(number) {
                numbers.append(number)
            }
        }
        let name = ShownText.escaped(webhook.endpoint)
        let isValid = if case .valid = webhook.signature { true } else { false }
        return Webhook(
            words: "\(ShownText.escaped(webhook.type ?? "no type")), "
                + ShownNumber.count(Int64(webhook.byteCount), "byte")
                + (name.isEmpty ? "" : ", endpoint \(name)"),
            received: ShownMoment(webhook.receivedAt),
            signature: ShownState(
                isValid
                    ? "Signature valid, computed again now"
                    : webhook.signature.sentence.sentence, isValid ? "ok" : "",
                dot: isValid ? "ok" : "o"),
            origin: origin(explained.origin, posting),
            numbers: numbers.map { number in
                Number(
                    words: "\(number.isSubtracted ? "less " : "")\(number.value), bytes "
                        + "\(number.range.lowerBound) to \(number.range.upperBound - 1)",
                    path: ShownText.escaped(number.path))
            }, pieces: pieces(webhook, numbers.map(\.range)))
    }

    private static func origin(_ origin: AmountOrigin, _ posting: Posting) -> String? {
        switch origin {
        case .told: return nil
        case .grown(let total):
            guard let currency = posting.entries.first?.currency else { return nil }
            return "The event tells \(ShownAmount(total, currency).words) in all; this is what was "
                + "not booked before."
        case .moved: return "What the ledger held of it, moved to another account."
        case .unknown: return "The amount is told nowhere in these bytes."
        }
    }

    /// The excerpt, cut where its marked numbers begin and end.
    private static func pieces(_ webhook: ExplainedWebhook, _ marks: [Range<Int>]) -> [Piece] {
        let (range, bytes) = (webhook.excerpt.range, webhook.excerpt.bytes)
        func text(_ part: Range<Int>) -> String {
            let low = part.lowerBound - range.lowerBound
            return ShownText.escaped(
                String(decoding: bytes[low..<low + part.count], as: UTF8.self))
        }
        var pieces: [Piece] = []
        var place = range.lowerBound
        if place > 0 { pieces.append(Piece(text: "…", isMarked: false)) }
        let inside = marks.map { $0.clamped(to: range) }
        for mark in inside.sorted(by: { $0.lowerBound < $1.lowerBound })
        where !mark.isEmpty && mark.lowerBound >= place {
            pieces.append(Piece(text: text(place..<mark.lowerBound), isMarked: false))
            pieces.append(Piece(text: text(mark), isMarked: true))
            place = mark.upperBound
        }
        pieces.append(Piece(text: text(place..<range.upperBound), isMarked: false))
        if range.upperBound < webhook.byteCount {
            pieces.append(Piece(text: "…", isMarked: false))
        }
        return pieces
    }
}

/// Addresses within the ledger's pages.
enum AccountPath {
    static func href(_ account: Appliance.AccountName, _ currency: Currency) -> String {
        "/ledger/accounts/\(PathText.escaped(account.rawValue))/\(currency.code)"
    }

    static func explain(_ words: String) -> String {
        "/ledger/explain?of=\(PathText.escaped(words))"
    }
}

extension PostingKind {
    /// `Dispute withdrawn`
    var words: String { name.replacing("_", with: " ").sentence }
}
