import Foundation
import Logging
import Testing

@testable import Appliance
@testable import Command
@testable import Terminal
@testable import Vocabulary

@Suite("Log lines")
struct LineLogHandlerTests {
    private static let time = Date(timeIntervalSince1970: 1_740_830_400.25)

    private static func line(
        _ format: LogFormat, _ message: String, _ metadata: Logger.Metadata = [:]
    ) -> String {
        let handler = LineLogHandler(label: "tillbox", level: .info, format: format)
        let event = LogEvent(
            level: .warning, message: "\(message)", metadata: metadata, source: nil, file: "",
            function: "", line: 0)
        return String(decoding: handler.line(of: event, at: time), as: UTF8.self)
    }

    @Test("JSON keeps numbers, truth values and what is within as JSON")
    func json() {
        let line = Self.line(.json, "listening", [
            "count": "12", "negative": "-3", "ratio": .stringConvertible(0.5), "ok": "true",
            "zeros": "007", "plus": "+1", "text": "a \"b\"\n", "time": "mine",
            "refused": ["signature_no_match": .stringConvertible(5)], "list": ["1", "x"],
        ])
        #expect(
            line == #"{"time":"2025-03-01T12:00:00.250Z","level":"warning","logger":"tillbox","#
                + #""message":"listening","count":12,"list":[1,"x"],"negative":-3,"ok":true,"#
                + #""plus":"+1","ratio":0.5,"refused":{"signature_no_match":5},"#
                + #""text":"a \"b\"\n","time_":"mine","zeros":"007"}"# + "\n")
    }

    @Test("text is one line however the values look")
    func text() {
        let line = Self.line(.text, "refused\nforged line", [
            "count": "12", "detail": "a \"b\" = c\u{1B}[2J\u{2028}", "empty": "",
            "refused": ["b": "2", "a": "1"],
        ])
        #expect(
            line == #"2025-03-01T12:00:00.250Z warning refused\nforged line count=12 "#
                + #"detail="a \"b\" = c\u{1b}[2J\u{2028}" empty="" refused=a:1,b:2"# + "\n")
    }

    @Test("commands that a line advises are made whole, wherever they stand in it")
    func commands() {
        let handler = LineLogHandler(label: "tillbox", level: .info, format: .json) {
            $0.replacing("`tillbox ", with: "`/opt/tillbox --config c.yaml ")
        }
        let event = LogEvent(
            level: .error, message: "see `tillbox status`",
            metadata: [
                "list": ["`tillbox a`"], "nested": ["then": "`tillbox b`"],
                "then": "`tillbox bridge resume kafka`",
            ], source: nil, file: "", function: "", line: 0)
        let line = String(decoding: handler.line(of: event, at: Self.time), as: UTF8.self)
        for word in ["status", "a", "b", "bridge resume kafka"] {
            #expect(line.contains("`/opt/tillbox --config c.yaml \(word)`"), "\(line)")
        }
    }
}
