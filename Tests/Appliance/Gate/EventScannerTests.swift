import Testing

@testable import Appliance
@testable import Vocabulary

@Suite("Event scanner")
struct EventScannerTests {
    private let scanner = EventScanner()

    private func scan(_ text: String) throws -> ScannedEvent { try scanner.scan(Array(text.utf8)) }

    @Test("reads an event's identity")
    func snapshotEvent() throws {
        let event = try scan(
            #"{"id":"evt_1","object":"event","account":"acct_1","api_version":"2024-06-20","#
                + #""created":1700000000,"data":{"object":{"id":"ch_1","created":5}},"#
                + #""livemode":true,"type":"charge.succeeded"}"#)
        let expected = ScannedEvent(
            id: EventID("evt_1"), type: "charge.succeeded", created: "1700000000", livemode: true,
            object: "event", apiVersion: "2024-06-20", account: "acct_1")
        #expect(event == expected)
        #expect(event.object == "event")
    }

    @Test("recognises a thin event, whose time is a text")
    func thinEvent() throws {
        let event = try scan(
            #"{"id":"evt_t","object":"v2.core.event","type":"v1.billing.meter.no_meter_found","#
                + #""livemode":false,"created":"2024-09-17T06:20:52.246Z","related_object":null}"#)
        #expect(event.object == "v2.core.event")
        #expect(event.created == "2024-09-17T06:20:52.246Z")
    }

    @Test("an id alone is enough")
    func idAlone() throws {
        let event = try scan(#"{"id":"evt_1","type":5,"created":null,"livemode":"no"}"#)
        let expected = ScannedEvent(
            id: EventID("evt_1"), type: nil, created: nil, livemode: nil, object: nil,
            apiVersion: nil, account: nil)
        #expect(event == expected)
    }

    @Test("the longest id that is accepted has 255 bytes")
    func longestID() throws {
        let id = String(repeating: "é", count: 127) + "x"
        #expect(try scan("{\"id\":\"\(id)\"}").id.rawValue == id)
        #expect(throws: EventBodyRefusal.noEventID(.tooLong)) { try scan("{\"id\":\"\(id)x\"}") }
    }

    @Test(
        "what cannot be admitted is refused with a stable code",
        arguments: [
            ("", EventBodyRefusal.notJSON(.empty), "not_json"),
            ("{\"id\":\"evt_1\"", .notJSON(.malformed), "not_json"),
            ("{\"id\":\"evt_1\"}}", .notJSON(.malformed), "not_json"),
            ("<html>", .notJSON(.malformed), "not_json"),
            ("{\"id\":1e999}", .notJSON(.number), "not_json"),
            ("[]", .noEventID(.notAnObject), "no_event_id"),
            ("null", .noEventID(.notAnObject), "no_event_id"),
            ("{}", .noEventID(.missing), "no_event_id"),
            ("{\"id\":null}", .noEventID(.missing), "no_event_id"),
            ("{\"id\":5}", .noEventID(.notAString), "no_event_id"),
            ("{\"id\":{\"id\":\"evt_1\"}}", .noEventID(.notAString), "no_event_id"),
            ("{\"id\":\"\"}", .noEventID(.empty), "no_event_id"),
            ("{\"id\":\"evt\\n1\"}", .noEventID(.controlCharacter), "no_event_id"),
            ("{\"id\":\"evt\\u0000\"}", .noEventID(.controlCharacter), "no_event_id"),
            ("{\"id\":\"evt\u{7F}\"}", .noEventID(.controlCharacter), "no_event_id"),
            ("{\"id\":\"evt\u{85}\"}", .noEventID(.controlCharacter), "no_event_id"),
            (
                "{\"id\":\"evt_1\",\"a\":" + String(repeating: "[", count: 64) + "1"
                    + String(repeating: "]", count: 64) + "}", .tooDeep, "too_deep"
            ),
        ])
    func refusals(body: String, expected: EventBodyRefusal, code: String) {
        #expect(throws: expected) { try scan(body) }
        #expect(expected.code == code)
        #expect(!expected.detail.isEmpty)
    }

    @Test("bytes that are not UTF-8 are refused as such")
    func notUTF8() {
        let body = Array("{\"id\":\"evt_".utf8) + [0xFF] + Array("\"}".utf8)
        #expect(throws: EventBodyRefusal.notUTF8) { try scanner.scan(body) }
    }

    @Test("one scanner serves many threads at once")
    func concurrent() async throws {
        let scanner = EventScanner()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<8 {
                group.addTask {
                    for number in 0..<500 {
                        let id = "evt_\(worker)_\(number)"
                        let event = try scanner.scan(Array("{\"id\":\"\(id)\"}".utf8))
                        try #require(event.id.rawValue == id)
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    @Test("the first of two ids counts")
    func duplicateID() throws {
        #expect(try scan(#"{"id":"evt_1","id":"evt_2"}"#).id == EventID("evt_1"))
    }
}
