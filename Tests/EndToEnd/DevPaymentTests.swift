import Foundation
import TestSupport
import Testing

@testable import Vocabulary

/// Payments sent from the console of a running daemon, through its real webhook port.
@Suite("Sending a payment", .serialized, .timeLimit(.minutes(3)))
struct DevPaymentTests {
    private static let path = "/api/v1/dev/payments"

    private func send(_ daemon: RunningDaemon, _ order: String) throws -> JSON {
        let socket = try RawConnection(port: daemon.admin, patienceSeconds: 20)
        socket.send(
            "POST \(Self.path) HTTP/1.1\r\nHost: localhost\r\n\(daemon.authorization)"
                + "Content-Type: application/json\r\nContent-Length: \(order.utf8.count)\r\n\r\n"
                + order)
        let answer = socket.readAnswer()
        let body = try #require(answer.firstRange(of: "\r\n\r\n"))
        return try JSON(String(answer[body.upperBound...]))
    }

    /// What the ledger holds at Stripe in dollars, in minor units.
    private func balance(_ daemon: RunningDaemon) throws -> Int {
        let accounts = try JSON(try daemon.read("/api/v1/accounts"))["accounts"].list
        return accounts.first {
            $0["account"].text == "processor:stripe" && $0["currency"].text == "usd"
        }?["minor_units"].int ?? 0
    }

    @Test("each kind ends where it should, and the ledger has each payment once")
    func kinds() async throws {
        let daemon = try await RunningDaemon()
        let first = try send(daemon, #"{"kind":"payment","amount":5000}"#)
        #expect(first["events"].list.map { $0["status"].int } == [200])
        let twice = try send(daemon, #"{"kind":"twice","amount":300}"#)["events"].list
        #expect(twice.map { $0["duplicate"].bool } == [false, true])
        let bad = try send(daemon, #"{"kind":"bad_signature","amount":70000}"#)["events"].list
        #expect(bad.map { $0["status"].int } == [400])
        #expect(bad.first?["answer"].text.contains("signature_no_match") == true)
        let void = try send(daemon, #"{"kind":"void","amount":40000}"#)["events"].list
        #expect(
            void.map { $0["type"].text } == ["charge.succeeded", "charge.refunded"])
        let refund = try send(daemon, #"{"kind":"refund","amount":2000}"#)["events"].list
        #expect(refund.map { $0["type"].text }
            == ["charge.succeeded", "refund.created", "charge.refunded"])
        let id = first["payment"].text
        let back = try send(daemon, "{\"kind\":\"dispute\",\"payment\":\"\(id)\"}")
        #expect(back["payment"].text == id)
        #expect(try send(daemon, "{\"kind\":\"refund\",\"payment\":\"\(id)\"}")["code"].text
            == "nothing_left")
        let burst = try send(daemon, #"{"kind":"fraud_burst","customer":9}"#)["events"].list
        #expect(burst.count == 12 && burst.allSatisfy { $0["status"].int == 200 })
        try await daemon.drained("all that was sent is booked")

        #expect(try daemon.counter("dead_letters") == 0)
        #expect(try daemon.counter("duplicates") == 1)
        #expect(try daemon.counter("signature_refused") == 1)
        // 5,000 came and went with a fee of 1,500; 300 once; 2,000 came and went; four of the burst
        // were paid, 100 and 90 more each time; 40,000 were let go of and never came.
        let burstPaid = (0..<4).reduce(0) { $0 + 100 + $1 * 90 }
        #expect(try balance(daemon) == -1_500 + 300 + burstPaid + 2_000)
        var transactions: [JSON] = []
        try await eventually("the payment and its dispute are indexed") {
            let story = try JSON(try daemon.read("/api/v1/payments/\(id)"))
            transactions = story["transactions"].list
            return transactions.count >= 2
        }
        #expect(transactions.allSatisfy {
            $0["webhook"]["signature"]["state"].text == "valid"
        })
    }

    @Test("there is no such route but in the profile dev")
    func edge() async throws {
        let daemon = try await RunningDaemon(environment: ["TILLBOX_PROFILE": "edge"])
        #expect(try daemon.ask("POST", Self.path, json: "{}") == 404)
        #expect(try daemon.ask("GET", "/send") == 404)
        #expect(!(try daemon.read("/openapi.json")).contains("dev/payments"))
    }
}
