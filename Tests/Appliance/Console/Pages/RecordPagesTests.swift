import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import Appliance
@testable import Console
@testable import Vocabulary

@Suite("Records and dead letters on pages")
struct RecordPagesTests {
    // MARK: Values

    @Test("a value is shown as what it is, every number and string as it was written", arguments: [
        (#"{"a":1.50,"b":[],"c":{"d":"x,{\"y\":1}"},"e":[1,2]}"#, "JSON",
            """
            {
              "a": 1.50,
              "b": [],
              "c": {
                "d": "x,{\\"y\\":1}"
              },
              "e": [
                1,
                2
              ]
            }
            """),
        ("{}", "JSON", "{}"), ("no JSON", "text", "no JSON"),
        ("one\ntwo\u{202E}", "text", "one\ntwo\\u{202e}"), ("17", "text", "17"),
    ])
    func readable(value: String, kind: String, text: String) {
        let shown = ReadableValue(Array(value.utf8)[...])
        #expect(shown.kind == kind)
        #expect(shown.text == text)
        #expect(shown.cut == nil)
    }

    @Test("what is no text is shown as hex, and says where it was cut")
    func hex() {
        let shown = ReadableValue([0xFF, 0x41, 0x00])
        #expect(shown.kind == "bytes")
        #expect(shown.text.hasPrefix("00000000  ff 41 00 "))
        #expect(shown.text.hasSuffix("  ·A·"))
        let long = ReadableValue([UInt8](repeating: 0xFF, count: 5_000)[...])
        #expect(long.text.count(of: "\n") == 255)
        #expect(long.text.contains("\n00000ff0  ff"))
        #expect(long.cut == "The first 4,096 of 5,000 bytes.")
        #expect(ReadableValue(nil).kind == "no value")
        #expect(ReadableValue([]).kind == "empty")
    }

    @Test("a text that is cut within a character is text all the same")
    func cutCharacter() {
        let long = String(repeating: "ü", count: ReadableValue.textBytesMax)
        let shown = ReadableValue(Array("x\(long)".utf8)[...])
        #expect(shown.kind == "text")
        #expect(shown.text.utf8.count == ReadableValue.textBytesMax - 1)
        #expect(shown.cut != nil)
    }

    // MARK: One record, and the tail

    @Test("a record's page has its headers, its value, its neighbours and its payment")
    func record() async throws {
        try await PageFixture.opened { pages in
            let text = try await pages.ask("/log/webhook.received/3").text
            for part in [
                "evt_4", "received-at", "&quot;charge.succeeded&quot;", "/payments/ch_4",
                #"href="/log/webhook.received/2""#, #"href="/log/webhook.received/4""#,
                "tillbox log send webhook.received 3 --to URL",
            ] { #expect(text.contains(part), "\(part)") }
            let last = try await pages.ask("/log/webhook.received/5").text
            #expect(last.contains("The newest"))
            for other in ["03", "+3", "3,0", "1,000"] {
                let answer = try await pages.ask("/log/webhook.received/\(other)")
                #expect(answer.status == 404, "a record has one address: \(other)")
            }
        }
    }

    @Test("the tail has the newest that match, and goes on where it was")
    func tail() async throws {
        try await PageFixture.opened { pages in
            func rows(_ query: String) async throws -> [String] {
                let text = try await pages.ask("/log/webhook.received/tail\(query)").text
                #expect(text.contains(#"data-tail="6""#))
                return text.matches(of: #/class="id" href="/log/webhook.received/([0-9]+)"/#)
                    .map { String($0.output.1) }
            }
            for (query, wanted) in [
                ("", ["5", "4", "3", "2", "1", "0"]), ("?from=4", ["5", "4"]), ("?from=6", []),
                ("?filter=key:evt_2", ["1"]),
                ("?filter=data.object.amount:5000&from=2", ["4"]),
            ] {
                let found = try await rows(query)
                #expect(found == wanted, "\(query)")
            }
        }
    }

    @Test("only an admin sends a webhook from its page, and only to an address")
    func sending() async throws {
        try await PageFixture.opened { pages in
            let path = "/log/webhook.received/0/send"
            for caller in [PageFixture.viewer, PageFixture.reviewer] {
                let answer = try await pages.ask(
                    path, form: "to=http%3A%2F%2F127.0.0.1%3A1%2F", as: caller)
                #expect(answer.status == 403)
            }
            let wrong = try await pages.ask(path, form: "to=nowhere&secret=whsec_1")
            #expect(wrong.status == 400)
            #expect(!wrong.text.contains("whsec_1"), "a secret is never shown again")
            let other = try await pages.ask(
                "/log/payment.scored/0/send", form: "to=http%3A%2F%2F127.0.0.1%3A1%2F")
            #expect(other.status == 400)
        }
    }

    // MARK: Dead letters

    /// A webhook that the fixture's letter could be, whose event keeps its id.
    private static let mended = PipelineFixture.charge(7).replacing("evt_7", with: "evt")

    private func form(_ act: String, _ value: String, judged: String = "") -> String {
        "act=\(act)&value=\(PathText.escaped(value))&judged=\(judged)"
    }

    private func judged(_ page: String) throws -> String {
        String(try #require(page.firstMatch(of: #/name="judged" value="([0-9a-f]+)"/#)).output.1)
    }

    @Test("a letter is edited behind a dry run, and goes back once")
    func edited() async throws {
        try await PageFixture.opened { pages in
            let path = "/log/letters/0"
            let shown = try await pages.ask(path).text
            #expect(shown.contains("It would stay") && !shown.contains("value=\"send\""))
            let looked = try await pages.ask(path, form: form("look", Self.mended)).text
            #expect(looked.contains("It would go back"))
            #expect(looked.contains("Redrive the edited value"))
            let unseen = try await pages.ask(path, form: form("send", Self.mended))
            #expect(unseen.status == 409 && unseen.text.contains("Nothing was sent"))
            let sent = try await pages.ask(
                path, form: form("send", Self.mended, judged: try judged(looked)))
            #expect(sent.status == 303)
            #expect(sent.headers[.location] == "/log/letters/0?sent=1")
            let after = try await pages.ask(path).text
            #expect(after.contains("On its way back") && !after.contains("<textarea"))
            let again = try await pages.ask(
                path, form: form("send", Self.mended, judged: try judged(looked)))
            #expect(again.status == 409 && again.text.contains("gone back already"))
        }
    }

    @Test("an edit keeps the event, and needs the role admin")
    func refused() async throws {
        try await PageFixture.opened { pages in
            let other = try await pages.ask(
                "/log/letters/0", form: form("look", PipelineFixture.charge(7))).text
            #expect(other.contains("edit_names_another_event"))
            for caller in [PageFixture.viewer, PageFixture.reviewer] {
                let answer = try await pages.ask(
                    "/log/letters/0", form: form("look", Self.mended), as: caller)
                #expect(answer.status == 403)
                let page = try await pages.ask("/log/letters/0", as: caller)
                #expect(page.status == 200 && !page.text.contains("<textarea"))
            }
        }
    }

    @Test("what a browser makes of a value's lines is no edit", arguments: [
        ("{\"a\":1}", "{\r\n  \"a\": 1\r\n}", nil as String?), ("x\ny", "x\r\ny", nil),
        ("{\"a\":1}", "{\r\n  \"a\": 2\r\n}", "{\"a\":2}"),
        ("{\n\"a\":1\n}", "{\r\n  \"a\": 2\r\n}", "{\n  \"a\": 2\n}"), ("x", "y", "y"),
    ])
    func lines(value: String, typed: String, expected: String?) {
        let edit = LetterText.edit(typed, of: Array(value.utf8)[...])
        #expect(edit.map { String(decoding: $0, as: UTF8.self) } == expected)
    }

    // MARK: A payment's time

    @Test("the timeline begins and ends with its points, and a window leaves out what is not in it")
    func timeline() {
        let events = [(0, ""), (2, "wait"), (3_600_000, "stop")].map { at, dot in
            TimelineView.Event(at: 1_000_000 + Int64(at), words: "point \(at)", dot: dot)
        }
        let all = TimelineView(events, path: "/payments/ch_1", zoom: nil, at: nil)
        #expect(all.points.first?.x == "1.50%" && all.points.last?.x == "98.50%")
        #expect(all.outside == nil)
        #expect(all.label == "3 records over 60 min, on a logarithmic axis: point 3600000 after "
            + "60 min.")
        #expect(all.choices.map(\.words) == ["All, 60 min", "1 s", "1 min", "1 h"])
        let second = TimelineView(events, path: "/payments/ch_1", zoom: "1s", at: nil)
        #expect(second.points.map(\.words) == ["point 0", "point 2"])
        #expect(second.outside == "1 record before or behind this window")
        let late = TimelineView(events, path: "/payments/ch_1", zoom: "1m", at: 3_599_000)
        #expect(late.points.map(\.words) == ["point 3600000"])
        #expect(late.choices.first { $0.isCurrent }?.href
            == "/payments/ch_1?zoom=1m&at=3599000#when")
    }
}

extension String {
    fileprivate func count(of part: String) -> Int { ranges(of: part).count }
}
