import Appliance
import Hummingbird
import Vocabulary

/// `GET /openapi.json`, open to everybody who reaches the port: it tells nothing of the data.
package enum OpenAPIRoutes {
    /// Describes the routes that are there by now, so add it behind the others.
    package static func add(to routes: inout AdminRoutes) {
        let rules = AdminRoutes.Rule(method: "GET", path: "/openapi.json", needs: nil)
        var writer = JSONWriter(capacity: 65_536)
        OpenAPIDocument(rules: routes.rules + [rules]).encode(into: &writer)
        let document = writer.bytes
        routes.get("/openapi.json", needs: nil) { _, _ in Response.json(.ok) { $0.json(document) } }
    }
}

/// What the OpenAPI document says of each route: its parameters with their bounds, its body, its
/// answers. A test compares the list with the routes.
enum DescribedRoutes {
    static let all = health + payments + ledger + records + reviews + letters + reconciliations
        + bank + bridges + access + live

    // MARK: Parameters

    static func limit(_ most: Int64) -> RouteDescription.Parameter {
        .init(
            name: "limit", schema: .integer(min: 1, max: most), meaning: "rows of the page at most")
    }

    static let next = RouteDescription.Parameter(
        name: "after", schema: .text(), meaning: "the `next` of an earlier page")
    static let row = RouteDescription.Parameter(
        name: "after", schema: .integer(min: 1), meaning: "the `next` of an earlier page")
    static let place = RouteDescription.Parameter(
        name: "after", schema: .integer(min: 0), meaning: "the `next` of an earlier page")
    static let period: [RouteDescription.Parameter] = [
        moment("from", "then or later"), moment("to", "then or earlier; a day as a whole"),
    ]

    static func moment(_ name: String, _ meaning: String) -> RouteDescription.Parameter {
        .init(
            name: name, schema: .text(min: 1),
            meaning: "\(meaning): a UTC date, RFC 3339, or Unix seconds")
    }

    private static func text(_ name: String, _ meaning: String) -> RouteDescription.Parameter {
        .init(name: name, schema: .text(min: 1, max: 255), meaning: meaning)
    }

    private static func words(
        _ name: String, _ words: [String], _ meaning: String
    ) -> RouteDescription.Parameter {
        .init(name: name, schema: .words(words), meaning: meaning)
    }

    /// One or more words, with commas between them.
    private static func several(
        _ name: String, _ words: [String], _ meaning: String
    ) -> RouteDescription.Parameter {
        text(name, "\(meaning): one or more of \(words.joined(separator: ", ")), with commas")
    }

    private static let currency = RouteDescription.Parameter(
        name: "currency", schema: .text(min: 3, max: 3), meaning: "three letters, as usd")

    // MARK: Routes

    private static let health: [RouteDescription] = [
        .init(
            method: "GET", path: "/healthz", id: "health", summary: "Whether the process turns.",
            answers: [200: .json(.named("Health")), 503: .json(.named("Health"))]),
        .init(
            method: "GET", path: "/readyz", id: "readiness",
            summary: "Whether it is ready for traffic, and if not, why.",
            answers: [200: .json(.named("Readiness")), 503: .json(.named("Readiness"))]),
        .get("/metrics", "metrics", "What Prometheus reads.", .text(["text/plain"])),
        .get(
            "/openapi.json", "description", "This document.",
            .json(.object([("openapi", .word)], isOpen: true))),
        .get(
            "/api/v1/status", "status", "What the daemon has done since it was started.",
            .json(.named("Status"))),
        .get(
            "/api/v1/model/shadow", "shadow",
            "What another model made of payments, as the last `tillbox model shadow` has left it.",
            .json(
                .object([
                    ("report", .orNull(.named("ShadowReport"))), ("problem", .orNull(.word)),
                ]))),
    ]

    private static let payments: [RouteDescription] = [
        .get(
            "/api/v1/payments", "payments", "Payments, newest first; all filters must hold.",
            [
                text("q", "a movement, four last digits, an amount, a customer, or an id's begin"),
                .init(
                    name: "id", schema: .text(min: Int64(PaymentQuery.nameLengthMin), max: 255),
                    meaning: "the beginning of an id of anything of the payment"),
                text("movement", "charge:ch_…"), text("customer", "cus_…"),
                text("amount", "minor units (128400), or with decimals (1,284.00)"),
                .init(
                    name: "last_four", schema: .text(min: 4, max: 4),
                    meaning: "the card's last four digits"),
                several("verdict", Verdict.allCases.map(\.rawValue), "what scoring says"),
                several("place", MoneyPlace.allCases.map(\.rawValue), "where the money stands"),
                words("review", ReviewState.allCases.map(\.rawValue), "the review's state"),
                currency, text("merchant", "whose money it is"), text("account", "acct_…"),
            ] + period + [
                .init(
                    name: "seen_from", schema: .integer(min: 0),
                    meaning: "when its first webhook was kept, in milliseconds since 1970"),
                .init(name: "amount_from", schema: .integer(min: 0), meaning: "minor units"),
                .init(name: "amount_to", schema: .integer(min: 0), meaning: "minor units"),
                limit(Int64(PaymentQuery.limitMax)), next,
            ], .json(.named("PaymentPage"))),
        .get(
            "/api/v1/payments/:movement", "payment", "One payment's whole story.",
            .json(.named("PaymentStory"))),
        .get(
            "/api/v1/reports/:name", "report",
            "A line for every UTC day and currency: "
                + DayReport.allCases.map(\.rawValue).joined(separator: ", ") + ".",
            period + [words("format", ["json", "csv"], "json where it is absent")],
            .either(.named("Report"), ["text/csv"])),
    ]

    private static let ledger: [RouteDescription] = [
        .get(
            "/api/v1/accounts", "accounts", "Every account's balance.",
            [moment("as_of", "only what took effect by then")], .json(.named("Accounts"))),
        .get(
            "/api/v1/accounts/:name/entries", "entries", "An account's entries, oldest first.",
            [currency, place, limit(1_000)], .json(.named("Entries"))),
        .get(
            "/api/v1/transactions", "transactions", "Transactions, oldest first.",
            [place, limit(1_000)],
            .json(
                .object([
                    ("transactions", .list(.named("Transaction"))), ("next", .orNull(.id)),
                ]))),
        .get(
            "/api/v1/transactions/:id", "transaction", "One transaction.",
            .json(.named("Transaction"))),
        .get(
            "/api/v1/explain/:words", "explain",
            "An account, a movement or a payout, down to the webhooks' bytes.",
            [moment("as_of", "only what took effect by then"), currency, place, limit(1_000)],
            .json(.named("Explanation"))),
        .get(
            "/api/v1/ledger/export", "exportLedger", "Every transaction for another program.",
            [words("format", LedgerExportFormat.allCases.map(\.rawValue), "json where absent")]
                + period,
            .either(
                .object([("transactions", .list(.named("Transaction")))]),
                ["text/csv", "text/plain"])),
    ]

    private static let records: [RouteDescription] = [
        .get("/api/v1/topics", "topics", "The seven topics.", .json(.named("TopicList"))),
        .get(
            "/api/v1/topics/:topic/records", "records", "Records of a topic, oldest first.",
            [
                .init(
                    name: "from", schema: .integer(),
                    meaning: "the first offset; a negative one counts from the end"),
                .init(
                    name: "count", schema: .integer(min: 1, max: Int64(RecordRoutes.countMax)),
                    meaning: "records at most"),
                .init(name: "filter", schema: .text(min: 2, max: 250), meaning: RecordFilter.form),
            ], .json(.named("Records"))),
    ]

    private static let reviews: [RouteDescription] = [
        .get(
            "/api/v1/reviews", "reviews", "Open reviews, in the order of their payments.",
            [limit(1_000), place],
            .json(.object([("reviews", .list(.named("Review"))), ("next", .orNull(.id))]))),
        .get(
            "/api/v1/reviews/:id", "review",
            "One review, open or not, and what is left of its payment to be refunded.",
            .json(.named("ReviewWithRefunds"))),
        .post(
            "/api/v1/reviews/:id/decision", "decide", "Approves or declines a payment.",
            body: .named("Decision"),
            answers: [200: .json(.named("Decided")), 202: .json(.named("Decided"))]),
    ]

    private static let letters: [RouteDescription] = [
        .get(
            "/api/v1/dead-letters", "deadLetters", "Records that were refused, oldest first.",
            [
                limit(Int64(RedriveLimits.pageCountMax)), next,
                .init(name: "reason", schema: .text(), meaning: "only letters of this reason"),
            ],
            .json(
                .form(
                    [
                        ("dead_letters", .list(.named("DeadLetter"))), ("next", .orNull(.letter)),
                    ], optional: [("behind", .id)]))),
        .post(
            "/api/v1/dead-letters/redrive", "redrive", "Sends records back through the pipeline.",
            body: .named("RedriveOrder"), answers: [200: .json(.named("Redriven"))]),
    ]

    private static let reconciliations: [RouteDescription] = [
        .get(
            "/api/v1/reconciliations", "reconciliations", "Runs, newest first.",
            [limit(1_000), row],
            .json(
                .object([
                    ("reconciliations", .list(.named("Reconciliation"))), ("next", .orNull(.word)),
                ]))),
        .post(
            "/api/v1/reconciliations", "reconcile", "Asks for a run.",
            body: .named("Period"), answers: [202: .json(.named("Reconciliation"))]),
        .get(
            "/api/v1/reconciliations/:id", "reconciliation", "A run and what it found.",
            [limit(1_000), next],
            .json(
                .object([
                    ("reconciliation", .named("Reconciliation")),
                    ("findings", .list(.object([], isOpen: true))), ("next", .orNull(.word)),
                ]))),
        .get(
            "/api/v1/sweeps", "sweeps", "Looks for missed events, newest first.",
            [limit(1_000), row],
            .json(.object([("sweeps", .list(.named("Sweep"))), ("next", .orNull(.word))]))),
        .post(
            "/api/v1/sweeps", "sweep", "Asks for a look for missed events.", body: .anything,
            answers: [202: .json(.named("Sweep"))]),
        .get("/api/v1/sweeps/:id", "oneSweep", "One of them.", .json(.named("Sweep"))),
    ]

    private static let bank: [RouteDescription] = [
        .get(
            "/api/v1/bank", "bank", "The bank's statements beside the ledger.",
            [
                .init(
                    name: "all", schema: .text(),
                    meaning: "every movement, also those that are there to the cent")
            ], .json(.named("Bank"))),
        .post(
            "/api/v1/bank/statements", "importStatements", "Takes statements of a bank.",
            body: .named("BankStatements"), answers: [200: .json(.named("BankImport"))]),
    ]

    private static let bridges: [RouteDescription] = [
        .get(
            "/api/v1/bridges", "bridges", "Copies in other systems, and how far they are.",
            .json(
                .object([
                    ("bridges", .list(.named("Bridge"))),
                    ("former", .list(.object([("name", .word), ("lag", .id)]))),
                ]))),
        .post(
            "/api/v1/bridges/:name/pause", "pauseBridge", "Stops one, over restarts too.",
            body: .named("AskedBy"), answers: [200: .json(.named("Bridge"))]),
        .post(
            "/api/v1/bridges/:name/resume", "resumeBridge", "Goes on, paused or stopped.",
            body: .named("AskedBy"), answers: [200: .json(.named("Bridge"))]),
        .post(
            "/api/v1/bridges/:name/forget", "forgetBridge", "Forgets one that is not configured.",
            body: .named("AskedBy"),
            answers: [200: .json(.object([("name", .word), ("forgotten", .flag)]))]),
    ]
}
