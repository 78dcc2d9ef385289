package import Appliance
import Hummingbird
package import Reconcile
package import Vocabulary

/// What the JSON routes read from, in the profiles whose log this process has open.
package struct ConsoleSources: Sendable {
    package var index: PaymentIndex
    package var ledger: any LedgerReading
    /// Stripe's statement, as reconciliation read it, and the bank's. On the ledger's connection
    /// for readers: what takes long here keeps no booking waiting.
    package var statement: StatementStore
    package var reader: @Sendable (TopicID) -> TopicReader
    /// The webhook endpoints, with whose secrets signatures are computed again.
    package var endpoints: [WebhookEndpoint]
    /// How far each consumer group is behind.
    package var lags: @Sendable () -> [ConsumerLag]
    /// Bytes that a topic takes on the disk.
    package var byteCount: @Sendable (TopicID) -> Int64

    package init(
        index: PaymentIndex, ledger: any LedgerReading, statement: StatementStore,
        reader: @escaping @Sendable (TopicID) -> TopicReader, endpoints: [WebhookEndpoint],
        lags: @escaping @Sendable () -> [ConsumerLag],
        byteCount: @escaping @Sendable (TopicID) -> Int64
    ) {
        self.index = index
        self.ledger = ledger
        self.statement = statement
        self.reader = reader
        self.endpoints = endpoints
        self.lags = lags
        self.byteCount = byteCount
    }

    /// What is asked of payments.
    package var payments: PaymentSources {
        PaymentSources(
            index: index, ledger: ledger, log: ShownLog(self), explainer: { explainer })
    }

    /// One for one caller.
    var explainer: Explainer {
        let reader = reader
        return Explainer(
            ledger: ledger, statement: statement, topic: { reader($0) }, endpoints: endpoints)
    }

    /// Their routes, under `/api/v1/`.
    package func add(to routes: inout AdminRoutes) {
        PaymentRoutes(sources: payments).add(to: &routes)
        LedgerRoutes(ledger: ledger, explainer: { explainer }).add(to: &routes)
        RecordRoutes(sources: self).add(to: &routes)
        ReportRoutes(source: ReportSource(index)).add(to: &routes)
    }
}

/// What lists and stories of payments are read from, wherever the log is.
package struct PaymentSources: Sendable {
    let index: PaymentIndex
    let ledger: any LedgerReading
    let log: ShownLog
    /// One for one caller.
    let explainer: @Sendable () -> Explainer

    package init(
        index: PaymentIndex, ledger: any LedgerReading, log: ShownLog,
        explainer: @escaping @Sendable () -> Explainer
    ) {
        (self.index, self.ledger, self.log, self.explainer) = (index, ledger, log, explainer)
    }
}

/// `/api/v1/payments` on the admin port.
///
/// | route | answer |
/// | --- | --- |
/// | `GET /api/v1/payments?…` | payments, newest first, with `next` and the index's lag |
/// | `GET /api/v1/payments/{movement}` | one payment's whole story |
package struct PaymentRoutes: Sendable {
    let sources: PaymentSources
    /// Searches do not wait for stories, which read the log.
    private let searches = BlockingQueue("tillbox.console.search")
    private let stories = BlockingQueue("tillbox.console.story")

    package init(sources: PaymentSources) { self.sources = sources }

    package func add(to routes: inout AdminRoutes) {
        routes.get("/api/v1/payments", needs: .viewer) { request, _ in try await list(request) }
        routes.get("/api/v1/payments/:movement", needs: .viewer) { request, context in
            try request.checkParameters([])
            return try await story(context.word("movement"))
        }
    }

    private func list(_ request: Request) async throws -> Response {
        let query = try PaymentQuery(request)
        let index = sources.index
        let page: PaymentPage
        do {
            page = try await searches.run { try index.payments(query) }
        } catch let error as TooManyNames {
            throw Problem(error)
        }
        return Response.jsonObject(.ok) { writer in
            writer.list("payments", page.rows) { $1.encode(into: &$0) }
            writer.member("next", page.next?.token)
            writer.member("index_lag", index.lag)
        }
    }

    private func story(_ words: String) async throws -> Response {
        let sources = sources
        let body = try await stories.run { () -> [UInt8]? in
            let story = try StoryReader(sources).story(of: words)
            guard let story else { return nil }
            var writer = JSONWriter(capacity: 16_384)
            writer.object { writer in
                story.encode(into: &writer)
                writer.member("index_lag", sources.index.lag)
            }
            return writer.bytes
        }
        guard let body else {
            let behind = sources.index.behind
            throw Problem(
                .notFound,
                "there is no payment \(words.prefix(80))"
                    + (behind.map { "; \($0) are still to be indexed" } ?? ""),
                code: "unknown_payment")
        }
        return Response.json(.ok) { $0.json(body) }
    }
}
