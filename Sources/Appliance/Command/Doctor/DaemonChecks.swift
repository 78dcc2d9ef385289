import Daemon
import Foundation
import NIOHTTP1
import Terminal
import Vocabulary

/// What the running daemon says of itself.
struct DaemonChecks {
    let settings: Settings

    /// A nightly run, or its sweep, that was missed, and half a day.
    static let ageMaxSeconds: Int64 = 36 * 3_600
    private static let path = "/api/v1/status"

    func findings() async -> [Finding] {
        let connection = AdminConnection(settings, asked: .init(settings.profile))
        do throws(CommandFailure) {
            let now = Int64(Date().timeIntervalSince1970)
            let hasKey = settings.stripeKey != nil
            return try await connection.send(.GET, Self.path) { root in
                Self.findings(root, at: now, hasKey: hasKey)
            }
        } catch {
            let words = error.message ?? "it does not answer"
            return [.act("daemon", words, "where it has ended, its log says why in one line")]
        }
    }

    /// - Parameter now: seconds since 1970, by this machine's clock. What Stripe's has stamped is
    ///   judged by the daemon's word of that one, since a twin's world lives in its own month.
    static func findings(_ root: JSONValue, at now: Int64, hasKey: Bool) -> [Finding] {
        var findings: [Finding] = []
        let reasons = texts(root["reasons"])
        if reasons.isEmpty {
            let up = root["up_seconds"]?.int64 ?? 0
            findings.append(.ok("daemon", "it is ready, and started \(ago(up))"))
        }
        findings += reasons.map {
            .act(
                "daemon", "it is not ready: \($0)",
                "see its log; docs/RELIABILITY.md has each reason")
        }
        // Bridges tell of themselves below.
        findings += texts(root["warnings"]).filter { !$0.hasPrefix("the bridge ") }.map {
            .act(
                "daemon", $0, "look at it; `tillbox status` says it for as long as it lasts",
                in: $0.hasPrefix("Stripe does not answer") ? Finding.stripeIsAway : nil)
        }
        findings += reconciliation(
            root["reconciliation"], at: root["stripe_at"]?.int64 ?? now, hasKey: hasKey)
        findings += bridges(root["bridges"])
        return findings
    }

    private static func reconciliation(
        _ run: JSONValue?, at now: Int64, hasKey: Bool
    ) -> [Finding] {
        guard let run, let ended = run["finished_at"]?.int64 else {
            let says = hasKey ? "no run has ended yet" : "it needs Stripe's API key"
            let todo = hasKey ? "run `tillbox reconcile run`" : "set stripe.api_key"
            return ["reconciliation", "missed"].map { .note($0, says, todo) }
        }
        var findings: [Finding] = []
        if run["clean"]?.bool == true {
            findings.append(
                now - ended > ageMaxSeconds
                    ? .act(
                        "reconciliation", "the last run was clean, \(ago(now - ended))",
                        "none has ended since: run `tillbox reconcile run`")
                    : .ok("reconciliation", "the last run is clean, \(ago(now - ended))"))
        } else {
            findings.append(
                .act(
                    "reconciliation", "the last run found breaks, \(ago(now - ended))",
                    "look at them: `tillbox reconcile list`"))
        }
        guard let swept = run["missed_events_until"]?.int64 else {
            return findings + [
                .note("missed", "missed events were not looked for", "`tillbox reconcile sweep`")
            ]
        }
        let words = "missed events were looked for until \(ago(now - swept))"
        findings.append(
            now - swept > ageMaxSeconds
                ? .act("missed", words, "run `tillbox reconcile sweep`; Stripe keeps 30 days")
                : .ok("missed", words))
        return findings
    }

    private static func bridges(_ value: JSONValue?) -> [Finding] {
        guard let bridges = value?.array else { return [] }
        return bridges.map(bridge)
    }

    private static func bridge(_ bridge: JSONValue) -> Finding {
        let name = bridge["name"]?.string ?? "?"
        let (state, lag) = (bridge["state"]?.string ?? "?", bridge["lag"]?.int64 ?? 0)
        let words = "\(name) is \(state), behind by \(lag) records"
        let error = bridge["last_error"]?.string.map { ": \($0)" } ?? ""
        switch state {
        case "running", "starting": return .ok("bridges", words)
        case "paused":
            let by = bridge["paused_by"]?.string.map { " by \($0)" } ?? ""
            return .note("bridges", words + by, "`tillbox bridge resume \(name)` goes on")
        default:
            return .act(
                "bridges", words + error, "see docs/BRIDGES.md for the sentence, and mend it there")
        }
    }

    private static func ago(_ seconds: Int64) -> String { Figures.ago(seconds: Double(seconds)) }

    private static func texts(_ value: JSONValue?) -> [String] {
        value?.array.map { $0.compactMap(\.string) } ?? []
    }
}
