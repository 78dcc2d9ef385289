import Foundation
import FoundationNetworking
import TestSupport
import Testing

/// A twin, and a data folder with a daemon that knows its address.
final class ReconciliationWorld {
    let twin: TwinServer
    let folder: TemporaryFolder
    let ports: (webhook: Int, admin: Int)
    private let key: String?
    private let reconcileAt: String
    private let chargeWaitSeconds: Int
    private(set) var daemon: Child?

    init(
        key: String? = TwinServer.key, reconcileAt: String = "off", chargeWaitSeconds: Int = 0
    ) async throws {
        self.reconcileAt = reconcileAt
        self.chargeWaitSeconds = chargeWaitSeconds
        twin = try await TwinServer()
        folder = try TemporaryFolder()
        ports = (try freePort(), try freePort())
        self.key = key
    }

    private var environment: [String: String] {
        var all = [
            "TILLBOX_STRIPE_API_BASE": "http://127.0.0.1:\(twin.port)",
            "TILLBOX_RECONCILE_AT": reconcileAt, "TILLBOX_RECONCILE_GRACE_HOURS": "0",
            "TILLBOX_SWEEP_EVERY_MINUTES": "0", "TILLBOX_SWEEP_DELAY_SECONDS": "0",
            "TILLBOX_ADMIN_PORT": "\(ports.admin)",
            "TILLBOX_RECONCILE_CHARGE_WAIT_SECONDS": "\(chargeWaitSeconds)",
        ]
        if let key { all["TILLBOX_STRIPE_API_KEY"] = key }
        return all
    }

    func start(secret: String = "whsec_test") async throws {
        let child = try Tillbox.start(
            data: folder.file("data"), webhookPort: ports.webhook, adminPort: ports.admin,
            secret: secret, environment: environment)
        daemon = child
        try await child.untilListening()
    }

    func tillbox(
        _ arguments: String...
    ) async throws -> (code: Int32, output: String, errors: String) {
        try await tillbox(arguments, data: folder.file("data"))
    }

    func tillbox(
        _ arguments: [String], data: String, _ more: [String: String] = [:]
    ) async throws -> (code: Int32, output: String, errors: String) {
        try await Child.run(
            Tillbox.executable, arguments + ["--data", data],
            environment: environment.merging(more) { $1 })
    }

    /// The same on a terminal of its own; what it says on both outputs comes as one.
    func onTerminal(
        _ arguments: String...
    ) async throws -> (code: Int32, output: String, errors: String) {
        let words = [Tillbox.executable] + arguments + ["--data", folder.file("data")]
        return try await Child.run(
            "/usr/bin/script", ["-qec", words.joined(separator: " "), "/dev/null"],
            environment: environment.merging(["TERM": "xterm"]) { $1 })
    }

    enum Method: String { case get = "GET", post = "POST" }

    func api(_ method: Method, _ path: String, body: String? = nil) async throws -> JSON {
        try await send(method.rawValue, "http://127.0.0.1:\(ports.admin)\(path)", body, [
            "Content-Type": "application/json",
            "Authorization": "Bearer \(Tillbox.token(of: folder.file("data")))",
        ])
    }

    /// Pays once.
    ///
    /// - Returns: the intent.
    func pay(
        _ amount: Int, _ currency: String, _ more: [String: String] = [:]
    ) async throws -> JSON {
        let common = [
            "amount": "\(amount)", "currency": currency, "payment_method": "pm_card_visa",
            "confirm": "true", "return_url": "https://example.com",
        ]
        return try await twin.post("/v1/payment_intents", common.merging(more) { $1 })
    }

    /// Payments of every kind, in currencies of every exponent.
    ///
    /// - Returns: the charges that nothing else happened to.
    func pay() async throws -> [String] {
        var charges: [String] = []
        for currency in ["usd", "jpy", "bhd", "ugx", "isk"] {
            for amount in [200_000, 350_000] {
                charges.append(try await pay(amount, currency)["latest_charge"].text)
            }
        }
        let held = try await pay(100_000, "usd", ["capture_method": "manual"])
        _ = try await twin.post(
            "/v1/payment_intents/\(held["id"].text)/capture", ["amount_to_capture": "40000"])
        let refunded = try await pay(90_000, "usd")["latest_charge"].text
        _ = try await twin.post("/v1/refunds", ["charge": refunded, "amount": "20000"])
        let failing = try await pay(80_000, "usd", ["payment_method": "pm_card_refundFail"])
        let refund = try await twin.post(
            "/v1/refunds", ["charge": failing["latest_charge"].text, "amount": "30000"])
        if refund["status"].text != "failed" {
            _ = try await twin.post("/twin/refunds/\(refund["id"].text)/fail", [:])
        }
        let disputed = try await pay(70_000, "usd")["latest_charge"].text
        let dispute = try await twin.post("/twin/disputes", ["charge": disputed])
        _ = try await twin.post(
            "/twin/disputes/\(dispute["id"].text)/close", ["status": "won", "reinstated": "50000"])
        return charges
    }
}

/// `tillbox twin` as a process.
final class TwinServer {
    static let key = "sk_test_reconciliation"
    let port: Int
    private let child: Child

    init() async throws {
        port = try freePort()
        child = try Child(
            Tillbox.executable,
            ["twin", "--port", "\(port)", "--key", Self.key, "--payouts", "manual"])
        try await eventually("the twin listens: \(child.standardError)") {
            (try? await get("/v1/balance")) != nil
        }
    }

    func get(_ path: String) async throws -> JSON {
        try await send("GET", "http://127.0.0.1:\(port)\(path)", nil, authorization)
    }

    func post(_ path: String, _ fields: [String: String]) async throws -> JSON {
        let body = fields.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            .joined(separator: "&")
        let answer = try await send(
            "POST", "http://127.0.0.1:\(port)\(path)", body,
            authorization.merging(["Content-Type": "application/x-www-form-urlencoded"]) { $1 })
        if answer.has("error") { throw TwinRefused(answer: "\(path) \(body): \(answer)") }
        return answer
    }

    private var authorization: [String: String] { ["Authorization": "Bearer \(Self.key)"] }
}

struct TwinRefused: Error { var answer: String }

private func send(
    _ method: String, _ url: String, _ body: String?, _ headers: [String: String]
) async throws -> JSON {
    var request = URLRequest(url: try #require(URL(string: url)))
    request.httpMethod = method
    request.httpBody = body.map { Data($0.utf8) }
    for (name, value) in headers { request.setValue(value, forHTTPHeaderField: name) }
    let (data, _) = try await URLSession.shared.data(for: request)
    return try JSON(String(decoding: data, as: UTF8.self))
}
