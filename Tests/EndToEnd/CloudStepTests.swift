import Foundation
import TestSupport
import Testing

@testable import Vocabulary

/// The webhook role is killed at each step between its claim and its answer.
@Suite("Steps of the webhook role", .serialized)
struct CloudStepTests {
    /// Where it is killed: what stands in Redis and at Kafka by then.
    private enum Step: String, CaseIterable {
        case claimNotTaken, claimTaken, recordNotSent, recordWritten, doneWritten
    }

    private static func body(_ step: Step) -> String {
        let id = step.rawValue
        return """
            {"id":"evt_\(id)","object":"event","api_version":"2025-03-31.basil",\
            "type":"charge.succeeded","created":1760000000,"livemode":false,\
            "data":{"object":{"id":"ch_\(id)","object":"charge","amount":1000,"currency":"usd",\
            "captured":true,"paid":true,"status":"succeeded","created":1760000000,\
            "customer":"cus_\(id)","refunded":false,"amount_refunded":0,"amount_captured":1000,\
            "livemode":false}}}
            """
    }

    @Test("killed at any of them: the retry is stored, and booked once")
    func steps() async throws {
        let kafkaProxy = try await KafkaProxy()
        let place = try await CloudPlace(broker: try await KafkaServer(behind: kafkaProxy))
        let proxy = try RedisProxy(to: place.redis.port)
        defer { proxy.close() }
        place.environment["TILLBOX_REDIS_URL"] = proxy.url
        for step in Step.allCases {
            try await kill(at: step, place, proxy, kafkaProxy)
            let claim = try await place.redis.tool("GET", "tillbox:gate:evt_\(step.rawValue)")
            switch step {
            case .claimNotTaken: #expect(claim.isEmpty, "\(step)")
            case .doneWritten: #expect(claim.hasPrefix("done:"), "\(step): \(claim)")
            case .claimTaken, .recordNotSent, .recordWritten:
                #expect(claim.hasPrefix("pending:"), "\(step): \(claim)")
            }
        }
        for role in ["webhook", "score", "ledger"] { try place.start(role) }
        try await place.untilWebhooksAreTaken()
        // A claim whose owner is gone runs out; until then the answer is 503.
        for step in Step.allCases {
            try await eventually("\(step) is stored", within: 60, every: .milliseconds(500)) {
                try Ask.send(Self.body(step), to: place.port).readStatus() == 200
            }
        }
        try await eventually("all are booked", within: 60, every: .milliseconds(500)) {
            try place.ledgerCount() >= Step.allCases.count
        }
        let counts = try await place.oracle("killed at each step", acknowledged: nil)
        let received = counts["webhook.received", default: 0]
        // Of an event whose claim was lost behind its record there are two; each is booked once.
        #expect(received == Step.allCases.count + 1, "\(counts)")
        #expect(counts["ledger"] == Step.allCases.count)
        await place.stop()
    }

    private func kill(
        at step: Step, _ place: CloudPlace, _ proxy: RedisProxy, _ kafkaProxy: KafkaProxy
    ) async throws {
        try place.start("webhook")
        try await place.untilWebhooksAreTaken()
        let kept = proxy.keptCount
        switch step {
        case .claimNotTaken: proxy.keepOnce(.command, of: "pending:")
        case .claimTaken: proxy.keepOnce(.answer, of: "pending:")
        case .recordNotSent: try kafkaProxy.hold()
        case .recordWritten: proxy.keepOnce(.command, of: "done:")
        case .doneWritten: proxy.keepOnce(.answer, of: "done:")
        }
        let connection = try Ask.send(Self.body(step), to: place.port)
        if step == .recordNotSent {
            try await eventually("the claim is taken") {
                try await place.redis.tool("GET", "tillbox:gate:evt_\(step.rawValue)")
                    .hasPrefix("pending:")
            }
        } else {
            try await eventually("\(step) is reached") { proxy.keptCount > kept }
        }
        await place.kill("webhook")
        #expect(connection.readStatus() == nil, "\(step): it was answered before it was killed")
        if step == .recordNotSent {
            // What the proxy still holds of the dead is not the broker's business.
            try kafkaProxy.cut()
            try kafkaProxy.go()
        }
    }
}
