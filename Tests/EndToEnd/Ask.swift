import Foundation
import TestSupport

@testable import Vocabulary

/// Deliveries and questions, one by one.
enum Ask {
    /// A payment, whose description makes it larger by so many bytes that no codec makes smaller.
    static func payment(_ id: String, largerBy count: Int = 0) -> String {
        let now = Int64(Date().timeIntervalSince1970)
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        let filling = (0..<count).map { _ in letters[Int.random(in: 0..<64)] }
        return """
            {"id":"evt_\(id)","object":"event","api_version":"2025-03-31.basil",\
            "type":"charge.succeeded","created":\(now),"livemode":false,\
            "data":{"object":{"id":"ch_\(id)","object":"charge","amount":2000,"currency":"usd",\
            "amount_captured":2000,"captured":true,"created":\(now),"status":"succeeded",\
            "paid":true,"customer":"cus_\(id)","description":"\
            \(String(decoding: filling, as: UTF8.self))"}}}
            """
    }

    /// Delivers as Stripe does.
    ///
    /// - Returns: the status of the answer; nil where none comes.
    static func deliver(_ body: String, to port: Int) throws -> Int? {
        try send(body, to: port).readStatus()
    }

    /// Sends a signed delivery, whose answer nobody has read yet.
    static func send(_ body: String, to port: Int) throws -> RawConnection {
        let signature = StripeSignature.header(
            signing: Array(body.utf8)[...],
            at: Instant(seconds: Int64(Date().timeIntervalSince1970)), secrets: ["whsec_test"])
        let connection = try RawConnection(port: port)
        connection.send(
            "POST /webhooks/stripe HTTP/1.1\r\nHost: localhost\r\n"
                + "Stripe-Signature: \(signature)\r\nContent-Type: application/json\r\n"
                + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
        return connection
    }

    /// An address with the user in it.
    static func asAnn(_ url: String) -> String { url.replacing("://", with: "://ann@") }

    /// Announces a delivery of so many bytes, and sends none of them.
    static func announce(_ count: Int, to port: Int) throws -> Int? {
        let connection = try RawConnection(port: port)
        connection.send(
            "POST /webhooks/stripe HTTP/1.1\r\nHost: localhost\r\n"
                + "Stripe-Signature: t=1,v1=0\r\nContent-Length: \(count)\r\n\r\n")
        return connection.readStatus()
    }

    /// What `/readyz` answers, with its head; empty where nobody listens.
    static func readiness(_ port: Int) -> String {
        guard let connection = try? RawConnection(port: port) else { return "" }
        connection.send("GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return connection.readAnswer()
    }

    static func isReady(_ port: Int) -> Bool { readiness(port).hasPrefix("HTTP/1.1 200") }
}
