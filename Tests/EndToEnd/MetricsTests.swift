import Foundation
import TestSupport
import Testing

@Suite("/metrics of the running daemon", .serialized)
struct MetricsEndToEndTests {
    private func number(_ name: String, in text: String) -> Double? {
        text.split(separator: "\n").first { $0.hasPrefix("\(name) ") }
            .flatMap { Double($0.dropFirst(name.count + 1)) }
    }

    @Test("deliveries, refusals, lags and the admin port's own requests are counted")
    func counted() async throws {
        let daemon = try await RunningDaemon()
        #expect(try await daemon.deliver(500) == 0)
        #expect(try daemon.deliver(body: "{}", signedAt: 1) == 400)
        try await daemon.drained("all is booked")
        // A step that has ignored what came last tells of it within a second.
        var text = ""
        let stages = ["validate", "score", "ledger"]
        try await eventually("nothing is unread") {
            text = try daemon.read("/metrics")
            let lags = text.split(separator: "\n").filter {
                $0.hasPrefix("tillbox_consumer_lag_records{")
            }
            return stages.allSatisfy { stage in
                lags.contains { $0.contains("group=\"\(stage)\"") && $0.hasSuffix("\"} 0") }
            }
        }
        let admitted = try daemon.counter("admitted")
        #expect(admitted > 500)
        func count(_ name: String) -> Double? { number(name, in: text) }
        #expect(count("tillbox_deliveries_total{outcome=\"admitted\"}") == Double(admitted))
        #expect(count("tillbox_deliveries_total{outcome=\"signature_refused\"}") == 1)
        let booked = try daemon.counter("booked")
        #expect(count("tillbox_postings_total{outcome=\"booked\"}") == Double(booked))
        #expect(count("tillbox_booking_duration_seconds_count") ?? 0 > 0)
        #expect(count("tillbox_ready") == 1)
        // The second look tells of the first.
        let second = try daemon.read("/metrics")
        let requests = second.split(separator: "\n").filter {
            $0.hasPrefix("http_server_request_duration_seconds_count{")
                && $0.contains("http_route=\"/metrics\"")
        }
        #expect(requests.count == 1)
        #expect(!second.contains("whsec_test"))
        // What the events were: by type and by the version of the API.
        let types = second.split(separator: "\n").filter {
            $0.hasPrefix("tillbox_events_by_type_total{")
        }
        #expect(types.contains {
            $0.contains("type=\"charge.succeeded\",outcome=\"understood\"") && !$0.hasSuffix(" 0")
        }, "\(types)")
        let versions = second.split(separator: "\n").filter {
            $0.hasPrefix("tillbox_events_by_api_version_total{")
        }
        let events = [types, versions].map { lines in
            lines.compactMap { $0.split(separator: " ").last.flatMap { Int($0) } }.reduce(0, +)
        }
        #expect(events == [admitted, admitted], "each event counts once in each")
        try await daemon.stop()
    }

    /// A daemon that has something to tell in every family: deliveries, a refused one, a bridge
    /// whose server is not there, a Stripe that does not answer.
    private func telling() async throws -> (daemon: RunningDaemon, text: String) {
        let dead = try freePort()
        let daemon = try await RunningDaemon(environment: [
            "TILLBOX_BRIDGES": "redis", "TILLBOX_REDIS_URL": "redis://127.0.0.1:\(dead)",
            "TILLBOX_STRIPE_API_BASE": "http://127.0.0.1:\(dead)",
            "TILLBOX_STRIPE_API_KEY": "sk_test_tillboxtillboxtillboxtillbox",
        ])
        #expect(try await daemon.deliver(50) == 0)
        #expect(try daemon.deliver(body: "{}", signedAt: 1) == 400)
        try await daemon.drained("all is booked")
        // It tries for a while; its first request is told of at once.
        let sweep = try Child(
            Tillbox.executable, ["reconcile", "sweep", "--data", daemon.data],
            environment: ["TILLBOX_ADMIN_PORT": "\(daemon.admin)"])
        var text = ""
        try await eventually("a request to Stripe has failed") {
            text = try daemon.read("/metrics")
            return text.contains("http_client_request_duration_seconds_count{")
        }
        sweep.kill(SIGKILL)
        return (daemon, text)
    }

    /// `promtool check metrics` reads its standard input, and says on stderr what it finds.
    private func expectClean(_ text: String) async throws {
        let folder = try TemporaryFolder()
        try text.write(toFile: folder.file("metrics"), atomically: true, encoding: .utf8)
        let checked = try await Child.run(
            "/bin/sh",
            ["-c", "exec \"$0\" check metrics < \"$1\"", try Repository.promtool(),
                folder.file("metrics")])
        #expect(checked.code == 0 && (checked.output + checked.errors).isEmpty,
            "\(checked.output)\(checked.errors)")
    }

    @Test("promtool likes what a daemon tells; alert rules hold and name what it tells")
    func rules() async throws {
        let folder = Repository.root.appending(path: "deploy/monitoring")
        let promtool = try Repository.promtool()
        for words in [["check", "rules", "alerts.yaml"], ["test", "rules", "alerts.test.yaml"]] {
            let path = folder.appending(path: words[2]).path
            let run = try await Child.run(promtool, [words[0], words[1], path])
            #expect(run.code == 0, "\(words): \(run.output)\(run.errors)")
        }
        let (daemon, text) = try await telling()
        try await expectClean(text)
        let told = Set(
            text.split(separator: "\n").filter { $0.hasPrefix("# TYPE ") }
                .compactMap { $0.split(separator: " ").dropFirst(2).first.map(String.init) })
        for file in ["alerts.yaml", "dashboard.json"] {
            let text = try String(contentsOf: folder.appending(path: file), encoding: .utf8)
            let named = Set(
                text.matches(of: #/\b(?:tillbox|process|http_client|http_server|hb)_[a-z_]*[a-z]/#)
                    .map { String($0.0) }
            )
            let families = named.map { $0.replacing(#/_(bucket|sum|count)$/#, with: "") }
            #expect(families.count > 5)
            #expect(Set(families).subtracting(told) == [], "\(file)")
        }
        let alerts = try String(contentsOf: folder.appending(path: "alerts.yaml"), encoding: .utf8)
        let tests = try String(
            contentsOf: folder.appending(path: "alerts.test.yaml"), encoding: .utf8)
        for alert in alerts.matches(of: #/alert: (\w+)/#).map({ String($0.1) }) {
            // Once where it stays quiet, once where it is raised.
            let count = tests.ranges(of: "alertname: \(alert)\n").count
                + tests.ranges(of: "alertname: \(alert),").count
            #expect(count == 2, "\(alert)")
        }
        try await daemon.stop()
    }
}
