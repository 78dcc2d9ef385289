import AppendLog
import Appliance
import Hummingbird
import Vocabulary

/// The decisions that a number of the report on reviews counts:
/// `/reports/decisions?state&currency&from&to`, read from `payment.review` itself.
struct DecisionPages: Sendable {
    let pages: ConsolePages

    private var parts: ConsoleParts { pages.parts }
    private static let rowsMax = 200
    /// Records of `payment.review` that a page looks through.
    private static let searchMax = 20_000
    /// Records in a row behind the period after which nothing of it is looked for any more: a clock
    /// that jumped ahead once must not hide what came later.
    private static let lateMax = 1_000
    /// By how much a record's own time and the log's may be apart.
    private static let slackMilliseconds: Int64 = 3_600_000

    struct View {
        struct Row {
            var moment: ShownMoment
            var link, movement, by, note: String
            var amount: ShownAmount
        }

        var sections: [SectionLink]
        var title, words: String
        var rows: [Row]
        var isEmpty: Bool
        /// Where the list goes on; nil where it is whole.
        var next: String?
    }

    func add(to routes: inout AdminRoutes) {
        pages.page(&routes, .get, "/reports/decisions", .viewer) { try list($0) }
    }

    private func list(_ asked: PageRequest) throws -> Response {
        let period = try ReportPeriod(asked, now: parts.now)
        guard let state = asked.query("state").flatMap({ ReviewState(rawValue: $0) }),
            let code = asked.query("currency"), let currency = Currency(code)
        else {
            throw Problem(
                .badRequest, "give state, approved, declined or expired, and currency, as usd")
        }
        let topic = parts.topic(.paymentReview)
        let start = Timestamp(
            milliseconds: period.start.seconds * 1_000 - Self.slackMilliseconds)
        let after = try asked.request.after(QueryNumber.offset)
        let from = try after ?? topic.offset(at: start) ?? topic.end
        let (rows, next) = try rows(
            from: max(from, topic.start), topic, state, currency, period)
        let query = "state=\(state.rawValue)&currency=\(code)&\(period.query)"
        let view = View(
            sections: ReportSection.links(
                at: .day(.reviews), "\(period.query)&currency=\(code)"),
            title: "\(state.rawValue.sentence) in \(code.uppercased())", words: period.words,
            rows: rows, isEmpty: rows.isEmpty,
            next: next.map { "/reports/decisions?\(query)&after=\($0)" })
        return ConsolePages.html("decisions", pages.shell(view.title, .reports, asked), view)
    }

    /// - Returns: those of the period, and the offset to go on from where there may be more.
    private func rows(
        from: Offset, _ topic: TopicReader, _ state: ReviewState, _ currency: Currency,
        _ period: ReportPeriod
    ) throws -> ([View.Row], Offset?) {
        let document = JSONDocument()
        var (records, seen, late, next): ([ReviewRecord], Int, Int, Offset?) = ([], 0, 0, nil)
        let end = period.end.seconds * 1_000 + Self.slackMilliseconds
        try topic.scan(from: from) { stored in
            guard records.count < Self.rowsMax, seen < Self.searchMax else {
                next = stored.offset
                return false
            }
            seen += 1
            late = stored.record.timestamp.milliseconds > end ? late + 1 : 0
            guard late < Self.lateMax else { return false }
            guard let record = try? ReviewRecord(stored.record.value ?? [], using: document),
                record.state == state, record.at >= period.start, record.at <= period.end
            else { return true }
            records.append(record)
            return true
        }
        let rows: [View.Row] = try records.compactMap { record in
            guard let review = try parts.ledger.review(of: record.movement),
                review.currency == currency
            else { return nil }
            return View.Row(
                moment: ShownMoment(record.at), link: CaseView.path(of: record.movement),
                movement: ShownText.escaped(record.movement.rawValue),
                by: ShownText.escaped(record.by), note: ShownText.escaped(record.note ?? ""),
                amount: ShownAmount(review.amount, review.currency))
        }
        return (rows, next)
    }
}
