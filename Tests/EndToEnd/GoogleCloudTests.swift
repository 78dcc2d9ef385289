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

    @Test("format, arguments, settings, rights, alerts, costs, the linter; each role starts")
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

    /// The job `warehouse` of the small size begins each night with an empty folder.
    @Test("export --load sends what is new, also from a folder that begins anew each night")
    func loads() async throws {
        let server = try await BigQueryServer()
        let data = try await FilledFolder()
        func tillbox(
            _ words: String...
        ) async throws -> (code: Int32, output: String, errors: String) {
            try await Child.run(
                Tillbox.executable, words,
                environment: [
                    "TILLBOX_BIGQUERY_PROJECT": BigQueryServer.project,
                    "TILLBOX_BIGQUERY_API_BASE": server.base, "TILLBOX_DATA": data.path,
                ])
        }
        let first = try await tillbox("export", "--out", data.file("first"))
        #expect(first.code == 0, "\(first.errors)")
        let made = try await tillbox(
            "warehouse", "load", "--create-datasets", "--table", "payments", "--folder",
            data.file("first"))
        #expect(made.code == 0, "\(made.errors)")
        let days = try #require(
            made.output.firstMatch(
                of: /([1-9][0-9]*) days? with [1-9][0-9]* rows? (?:is|are) loaded/)?.1)

        let tables = try await tillbox(
            "warehouse", "load", "--create-datasets", "--folder", data.file("first"))
        #expect(tables.code == 0, "\(tables.errors)")
        #expect(tables.output.contains("and \(days) w"), "\(tables.output)")
        #expect(tables.output.contains("there already"), "\(tables.output)")

        let second = try await tillbox("export", "--out", data.file("second"), "--load")
        #expect(second.code == 0, "\(second.errors)")
        #expect(second.output.contains("rows written in"), "\(second.output)")
        #expect(second.output.contains("0 days with 0 rows are loaded"), "\(second.output)")
    }
}
