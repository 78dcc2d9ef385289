import Daemon
import Foundation
import NIOHTTP1
import Terminal
import Vocabulary

/// What the running daemon says of itself.
struct DaemonChecks {
    let settings: Settings
    /// Whether there is an API key, or may be: nobody could read the secrets.
    let hasKey: Bool

    /// A nightly run, or its sweep, that was missed, and half a day.
    static let ageMaxSeconds: Int64 = 36 * 3_600
    private static let path = "/api/v1/status"

    func findings() async -> [Finding] {
        let connection = AdminConnection(settings, asked: .init(settings.profile))
        do throws(CommandFailure) {
            let (now, hasKey) = (Int64(Date().timeIntervalSince1970), hasKey)
            return try await connection.send(.GET, Self.path) { root in
                Self.findings(root, at: now, hasKey: hasKey)
            }
        } catch {
            return Self.findings(without: error.message ?? "it does not answer")
        }
    }

    /// Where nothing answered, or something else did.
    static func findings(without sentence: String) -> [Finding] {
        let daemon = DaemonWarnings.finding(
            "daemon", sentence, otherwise: "where it has ended, its log says why in one line")
        return [daemon] + ["reconciliation", "missed", "bridges"].map {
            .skipped($0, "the daemon knows, and was not heard")
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
            DaemonWarnings.finding(
                "daemon", "it is not ready: \($0)", otherwise: "see its log, which says more")
        }
        let warnings = texts(root["warnings"])
        findings += DaemonWarnings.findings(warnings)
        findings += reconciliation(
            root["reconciliation"], at: root["stripe_at"]?.int64 ?? now, hasKey: hasKey)
        return findings + DaemonWarnings.bridges(root["bridges"], warnings)
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
                    "look at them: `tillbox reconcile show last`"))
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

    private static func ago(_ seconds: Int64) -> String { Figures.ago(seconds: Double(seconds)) }

    private static func texts(_ value: JSONValue?) -> [String] {
        value?.array.map { $0.compactMap(\.string) } ?? []
    }
}
