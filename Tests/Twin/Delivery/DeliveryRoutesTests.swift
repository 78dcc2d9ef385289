import Foundation
import FoundationNetworking
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import TestSupport
import Testing
import TwinSupport

@testable import Twin
@testable import Vocabulary

@Suite("Delivery routes")
struct DeliveryRoutesTests {
    private struct Answer {
        var status: Int
        var json: [String: Any]

        func share(_ fault: String) -> Double? {
            let faults = json["faults"] as? [String: Any]
            return (faults?[fault] as? [String: Any])?["share"] as? Double
        }
    }

    private static func serve(
        _ sender: WebhookSender, _ body: @escaping @Sendable (Int) async throws -> Void
    ) async throws {
        let router = Router(context: BasicRequestContext.self)
        DeliveryRoutes(sender: sender).add(to: router.group("twin"))
        let ports = AsyncStream<Int>.makeStream()
        let application = Application(
            responder: router.buildResponder(),
            configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { ports.continuation.yield($0.localAddress?.port ?? 0) },
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await application.run() }
            group.addTask { try await sender.run() }
            for await port in ports.stream {
                try await body(port)
                break
            }
            group.cancelAll()
        }
    }

    private static func ask(
        _ method: String, _ path: String, port: Int, _ body: String? = nil
    ) async throws -> Answer {
        let url = try #require(URL(string: "http://127.0.0.1:\(port)/twin/\(path)"))
        var request = URLRequest(url: url)
        request.httpMethod = method
        request.httpBody = body.map { Data($0.utf8) }
        let (data, response) = try await URLSession.shared.data(for: request)
        let json = try JSONSerialization.jsonObject(with: data) as? [String: Any]
        return Answer(
            status: (response as? HTTPURLResponse)?.statusCode ?? 0, json: json ?? [:])
    }

    @Test("set and clear faults, refuse what they do not know, and tell what came of deliveries")
    func control() async throws {
        let gate = ScriptedGate()
        let port = try await gate.listen()
        let sender = WebhookSender(
            settings: DeliverySettings(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let endpoint = TwinEndpoint(
            id: "we_1", url: "http://127.0.0.1:\(port)/", secrets: ["whsec_x"])
        sender.follow { [endpoint] }
        try await Self.serve(sender) { api in
            let set = try await Self.ask(
                "POST", "delivery/faults", port: api, #"{"loss":{"next":2},"reorder":0.5}"#)
            #expect(set.status == 200)
            #expect(set.share("reorder") == 0.5)
            let refused = try await Self.ask(
                "POST", "delivery/faults", port: api, #"{"reorder":0.9,"lost":1}"#)
            #expect(refused.status == 400)
            let error = refused.json["error"] as? [String: Any]
            #expect((error?["message"] as? String)?.hasPrefix("There is no fault lost") == true)
            #expect(sender.faults[.reorder].share == 0.5)

            for number in 1...3 { sender.offer(TwinEvent.sample(number)) }
            try await eventually("all is delivered") { sender.backlog == 0 }
            let state = try await Self.ask("GET", "delivery", port: api)
            let standing = try #require((state.json["endpoints"] as? [[String: Any]])?.first)
            #expect(standing["id"] as? String == "we_1")
            #expect(standing["lost"] as? Int == 2)
            #expect(standing["delivered"] as? Int == 1)
            let cleared = try await Self.ask("DELETE", "delivery/faults", port: api)
            #expect(cleared.share("reorder") == 0)
        }
        try await gate.stop()
    }
}
