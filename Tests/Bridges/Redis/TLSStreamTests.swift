import Bridges
import Foundation
import TestSupport
import Testing

@Suite("TLS for others: blocking calls with a deadline")
struct TLSStreamTests {
    private func stream(
        to host: String, port: Int, _ context: TLSContext
    ) throws -> TLSStream {
        let address = try #require(SocketAddress(number: "127.0.0.1", port: UInt16(port)))
        return try TLSStream(over: TCPStream(to: address), to: host, context)
    }

    @Test("a connection is made, written to and read from to its end")
    func wholeConversation() async throws {
        let server = try await RedisServer.shared()
        let context = try TLSContext(authorities: server.authorities)
        let stream = try stream(to: "localhost", port: server.securePort, context)
        let deadline = ContinuousClock.now + .seconds(20)
        try stream.establish(until: deadline)
        try stream.write(Array("PING\r\nQUIT\r\n".utf8), until: deadline)
        var (buffer, text) = ([UInt8](repeating: 0, count: 64), "")
        var count = 0
        repeat {
            count = try stream.read(into: &buffer, until: deadline)
            text += String(decoding: buffer[..<count], as: UTF8.self)
        } while count > 0
        #expect(text == "+PONG\r\n+OK\r\n")
    }

    @Test("a peer that says nothing is waited for until the deadline, and no longer")
    func silence() throws {
        let peer = try ScriptedPeer { $0.read(until: "never") }
        defer { withExtendedLifetime(peer) {} }
        let context = try TLSContext()
        let stream = try stream(to: "127.0.0.1", port: peer.port, context)
        let before = ContinuousClock.now
        #expect(throws: StreamError.deadline) {
            try stream.establish(until: before + .milliseconds(200))
        }
        defer { withExtendedLifetime(peer) {} }
        let took = ContinuousClock.now - before
        #expect(took >= .milliseconds(200) && took < .seconds(5))
    }

    @Test("a peer that does not speak TLS, and one that hangs up", arguments: [
        ("+OK and then some more bytes\r\n", StreamError.tls(.notTLS)), ("", .ended),
    ])
    func notTLS(words: String, expected: StreamError) throws {
        let peer = try ScriptedPeer { connection in
            _ = connection.read()
            connection.send(words)
        }
        defer { withExtendedLifetime(peer) {} }
        let stream = try stream(to: "127.0.0.1", port: peer.port, TLSContext())
        #expect(throws: expected) {
            try stream.establish(until: .now + .seconds(20))
        }
    }

    @Test("a server that can do only TLS 1.1 is not talked to")
    func oldProtocol() async throws {
        let certificate = try await TestCertificate()
        let port = try freePort()
        let server = try ServerProcess([
            "/usr/bin/openssl", "s_server", "-accept", "127.0.0.1:\(port)", "-cert",
            certificate.certificateFile, "-key", certificate.keyFile, "-tls1_1", "-cipher",
            "ALL:@SECLEVEL=0", "-quiet",
        ])
        try await eventually("it listens: \(server.errors)") {
            (try? RawConnection(port: port)) != nil
        }
        let context = try TLSContext(authorities: certificate.caFile)
        let stream = try stream(to: "127.0.0.1", port: port, context)
        do {
            try stream.establish(until: .now + .seconds(20))
            Issue.record("connected")
        } catch {
            guard case .tls(.broken(let words)) = error else {
                Issue.record("\(error)")
                return
            }
            #expect(words.contains("protocol"), "\(words)")
        }
    }
}
