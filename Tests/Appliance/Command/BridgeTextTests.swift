import Testing

@testable import Command
@testable import Vocabulary

/// What a person reads of bridges, from the document of the API.
@Suite("Bridges in words")
struct BridgeTextTests {
    @Test(
        "an error that is over is told as past, one that is in the way with its sentence",
        arguments: [
            (state: "running", at: 820, since: "900", says: "3 min ago, working since"),
            // It is connected, and has taken nothing yet.
            (state: "running", at: 990, since: "null", says: "10 s ago: no broker answers"),
            (state: "starting", at: 990, since: "null", says: "10 s ago: no broker answers"),
            (state: "backing_off", at: 990, since: "null", says: "  no broker answers"),
            (state: "circuit_open", at: 990, since: "null", says: "  no broker answers"),
            (state: "stopped", at: 990, since: "null", says: "  no broker answers"),
            (state: "paused", at: 820, since: "900", says: "  3 min ago\n"),
            // By a clock that was set back since.
            (state: "running", at: 2_000, since: "2001", says: "0 s ago, working since"),
        ])
    func lastError(row: (state: String, at: Int, since: String, says: String)) throws {
        let table = try Self.table(
            """
            {"name":"kafka","state":"\(row.state)","lag":0,"rate":0,"delivered":7,
            "last_error":"no broker answers","last_error_at":\(row.at),
            "working_since":\(row.since)}
            """)
        #expect((table + "\n").contains(row.says), "\(table)")
    }

    @Test("what a call that is under way waits for is told as in the way")
    func waiting() throws {
        let table = try Self.table(
            """
            {"name":"kafka","state":"running","lag":5,"rate":0,"delivered":7,"waiting":true,
            "last_error":"no broker answers","last_error_at":990,"working_since":null}
            """)
        #expect(table.contains("  no broker answers"), "\(table)")
    }

    @Test("where nothing has failed nothing is told")
    func none() throws {
        let table = try Self.table(
            """
            {"name":"kafka","state":"running","lag":0,"rate":0,"delivered":7,"last_error":null,
            "last_error_at":null,"working_since":900}
            """)
        #expect(!table.contains("ago"), "\(table)")
    }

    private static func table(_ bridge: String) throws -> String {
        let document = JSONDocument()
        return try withExtendedLifetime(document) {
            let root = try document.parse(Array("{\"bridges\":[\(bridge)]}".utf8))
            return BridgeText.table(try #require(root["bridges"]?.array), at: 1_000) ?? ""
        }
    }
}
