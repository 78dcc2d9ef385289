import AppendLog
import Appliance
import Foundation
import HTTPTypes
import Hummingbird
import Vocabulary

/// Payments: the list at `/payments?…`, whose filters stand in the address, and one payment's whole
/// story at `/payments/{movement}`, by any of its names.
struct PaymentPages: Sendable {
    let pages: ConsolePages
    let sources: PaymentSources

    private static let rowsMax = 50

    func add(to routes: inout AdminRoutes) {
        pages.page(&routes, .get, "/payments", .viewer) { try list($0) }
        pages.page(&routes, .get, "/payments/:movement", .viewer) { try story($0) }
    }

    // MARK: The list

    private func list(_ asked: PageRequest) throws -> Response {
        let filled = Self.filled(asked.request)
        var query = try PaymentQuery(filled)
        query.limit = Self.rowsMax
        let found: PaymentPage
        do {
            found = try sources.index.payments(query)
        } catch let error as TooManyNames {
            throw Problem(error)
        }
        let fields = Self.fields(filled)
        // A payout or a fee is no payment's: what the ledger has of it is what was looked for.
        if found.rows.isEmpty, fields.count == 1, query.charge ?? query.movement != nil,
            let typed = filled.parameter("q") ?? filled.parameter("movement"),
            try sources.explainer().name(typed) != nil
        {
            return ConsolePages.sent(to: AccountPath.explain(typed))
        }
        let next = found.next.map { place in
            let kept = fields.filter { $0.name != "after" } + [("after", place.token)]
            return "/payments?" + kept.map { "\($0.0)=\(PathText.escaped($0.1))" }
                .joined(separator: "&")
        }
        let view = PaymentsView(
            found, fields: Dictionary(fields, uniquingKeysWith: { first, _ in first }), next: next,
            behind: sources.index.behind)
        return ConsolePages.html("payments", pages.shell("Payments", .payments, asked), view)
    }

    private static func fields(_ request: Request) -> [(name: String, value: String)] {
        request.uri.queryParameters.map { (String($0.key), String($0.value)) }
    }

    /// The same request without what a form left empty, which is no filter.
    private static func filled(_ request: Request) -> Request {
        let fields = fields(request).map { ($0.name, $0.value.replacing("+", with: " ").trimmed) }
            .filter { !$0.1.isEmpty }
        let query = fields.map { "\(PathText.escaped($0.0))=\(PathText.escaped($0.1))" }
        var head = request.head
        head.path = "/payments" + (query.isEmpty ? "" : "?" + query.joined(separator: "&"))
        return Request(head: head, body: request.body)
    }

    // MARK: One payment

    private func story(_ asked: PageRequest) throws -> Response {
        let words = asked.context.word("movement")
        guard let story = try StoryReader(sources).story(of: words) else {
            let behind = sources.index.behind
            throw Problem(
                .notFound,
                "there is no payment \(ShownText.escaped(String(words.prefix(80))))"
                    + (behind.map { "; \($0) are to be indexed" } ?? ""),
                code: "unknown_payment")
        }
        return ConsolePages.html(
            "payment", pages.shell("Payment \(story.row.charge)", .payments, asked),
            StoryView(
                story, zoom: asked.query("zoom"), at: asked.query("at").flatMap { Int64($0) }))
    }
}
