import Foundation
import TestSupport
import Testing

/// `tillbox doctor` beside a daemon and its Stripe, and without them.
@Suite("The doctor, beside a daemon", .serialized)
struct DoctorRunTests {
    /// States by check; a check may have several findings.
    private static func states(_ output: String) throws -> [String: Set<String>] {
        let answer = try JSON(output)
        var states: [String: Set<String>] = [:]
        for finding in answer["findings"].list {
            states[finding["check"].text, default: []].insert(finding["state"].text)
        }
        let acts = states.values.contains { $0.contains("act") }
        #expect(answer["needs_somebody"].bool == acts)
        return states
    }

    @Test("says what is well, names an endpoint that lacks events, and a daemon that is gone")
    func wholeWay() async throws {
        let world = try await ReconciliationWorld()
        _ = try await world.pay(50_000, "usd")
        try await world.start()
        #expect(try await world.tillbox("reconcile", "sweep").code == 0)
        try await eventually("a run is clean") {
            try await world.tillbox("reconcile", "run").code == 0
        }
        let endpoint = try await world.twin.post(
            "/v1/webhook_endpoints",
            [
                "url": "http://127.0.0.1:\(world.ports.webhook)/webhooks/stripe",
                "enabled_events[0]": "charge.succeeded",
            ])
        let secret = ["TILLBOX_WEBHOOK_SECRET": "whsec_test"]
        func doctor(_ more: String...) async throws -> (
            code: Int32, output: String, errors: String
        ) {
            try await world.tillbox(["doctor"] + more, data: world.folder.file("data"), secret)
        }
        let lacking = try await doctor("--json")
        let found = try Self.states(lacking.output)
        #expect(lacking.code == 1)
        for check in ["secrets", "permissions", "parts", "log", "ledger", "model", "daemon"] {
            #expect(found[check] == ["ok"], "\(check): \(lacking.output)")
        }
        #expect(found["reconciliation"] == ["ok"] && found["missed"] == ["ok"])
        #expect(found["endpoint"]?.contains("act") == true)
        #expect(found["backup"] == ["note"])
        _ = try await world.twin.post(
            "/v1/webhook_endpoints/\(endpoint["id"].text)", ["enabled_events[0]": "*"])
        #expect(try await world.tillbox("backup", world.folder.file("backups")).code == 0)
        let well = try Self.states(try await doctor("--json").output)
        #expect(well["endpoint"] == ["ok"] && well["backup"] == ["ok"])

        let daemon = try #require(world.daemon)
        daemon.kill(SIGTERM)
        await daemon.wait()
        let alone = try await doctor("--quick")
        #expect(alone.code == 1)
        #expect(alone.output.contains("ACT   daemon"), "\(alone.output)")
        #expect(alone.output.contains("left out by --quick"))
        // Who only asks the daemon says so.
        #expect(alone.output.contains("-     bridges"), "\(alone.output)")
        #expect(alone.output.contains("start it with"), "\(alone.output)")
    }
}
