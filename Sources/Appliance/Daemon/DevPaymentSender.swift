import AppendLog
import AsyncHTTPClient
import Console
import NIOCore
import NIOHTTP1
import Reconcile
import Synchronization
import Traffic
import Vocabulary

/// Sends payments to this daemon's own webhook port, over HTTP and freshly signed, exactly as
/// Stripe would: in the profile `dev`, and only to an endpoint that takes test mode.
final class DevPaymentSender: PaymentSending {
    /// Orders that are sent at once.
    private static let orderCountMax = 4
    /// Payments that a refund or a dispute may still be of; the oldest are forgotten first.
    private static let placedCountMax = 200
    private static let patienceSeconds: Int64 = 10
    /// The part of an answer that is read.
    private static let answerByteCountMax = 4_096

    private struct State {
        var payments: OrderedPayments
        var placed: [OrderedPayments.Placed] = []
        /// Of the webhook port, once it listens.
        var port: Int?
        var orderCount = 0
    }

    private let state: Mutex<State>
    private let signer: WebhookSigner
    private let clock: any LogClock
    private let host: String
    private let path: String

    /// - Returns: nil where nothing may be sent.
    init?(_ settings: Settings, clock: any LogClock) {
        let testing = settings.endpoints.first {
            $0.livemode.accepts(false) && !$0.secrets.isEmpty
        }
        guard settings.profile == .dev, let endpoint = testing else { return nil }
        signer = WebhookSigner(secrets: endpoint.secrets)
        path = "/webhooks/stripe" + (endpoint.name.isEmpty ? "" : "/\(endpoint.name)")
        let listening = settings.webhook.host
        let reached =
            switch listening {
            case "0.0.0.0": "127.0.0.1"
            case "::": "::1"
            default: listening
            }
        host = reached.contains(":") ? "[\(reached)]" : reached
        self.clock = clock
        state = Mutex(State(payments: OrderedPayments(from: clock.now().milliseconds)))
    }

    /// The webhook port is open.
    func listens(on port: Int) { state.withLock { $0.port = port } }

    let currencies = OrderedPayments.currencies
    let countries = OrderedPayments.countries
    let customers = OrderedPayments.customers

    // MARK: Sending

    /// One event as it goes out.
    private struct Outgoing {
        var told: OrderedPayments.Told
        var forgery: Forgery?
    }

    /// All events of an order. What follows a payment is made before it is answered, and sent all
    /// the same: the daemon must cope with whatever order and fate events have.
    private struct Plan {
        var id: String
        var events: [Outgoing] = []
    }

    func send(_ order: PaymentOrder) async throws(SendingRefusal) -> SentPayment {
        let now = Instant(seconds: clock.now().milliseconds / 1_000)
        let begun = state.withLock { state -> Result<(port: Int, plan: Plan), SendingRefusal> in
            guard let port = state.port else { return .failure(.notListening) }
            guard state.orderCount < Self.orderCountMax else {
                return .failure(.busy(Self.orderCountMax))
            }
            do throws(SendingRefusal) {
                let plan = try Self.plan(order, at: now, &state)
                state.orderCount += 1
                return .success((port, plan))
            } catch {
                return .failure(error)
            }
        }
        let (port, plan) = try begun.get()
        defer { state.withLock { $0.orderCount -= 1 } }
        var events: [SentEvent] = []
        for event in plan.events { events.append(await post(event, to: port)) }
        return SentPayment(id: plan.id, order: order, events: events)
    }

    private static func plan(
        _ order: PaymentOrder, at now: Instant, _ state: inout State
    ) throws(SendingRefusal) -> Plan {
        switch order.kind {
        case .refund, .dispute:
            if let id = order.payment { return try goBack(order.kind, id, at: now, &state) }
        case .fraudBurst: return try burst(order, at: now, &state)
        case .void: return try void(order, at: now, &state)
        case .payment, .twice, .badSignature: break
        }
        let asked = try asked(order)
        guard let placed = state.payments.charge(asked, at: now) else {
            throw .unknown("the currency or the country")
        }
        var plan = Plan(id: placed.id)
        let told = state.payments.told(placed, at: now)
        plan.events.append(
            Outgoing(told: told, forgery: order.kind == .badSignature ? .wrongSecret : nil))
        if order.kind == .twice { plan.events.append(Outgoing(told: told)) }
        guard order.kind != .badSignature else { return plan }
        state.placed.append(placed)
        if state.placed.count > placedCountMax { state.placed.removeFirst() }
        guard [.refund, .dispute].contains(order.kind), placed.remaining > 0 else { return plan }
        plan.events += try goBack(order.kind, placed.id, at: now, &state).events
        return plan
    }

    private static func asked(
        _ order: PaymentOrder
    ) throws(SendingRefusal) -> OrderedPayments.Order {
        guard OrderedPayments.customers.contains(order.customer) else {
            throw .unknown("customer \(order.customer)")
        }
        let card: OrderedPayments.Card =
            switch order.card {
            case .own: .own
            case .stolen: .stolen
            case .declined: .declined
            }
        return OrderedPayments.Order(
            amount: order.amount, currency: order.currency, country: order.country,
            customer: order.customer, card: card, isOtherDevice: order.device == .other)
    }

    private static func goBack(
        _ kind: PaymentOrder.Kind, _ id: String, at now: Instant, _ state: inout State
    ) throws(SendingRefusal) -> Plan {
        guard let place = state.placed.lastIndex(where: { $0.id == id }) else {
            throw .unknownPayment(id)
        }
        guard state.placed[place].remaining > 0 else { throw .nothingLeft(id) }
        let told =
            kind == .refund
            ? state.payments.refund(&state.placed[place], at: now)
            : state.payments.dispute(&state.placed[place], at: now)
        return Plan(id: id, events: told.map { Outgoing(told: $0) })
    }

    private static func burst(
        _ order: PaymentOrder, at now: Instant, _ state: inout State
    ) throws(SendingRefusal) -> Plan {
        let placed = state.payments.burst(try asked(order), at: now)
        guard let first = placed.first else { throw .unknown("the currency or the country") }
        let told = placed.map { Outgoing(told: state.payments.told($0, at: now)) }
        return Plan(id: first.id, events: told)
    }

    private static func void(
        _ order: PaymentOrder, at now: Instant, _ state: inout State
    ) throws(SendingRefusal) -> Plan {
        guard var placed = state.payments.authorisation(try asked(order), at: now) else {
            throw .unknown("the currency or the country")
        }
        var told = [state.payments.told(placed, at: now)]
        if order.card != .declined { told += state.payments.release(&placed, at: now) }
        return Plan(id: placed.id, events: told.map { Outgoing(told: $0) })
    }

    // MARK: HTTP

    private static let client: HTTPClient = {
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.redirectConfiguration = .disallow
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()

    private func post(_ event: Outgoing, to port: Int) async -> SentEvent {
        let (body, at) = (event.told.body, clock.now())
        var request = HTTPClientRequest(url: "http://\(host):\(port)\(path)")
        request.method = .POST
        request.headers = HTTPHeaders([
            ("Content-Type", "application/json; charset=utf-8"),
            ("User-Agent", "Stripe/1.0 (+https://stripe.com/docs/webhooks)"),
        ])
        let now = Instant(seconds: at.milliseconds / 1_000)
        if let signature = signer.header(for: body, at: now, forgery: event.forgery) {
            request.headers.add(name: "Stripe-Signature", value: signature)
        }
        request.body = .bytes(ByteBuffer(bytes: body))
        let began = clock.monotonicMilliseconds()
        let answer: SentEvent.Answer
        do {
            let response = try await Self.client.execute(
                request, timeout: .seconds(Self.patienceSeconds))
            let read = try await response.body.collect(upTo: Self.answerByteCountMax)
            answer = .answered(
                status: Int(response.status.code), body: String(buffer: read))
        } catch {
            answer = .none(NetworkReason.of(error))
        }
        return SentEvent(
            eventID: event.told.id, type: event.told.type, byteCount: body.count, at: at,
            milliseconds: clock.monotonicMilliseconds() - began, answer: answer)
    }
}
