import Foundation
import Testing
import TwinSupport

@testable import Appliance
@testable import Command
@testable import Twin
@testable import Vocabulary

@Suite("Lines of the twin's calls and deliveries")
struct TwinLinesTests {
    private static let time = Date(timeIntervalSince1970: 1_767_607_200.25)

    private static func answer(
        _ path: String, _ form: String
    ) throws -> (APIRequest, APIAnswer) {
        let caller = try TwinCaller()
        let request = APIRequest(
            method: .post, path: path, fields: FormCoding.decode(form),
            apiKey: TwinSettings().apiKeys[0])
        return (request, caller.twin.handle(request))
    }

    @Test("a call says when, what and how it was answered")
    func calls() throws {
        let (request, answer) = try Self.answer("/v1/customers", "name=Zoë")
        #expect(
            TwinLines.line(request, answer, at: Self.time)
                == "2026-01-05T10:00:00.250Z call 200 POST /v1/customers \(answer.requestID)")
        let (wrong, refused) = try Self.answer("/v1/customers", "nmae=Zoë")
        #expect(
            TwinLines.line(wrong, refused, at: Self.time).hasSuffix(
                "call 400 POST /v1/customers \(refused.requestID) parameter_unknown nmae"))
    }

    @Test("what callers write cannot leave its line or paint the terminal")
    func hostilePath() throws {
        let (request, answer) = try Self.answer("/v1/\u{1B}[31m\n\u{9B}2J", "")
        let line = TwinLines.line(request, answer, at: Self.time)
        #expect(
            line.unicodeScalars.allSatisfy { $0.value >= 32 && !(127...159).contains($0.value) })
    }

    @Test("a delivery says where to, what and how it was answered")
    func deliveries() throws {
        let endpoint = TwinEndpoint(
            id: "we_1", url: "http://127.0.0.1:1/hook", secrets: ["whsec_x"])
        var queue = DeliveryQueue(endpoint: endpoint, seed: 1, schedule: .quick, limits: .init())
        let event = TwinEvent.sample(1)
        queue.offer(event, at: 0)
        let due = queue.takeDue(at: 0)
        let shipment = try #require(due)
        let line = "\(event.type) \(event.id) http://127.0.0.1:1/hook attempt 1"
        #expect(
            TwinLines.line(endpoint, shipment, .answered(status: 503), at: Self.time)
                == "2026-01-05T10:00:00.250Z send 503 \(line)")
        #expect(
            TwinLines.line(endpoint, shipment, .unanswered(reason: "timeout"), at: Self.time)
                == "2026-01-05T10:00:00.250Z send timeout \(line)")
    }

    @Test("a delivery is settled once it is made, given up, lost or without room")
    func settled() throws {
        var endpoint = TwinEndpoint(id: "we_1", url: "http://127.0.0.1:1/", secrets: ["whsec_x"])
        var schedule = RetrySchedule.quick
        schedule.attemptsMax = 1
        var limits = DeliveryLimits()
        limits.pendingMax = 2
        var queue = DeliveryQueue(endpoint: endpoint, seed: 1, schedule: schedule, limits: limits)
        let events = (1...4).map { TwinEvent.sample($0) }
        for event in events.prefix(3) { queue.offer(event, at: 0) }
        #expect(queue.takeSettled() == [events[2].id])
        for status in [200, 500] {
            let due = queue.takeDue(at: 0)
            let shipment = try #require(due)
            #expect(queue.takeSettled().isEmpty)
            queue.finish(shipment, .answered(status: status), at: 0)
            #expect(queue.takeSettled() == [shipment.event.id])
        }
        queue.set(.loss, .init(share: 1))
        queue.offer(events[3], at: 0)
        #expect(queue.takeSettled() == [events[3].id])
        endpoint.apiVersion = StripeVersion("2020-08-27")
        queue.update(endpoint)
        queue.offer(events[3], at: 0)
        #expect(queue.takeSettled() == [events[3].id])
    }
}
