import Appliance
import HTTPTypes
import Hummingbird
import NIOCore
import Reconcile
import Vocabulary

/// The end of a month: `/reports/month?of=2026-10`, without `of` the last one that is over, and the
/// same as CSV at `/reports/month/csv`. What `tillbox report month` says.
struct MonthPages: Sendable {
    let pages: ConsolePages

    static let base = "/reports/month"
    /// A month of a large ledger takes about a second to sum up: beside other pages, not before.
    private static let queue = BlockingQueue("tillbox.console.month")

    func add(to routes: inout AdminRoutes) {
        pages.page(&routes, .get, Self.base, .viewer) { try await show($0) }
        pages.page(&routes, .get, "\(Self.base)/csv", .viewer) { try await csv($0) }
    }

    private func show(_ asked: PageRequest) async throws -> Response {
        let month = try Self.month(asked, now: pages.parts.now)
        let report = try await report(month)
        let view = MonthView(report, now: pages.parts.now)
        return ConsolePages.html("month", pages.shell(view.name, .reports, asked), view)
    }

    /// As `tillbox report month --csv` writes it.
    private func csv(_ asked: PageRequest) async throws -> Response {
        let month = try Self.month(asked, now: pages.parts.now)
        let report = try await report(month)
        return Response(
            status: .ok,
            headers: [
                .contentType: "text/csv; charset=utf-8", .xContentTypeOptions: "nosniff",
                .contentDisposition: "attachment; filename=\"tillbox-month-\(month).csv\"",
            ], body: ResponseBody(byteBuffer: ByteBuffer(string: report.csv)))
    }

    private func report(_ month: CalendarMonth) async throws -> MonthReport {
        let statement = pages.parts.sources.statement
        return try await Self.queue.run { () throws(LedgerError) in
            try statement.monthReport(month)
        }
    }

    /// - Throws: 400 for what is no month.
    private static func month(
        _ asked: PageRequest, now: Instant
    ) throws(Problem) -> CalendarMonth {
        guard let text = asked.query("of") else {
            guard let this = CalendarMonth(of: now) else {
                throw Problem(.badRequest, "name the month, as of=2026-10")
            }
            return this.previous ?? this
        }
        guard let month = CalendarMonth(text) else {
            throw Problem(.badRequest, "of must be a month from 1970 on such as 2026-10")
        }
        return month
    }
}

extension CalendarMonth {
    /// The month that a moment lies in; nil before 1970 and after 9999.
    init?(of moment: Instant) { self.init(String(BankDay(of: moment).description.prefix(7))) }

    /// nil where there is none before it.
    var previous: CalendarMonth? {
        first.rawValue > 0 ? CalendarMonth(String((first + -1).description.prefix(7))) : nil
    }

    var next: CalendarMonth? { CalendarMonth(String(end.description.prefix(7))) }

    /// `Oct 2026`
    var words: String { String(ShownMoment(from).day.drop { $0 != " " }.dropFirst()) }
}
