import HTTPTypes
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

@testable import Appliance
@testable import Console
@testable import Vocabulary

@Suite("Who may speak to the admin port")
struct AdminGuardTests {
    private static func status(
        _ fields: [(String, String)], method: HTTPMethod = .GET,
        listensOn listens: String = "127.0.0.1",
        further: [String] = []
    ) -> Int? {
        let request = PortRequest(
            method: method, uri: "/", headers: HTTPHeaders(fields), channel: EmbeddedChannel())
        return AdminGuard(listensOn: listens, further: further).problem(with: request)
            .map { $0.status.code }
    }

    @Test("a host without its port", arguments: [
        ("localhost", "localhost"), ("Localhost:9090", "localhost"), ("127.0.0.1:1", "127.0.0.1"),
        ("[::1]:9090", "::1"), ("[::1]", "::1"), ("::1", "::1"), ("", ""), ("[", "["), (":", ""),
    ])
    func names(host: String, name: String) {
        #expect(AdminGuard.name(host) == name)
    }

    @Test("only hosts that are served here pass", arguments: [
        ("localhost", nil), ("box.lan:9090", nil), ("proxy.example", nil), ("evil.example", 421),
        ("localhost.evil.example", 421), ("", 421), ("[", 421),
    ] as [(String, Int?)])
    func hosts(host: String, status: Int?) {
        #expect(
            Self.status([("Host", host)], listensOn: "box.lan", further: ["proxy.example"])
                == status)
    }

    @Test("a page of another site changes nothing", arguments: [
        ([], nil),
        ([("Origin", "http://localhost:9090")], nil),
        ([("Origin", "http://localhost")], 403),
        ([("Origin", "null")], 403),
        ([("Origin", "null"), ("Sec-Fetch-Site", "cross-site")], 403),
        ([("Origin", "null"), ("Sec-Fetch-Site", "same-origin")], nil),
        ([("Origin", "http://evil.example")], 403),
        ([("Sec-Fetch-Site", "same-origin")], nil),
        ([("Sec-Fetch-Site", "none")], nil),
        ([("Sec-Fetch-Site", "cross-site")], 403),
        ([("Sec-Fetch-Site", "same-site")], 403),
    ] as [([(String, String)], Int?)])
    func sites(fields: [(String, String)], status: Int?) {
        let all = [("Host", "localhost:9090")] + fields
        #expect(Self.status(all, method: .POST) == status)
        #expect(Self.status(all) == nil, "reading is the browser's to forbid")
    }
}
