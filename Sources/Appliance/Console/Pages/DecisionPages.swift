import AppendLog
package import Appliance
import Hummingbird
import Vocabulary

/// The decisions that a number of the report on reviews counts:
/// `/reports/decisions?state&currency&from&to`.
struct DecisionPages: Sendable {
    let pages: ConsolePages
    let source: DecisionSource

    private var parts: ConsoleParts { pages.parts }
    private static let rowsMax = 200

    struct View {
        struct Row {
            var moment: ShownMoment
            var link, movement, by, note: String
            var amount: ShownAmount
        }

        var sections: [SectionLink]
        var title, words: String
        /// Whether they are read from `payment.review` itself.
        var isOfLog: Bool
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
        let (rows, next) = try rows(
            DecisionSource.Question(
                state: state, currency: currency, period: period, after: asked.query("after"),
                limit: Self.rowsMax))
        let query = "state=\(state.rawValue)&currency=\(code)&\(period.query)"
        let view = View(
            sections: parts.reportLinks(
                at: .day(.reviews), "\(period.query)&currency=\(code)"),
            title: "\(state.rawValue.sentence) in \(code.uppercased())", words: period.words,
            isOfLog: source.isOfLog, rows: rows, isEmpty: rows.isEmpty,
            next: next.map { "/reports/decisions?\(query)&after=\(PathText.escaped($0))" })
        return ConsolePages.html("decisions", pages.shell(view.title, .reports, asked), view)
    }

    private func rows(
        _ question: DecisionSource.Question
    ) throws -> (rows: [View.Row], next: String?) {
        let (records, next) = try source.page(question)
        let rows: [View.Row] = try records.compactMap { record in
            guard let review = try parts.ledger.review(of: record.movement),
                review.currency == question.currency
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

/// Where decided reviews are listed from: `payment.review` itself where this process has the log,
/// else what the ledger has made of it. Blocking.
package struct DecisionSource: Sendable {
    struct Question {
        var state: ReviewState
        var currency: Currency
        var period: ReportPeriod
        /// The `next` of an earlier page.
        var after: String?
        var limit: Int
    }

    let isOfLog: Bool
    /// Some of the period, oldest first, and where to go on; some may be in another currency.
    let page: @Sendable (Question) throws -> (records: [ReviewRecord], next: String?)

    /// Records that one page looks through.
    private static let searchMax = 20_000
    /// Records in a row behind the period after which nothing of it is looked for any more: a clock
    /// that jumped ahead once must not hide what came later.
    private static let lateMax = 1_000
    /// By how much a record's own time and the log's may be apart.
    private static let slackMilliseconds: Int64 = 3_600_000
    /// Rows of the ledger that are asked for at once.
    private static let chunkCount = 1_000

    /// Of a log whose topics have one partition.
    init(topic: @escaping @Sendable () -> TopicReader) {
        isOfLog = true
        page = { question in
            let topic = topic()
            let start = Timestamp(
                milliseconds: question.period.start.seconds * 1_000 - Self.slackMilliseconds)
            let after = try question.after.map { word in
                guard let offset = QueryNumber.offset(word) else { throw Self.badPlace }
                return offset
            }
            let from = try after ?? topic.offset(at: start) ?? topic.end
            return try Self.records(from: max(from, topic.start), topic, question)
        }
    }

    /// Of the ledger, which has taken each decision once.
    package init(_ ledger: any LedgerSQL) {
        isOfLog = false
        page = { question in
            var place = try question.after.map { word in
                guard let place = DecidedPlace(word) else { throw Self.badPlace }
                return place
            }
            var (records, seen): ([ReviewRecord], Int) = ([], 0)
            while seen < Self.searchMax {
                let chunk = try ledger.decided(
                    question.state, from: question.period.start, to: question.period.end,
                    after: place, limit: Self.chunkCount)
                for found in chunk {
                    guard records.count < question.limit else { return (records, place?.token) }
                    place = found.place
                    if found.currency == question.currency.code { records.append(found.record) }
                }
                seen += chunk.count
                if chunk.count < Self.chunkCount { return (records, nil) }
            }
            return (records, place?.token)
        }
    }

    private static let badPlace = Problem(
        .badRequest, "after must be the `next` of an earlier page")

    /// - Returns: those of the period, and the offset to go on from where there may be more.
    private static func records(
        from: Offset, _ topic: TopicReader, _ question: Question
    ) throws -> ([ReviewRecord], String?) {
        let (document, period) = (JSONDocument(), question.period)
        var (records, seen, late, next): ([ReviewRecord], Int, Int, Offset?) = ([], 0, 0, nil)
        let end = period.end.seconds * 1_000 + slackMilliseconds
        try topic.scan(from: from) { stored in
            guard records.count < question.limit, seen < searchMax else {
                next = stored.offset
                return false
            }
            seen += 1
            late = stored.record.timestamp.milliseconds > end ? late + 1 : 0
            guard late < lateMax else { return false }
            guard let record = try? ReviewRecord(stored.record.value ?? [], using: document),
                record.state == question.state, record.at >= period.start,
                record.at <= period.end
            else { return true }
            records.append(record)
            return true
        }
        return (records, next.map { "\($0)" })
    }
}
