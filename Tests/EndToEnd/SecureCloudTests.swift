import Foundation
import TestSupport
import Testing

/// The three roles, the commands beside them and the bridges, where every server wants TLS and a
/// password.
@Suite("TLS and passwords everywhere", .serialized)
struct SecureCloudTests {
    @Test("the roles book each event once, with a password at Kafka and with Google's token")
    func roles() async throws {
        let servers = try await SecureServers()
        let place = try await servers.cloud()
        // A person looks at every payment, so that there is one to approve.
        place.environment["TILLBOX_VERDICT_AMOUNT_LIMITS"] = "usd:1,eur:1,gbp:1"
        try await takeTraffic(place, seed: 11)
        #expect(try servers.proxy.shown.hasSuffix("\u{0}ann\u{0}\(SecureServers.kafkaPassword)"))

        let metadata = try Self.metadataServer()
        // The third part of Google's form is the token.
        try servers.proxy.accept("." + SecureServers.token.base64URL)
        try servers.proxy.cut()
        place.environment["TILLBOX_KAFKA_SECURITY"] = "sasl_google"
        place.environment["TILLBOX_KAFKA_USERNAME"] = "till@box.iam.gserviceaccount.com"
        place.environment["TILLBOX_KAFKA_PASSWORD_FILE"] = nil
        place.environment["GCE_METADATA_HOST"] = "127.0.0.1:\(metadata.port)"
        let prepared = try await place.run("cloud", "prepare")
        #expect(prepared.code == 0, "\(prepared.errors)")
        try await takeTraffic(place, seed: 12)
        #expect(metadata.connections > 3)

        let counts = try await place.oracle("TLS everywhere", acknowledged: place.acknowledged)
        // The file is of the second traffic, the ledger of both.
        #expect(counts["acknowledged", default: 0] >= 40, "\(counts)")
        #expect(counts["ledger", default: 0] > 40, "\(counts)")
    }

    /// 50 events through all roles, and a person's decision; then all stop in good order.
    private func takeTraffic(_ place: CloudPlace, seed: UInt64) async throws {
        for role in ["ledger", "score", "features", "webhook"] { try place.start(role) }
        try await place.untilWebhooksAreTaken()
        let sent = try place.traffic(count: 50, rate: 100, seed: seed)
        #expect(await sent.wait() == 0, "\(sent.standardOutput) \(sent.standardError.suffix(800))")
        var movement = ""
        try await eventually("a payment is held", every: .milliseconds(200)) {
            let list = try await place.run("review", "list", "--json")
            let json = try JSONSerialization.jsonObject(with: Data(list.output.utf8))
            let reviews = (json as? [String: Any])?["reviews"] as? [[String: Any]]
            movement = reviews?.first?["movement"] as? String ?? ""
            return !movement.isEmpty
        }
        let decided = try await place.run("review", "approve", movement, "--note", "by TLS")
        #expect(decided.code == 0 && decided.output.contains("payable"), "\(decided.errors)")
        for instance in place.roles {
            try await eventually("\(instance.role) is ready") {
                Ask.isReady(instance.admin) || instance.role == "features"
            }
            SecureServers.expectNoSecret(instance.child.standardError, instance.role)
        }
        await place.stop()
    }

    /// What gives whoever asks as Google wants it a token.
    private static func metadataServer() throws -> ScriptedPeer {
        try ScriptedPeer { connection in
            var request = ""
            while !request.contains("\r\n\r\n") {
                let more = connection.read()
                guard !more.isEmpty else { return }
                request += more
            }
            guard request.lowercased().contains("metadata-flavor: google") else { return }
            let answer = #"{"access_token":"\#(SecureServers.token)","expires_in":3599}"#
            connection.send(
                "HTTP/1.1 200 OK\r\ncontent-length: \(answer.utf8.count)\r\n"
                    + "connection: close\r\n\r\n" + answer)
        }
    }

    @Test("three bridges copy a box, and `bridge verify` compares both sides")
    func bridges() async throws {
        let servers = try await SecureServers()
        let place = try BridgePlace(servers)
        let daemon = try await RunningDaemon(environment: place.environment)
        #expect(try await daemon.deliver(200) == 0)
        try await daemon.drained("the traffic is booked")
        try await place.caughtUp(daemon)
        try await place.expectEqual(daemon)
        SecureServers.expectNoSecret(daemon.daemon.standardError, "the daemon")
        try await daemon.stop()
    }
}
