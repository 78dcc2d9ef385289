import Foundation
import TestSupport
import Testing

/// The Terraform of `deploy/gcp`: what can be known of it without Google, the program with the
/// settings that it is given there, and the way of a running box into it. docs/GCP.md.
@Suite("Google Cloud", .timeLimit(.minutes(10)))
struct GoogleCloudTests {
    private static func run(
        _ python: String, _ words: [String]
    ) async throws -> (code: Int32, output: String, errors: String) {
        try await Child.run(
            python, words,
            environment: ["TILLBOX": Tillbox.executable])
    }

    private static func place(_ path: String) -> String {
        Repository.root.appending(path: path).path
    }

    @Test("format, argument names, settings, rights, alerts, costs and the linter; each role starts")
    func module() async throws {
        let (code, _, errors) = try await Self.run(
            try Repository.python("deploy"),
            ["-m", "unittest", "discover", "-s", Self.place("deploy/gcp/tests")])
        #expect(code == 0, "\(errors)")
        #expect(errors.firstMatch(of: /Ran 1[0-9] tests/) != nil, "\(errors)")
        #expect(!errors.contains("skipped"), "\(errors)")
    }

    /// Bridges first, the endpoint second, the roles third.
    @Test("a running box moves in: no event is lost, none is booked twice, decisions stand")
    func moves() async throws {
        let (code, output, errors) = try await Self.run(
            try Repository.python(), [Self.place("deploy/gcp/tests/rehearsal.py")])
        #expect(code == 0, "\(output)\n\(errors)")
        #expect(output.contains("events stands once in webhook.received"), "\(output)")
        #expect(output.contains("in the same accounts, to the cent"), "\(output)")
        #expect(output.contains("ok: the console begins with its own rights"), "\(output)")
    }
}
