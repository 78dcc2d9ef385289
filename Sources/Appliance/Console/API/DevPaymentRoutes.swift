import AppendLog
import Appliance
import Hummingbird
import Vocabulary

/// `POST /api/v1/dev/payments`, which exists where payments can be sent at all.
package struct DevPaymentRoutes: Sendable {
    let board: SentBoard

    package init(board: SentBoard) { self.board = board }

    static let path = "/api/v1/dev/payments"
    private static let bodyByteCountMax = 4_096

    package func add(to routes: inout AdminRoutes) {
        routes.post(Self.path, needs: .admin) { request, _ in
            try request.checkIsJSON()
            let order = try Self.order(
                try await request.bytes(upTo: Self.bodyByteCountMax), board.sender)
            let sent = try await board.send(order)
            return Response.json(.ok) { sent.encode(into: &$0) }
        }
    }

    /// What a body orders; what is absent has a usual value.
    ///
    /// - Throws: 400 for what is no such order.
    static func order(
        _ body: [UInt8], _ sender: any PaymentSending
    ) throws(Problem) -> PaymentOrder {
        let document = JSONDocument(bytesMax: max(body.count, 1))
        return try withExtendedLifetime(document) { () throws(Problem) in
            guard let root = try? document.request(body), root.kind == .object else {
                throw Problem(.badRequest, "the body is no JSON object of this route")
            }
            let code = try text(root, "currency") ?? sender.currencies.first?.code ?? ""
            guard let currency = Currency(code) else {
                throw SendingRefusal.unknown("currency").problem
            }
            var order = PaymentOrder(
                amount: try PaymentOrder.amount(try number(root, "amount") ?? 4_200),
                currency: currency,
                country: try text(root, "country") ?? sender.countries.first ?? "")
            order.kind = try word(root, "kind") ?? order.kind
            order.card = try word(root, "card") ?? order.card
            order.device = try word(root, "device") ?? order.device
            order.customer = Int(clamping: try number(root, "customer") ?? 1)
            order.payment = try text(root, "payment")
            return order
        }
    }

    private static func text(
        _ root: JSONValue, _ name: String
    ) throws(Problem) -> String? {
        guard let value = root.member(named: name), value.kind != .null else { return nil }
        guard let text = value.string, (1...255).contains(text.utf8.count) else {
            throw Problem(.badRequest, "\(name) is a text of 1 to 255 bytes")
        }
        return text
    }

    private static func number(_ root: JSONValue, _ name: String) throws(Problem) -> Int64? {
        guard let value = root.member(named: name), value.kind != .null else { return nil }
        guard let number = value.int64 else {
            throw Problem(.badRequest, "\(name) is a whole number")
        }
        return number
    }

    private static func word<Word: RawRepresentable<String> & CaseIterable>(
        _ root: JSONValue, _ name: String
    ) throws(Problem) -> Word? {
        guard let text = try text(root, name) else { return nil }
        guard let word = Word(rawValue: text) else {
            throw Problem(
                .badRequest,
                "\(name) is one of " + Word.allCases.map(\.rawValue).joined(separator: ", "))
        }
        return word
    }
}

extension SentPayment {
    func encode(into writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("payment", id)
            writer.member("kind", order.kind.rawValue)
            writer.list("events", events) { writer, event in
                writer.object { event.encodeMembers(into: &$0) }
            }
        }
    }
}

extension SentEvent {
    fileprivate func encodeMembers(into writer: inout JSONWriter) {
        writer.member("event_id", eventID.rawValue)
        writer.member("type", type)
        writer.member("sent_at", at.milliseconds)
        switch answer {
        case .answered(let status, let body):
            writer.member("status", Int64(status))
            writer.member("answer", body)
        case .none(let reason):
            writer.key("status")
            writer.null()
            writer.member("answer", reason)
        }
        writer.member("duplicate", isDuplicate)
    }
}

extension DescribedRoutes {
    /// Routes that only some profiles have: described where they exist.
    static let dev: [RouteDescription] = [
        .post(
            DevPaymentRoutes.path, "sendPayment",
            "Sends what Stripe would tell of a payment to the webhook port, freshly signed.",
            body: .options([
                ("kind", .words(PaymentOrder.Kind.allCases.map(\.rawValue))),
                ("amount", .integer(min: 1, max: PaymentOrder.amountMax)),
                ("currency", .text(min: 3, max: 3)),
                ("card", .words(PaymentOrder.Card.allCases.map(\.rawValue))),
                ("device", .words(PaymentOrder.Device.allCases.map(\.rawValue))),
                ("country", .text(min: 2, max: 2)), ("customer", .integer(min: 1, max: 999)),
                ("payment", .orNull(.text(min: 1, max: 255))),
            ]),
            answers: [
                200: .json(
                    .object([
                        ("payment", .word), ("kind", .word),
                        (
                            "events",
                            .list(
                                .object([
                                    ("event_id", .word), ("type", .word), ("sent_at", .integer()),
                                    ("status", .orNull(.integer())), ("answer", .word),
                                    ("duplicate", .flag),
                                ]))
                        ),
                    ]))
            ], problems: [404])
    ]
}
