import Foundation
import NIOHTTP1
import TestSupport
import Testing

@testable import Appliance
@testable import Command
@testable import Daemon
@testable import Terminal
@testable import Vocabulary

/// What a command makes of a daemon that does not answer as it should.
@Suite("A request to the daemon")
struct AdminConnectionTests {
    /// What stands where the daemon's answer should.
    enum Answer: String, CaseIterable, Sendable {
        case noHTTP = "nothing of the kind\r\n\r\n"
        case cutOff = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"
        case nothing = ""
        case noJSON = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\noops"
        case noAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
        case elsewhere =
            "HTTP/1.1 307 Temporary Redirect\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"
        case failedBehind = """
            HTTP/1.1 500 Internal Server Error\r\nContent-Length: 45\r\n\r\n\
            {"status":500,"detail":"the log cannot sync"}
            """
        case proxySays400 = """
            HTTP/1.1 400 Bad Request\r\nContent-Length: 18\r\n\r\n\
            {"error":"uneven"}
            """
        case proxySays504 = """
            HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 16\r\n\r\n\
            {"error":"late"}
            """
        case tooLong = "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n{"
    }

    private static func peer(_ answer: Answer) throws -> ScriptedPeer {
        try ScriptedPeer { connection in
            connection.read(until: "\r\n\r\n")
            connection.send(answer.rawValue)
        }
    }

    private static func connection(to port: Int) -> AdminConnection {
        AdminConnection(
            address: Settings.Address(host: "127.0.0.1", port: port), dataPath: "/data",
            patience: AdminConnection.Patience(seconds: 10, unanswered: "it may have been done"))
    }

    @Test("that was sent may have been heard, whatever comes back", arguments: Answer.allCases)
    func sent(answer: Answer) async throws {
        let peer = try Self.peer(answer)
        let failure = await #expect(throws: CommandFailure.self) {
            try await Self.connection(to: peer.port).send(.POST, "/api/v1/sweeps") { root in
                guard let id = root["id"]?.int64 else { throw RecordCodecError.field("id") }
                return id
            }
        }
        #expect(failure?.isNoDaemon == false)
        let message = failure?.message ?? ""
        #expect(message.hasSuffix("it may have been done"), "\(message)")
        #expect(!message.contains("no daemon answers"), "\(message)")
        #expect(peer.connections == 1)
    }

    @Test("that found nobody was not heard")
    func notSent() async throws {
        let port = try freePort()
        let failure = await #expect(throws: CommandFailure.self) {
            try await Self.connection(to: port).send(.POST, "/api/v1/sweeps") { _ in }
        }
        #expect(failure?.isNoDaemon == true)
        #expect(failure?.message?.contains("no daemon answers at 127.0.0.1:\(port)") == true)
        #expect(failure?.message?.contains("may have been done") == false)
    }

    @Test("that found no role of the cloud names neither a daemon nor a data folder")
    func noRole() async throws {
        let port = try freePort()
        let failure = await #expect(throws: CommandFailure.self) {
            try await AdminConnection(
                address: Settings.Address(host: "127.0.0.1", port: port), dataPath: "/data",
                asked: AdminConnection.Asked(.cloud)
            ).send(.GET, "/api/v1/status") { _ in }
        }
        let message = failure?.message ?? ""
        #expect(failure?.isNoDaemon == true)
        #expect(message.contains("no role answers at 127.0.0.1:\(port)"), "\(message)")
        #expect(message.contains("TILLBOX_ADMIN_PORT"), "\(message)")
        #expect(!message.contains("daemon") && !message.contains("/data"), "\(message)")
    }

    @Test("that decides a review or redrives a letter is sent once, and its end is left open")
    func once() async throws {
        let root = try TemporaryFolder()
        let fixture = StartFixture(root.file("data"))
        let daemon = try fixture.start()
        let peer = try Self.peer(.noHTTP)
        var settings = fixture.settings
        settings.admin = Settings.Address(host: "127.0.0.1", port: peer.port)
        let request = try ReviewRequest(.approve, by: "ada", note: "known")
        let decision = await #expect(throws: CommandFailure.self) {
            try await ReviewDoor(settings: settings, namesSomebody: true).decide("ch_1", request)
        }
        #expect(decision?.message?.contains("may have been taken; look with `tillbox ") == true)
        #expect(peer.connections == 1)
        let redrive = await #expect(throws: CommandFailure.self) {
            try await RedriveDoor(settings: settings).send(RedriveRequest())
        }
        #expect(redrive?.message?.contains("sent back; look with `tillbox dead-letter") == true)
        #expect(peer.connections == 2)
        try await fixture.stop(daemon)
    }
}
