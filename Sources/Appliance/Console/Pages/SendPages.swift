import AppendLog
import Appliance
import HTTPTypes
import Hummingbird
import Vocabulary

/// `/send` and `/send/{payment}`: sends what Stripe would tell of a payment, and shows what becomes
/// of it. There is none of it where nothing can be sent.
struct SendPages: Sendable {
    let pages: ConsolePages
    let board: SentBoard

    private var parts: ConsoleParts { pages.parts }

    func add(to routes: inout AdminRoutes) {
        pages.page(&routes, .get, "/send", .viewer) { asked in
            page(SendView(asked.form, board, asked), asked)
        }
        pages.page(&routes, .post, "/send", .admin) { try await send($0) }
        pages.page(&routes, .get, "/send/:payment", .viewer) { try follow($0) }
    }

    private func page(
        _ view: SendView, _ asked: PageRequest, _ status: HTTPResponse.Status = .ok
    ) -> Response {
        var view = view
        let shell = pages.shell("Send a payment", .send, asked)
        view.token = shell.token
        view.maySend = asked.role >= .admin
        return ConsolePages.html("send", shell, view, status)
    }

    private func send(_ asked: PageRequest) async throws -> Response {
        do throws(Problem) {
            let sent = try await board.send(try SendView.order(asked.form, board.sender))
            return ConsolePages.sent(to: SentView.path(of: sent.id))
        } catch {
            // What was typed stays.
            var view = SendView(asked.form, board, asked)
            view.problem = ShownText.escaped(error.detail.sentence + ".")
            return page(view, asked, error.status)
        }
    }

    private func follow(_ asked: PageRequest) throws -> Response {
        let id = asked.context.word("payment")
        let followed = try board.follow(id)
        guard !followed.isEmpty else {
            throw Problem(
                .notFound,
                "\(ShownText.escaped(String(id.prefix(80)))) was not sent from here since the "
                    + "daemon’s start; look for it among the payments", code: "unknown_payment")
        }
        let outcome = SentOutcome(
            ledger: parts.ledger, unread: parts.sources.lags(),
            receivedEnd: parts.topic(.webhookReceived).end)
        let shell = pages.shell("Sent \(id)", .send, asked)
        var view = try SentView(id, followed, outcome)
        view.token = shell.token
        view.maySend = asked.role >= .admin
        return ConsolePages.html("sent", shell, view)
    }
}

/// How far the pipeline is with what was sent.
struct SentOutcome {
    let ledger: any LedgerReading
    let unread: [ConsumerLag]
    let receivedEnd: Offset

    /// Whether this record of `webhook.received` was read.
    func isRead(_ offset: Offset) -> Bool {
        let reader = unread.first {
            $0.topic == TopicID.webhookReceived.rawValue && $0.group == ValidateStage.name
        }
        let behind = reader?.recordCount ?? 0
        return offset.rawValue < receivedEnd.rawValue - behind
    }

    /// Whether the ledger has considered this record of `payment.scored`.
    func isConsidered(_ offset: Offset) -> Bool {
        let position = try? ledger.position(topic: TopicID.paymentScored.rawValue)
        return position.map { offset.rawValue < $0 } ?? false
    }

    /// What the ledger holds of a movement.
    func booked(_ movement: MovementKey) throws -> [PostedTransaction] {
        try ledger.transactions(of: movement)
    }
}
