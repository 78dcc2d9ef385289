import Foundation
import TestSupport
import Testing

/// The nightly DAG of `deploy/airflow`: its pieces, and nights against a live daemon, a twin of
/// Stripe and a BigQuery emulator. What is claimed stands in `live.py`, line by line.
@Suite("The nightly DAG", .timeLimit(.minutes(30)))
struct AirflowTests {
    private static func run(
        _ words: [String], environment: [String: String] = [:]
    ) async throws -> (code: Int32, output: String, errors: String) {
        try await Child.run(
            try Repository.python("airflow"), words, environment: environment)
    }

    private static func place(_ path: String) -> String {
        Repository.root.appending(path: path).path
    }

    @Test("yesterday in UTC, the daemon's API, commands, reports and alerts")
    func pieces() async throws {
        let (code, _, errors) = try await Self.run(
            ["-m", "unittest", "discover", "-s", Self.place("deploy/airflow/tests")])
        #expect(code == 0, "\(errors)")
        #expect(errors.firstMatch(of: /Ran [1-9][0-9] tests/) != nil, "\(errors)")
    }

    @Test("nights for several dates: planted breaks arrive in BigQuery, a failing load is retried")
    func nights() async throws {
        let emulator = URL(filePath: try Repository.python("bqemu"))
            .deletingLastPathComponent().appending(path: "bqemulator").path
        let (code, output, errors) = try await Self.run(
            [Self.place("deploy/airflow/tests/live.py"), Tillbox.executable, emulator])
        #expect(code == 0, "\(output)\n\(errors)")
        #expect(output.contains("ok: every payment is there once"))
    }
}
