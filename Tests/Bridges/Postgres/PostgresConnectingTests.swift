import Foundation
import TestSupport
import Testing

@testable import Bridges

@Suite("Connecting to Postgres")
struct PostgresConnectingTests {
    private func refusal(_ configuration: PostgresConfiguration) throws -> PostgresError {
        try #require(throws: PostgresError.self) { try PostgresConnection.connect(configuration) }
    }

    @Test("the password comes from the provider, then the file, then the URI, anew at each connect")
    func passwords() throws {
        let server = try PostgresServer.common()
        let folder = try TemporaryFolder()
        var configuration = PostgresConfiguration(uri: server.networkURI(password: "wrong"))
        let wrong = try refusal(configuration)
        #expect(wrong.sqlState == "28P01" && wrong.isPermanent)
        #expect("\(wrong)".contains("password authentication failed"))
        #expect(!"\(wrong) \(configuration)".contains("wrong"))
        configuration.passwordFile = folder.file("password")
        #expect(try refusal(configuration) == .noPassword(
            "the file \(folder.file("password")) cannot be read"))
        try Data("\(PostgresServer.password)\n".utf8)
            .write(to: URL(filePath: folder.file("password")))
        #expect(try PostgresConnection.connect(configuration).isUsable)
        try Data("changed".utf8).write(to: URL(filePath: folder.file("password")))
        #expect(try refusal(configuration).sqlState == "28P01")
        configuration.password = { PostgresServer.password }
        #expect(try PostgresConnection.connect(configuration).isUsable)
        struct Secretive: Error { let token = "hunter2" }
        configuration.password = { throw Secretive() }
        let failed = try refusal(configuration)
        #expect(!"\(failed)".contains("hunter2") && failed.isRetryable)
    }

    @Test("TLS checks the authority and the name; no secret is told")
    func tls() throws {
        let server = try PostgresServer.common()
        let connection = try PostgresConnection.connect(
            PostgresConfiguration(uri: server.tlsURI()))
        #expect(connection.isEncrypted)
        for uri in [
            server.tlsURI(authority: server.folder + "/other.pem"),
            server.tlsURI(host: "db.example"),
            server.tlsURI(authority: "/missing.pem"),
        ] {
            let error = try refusal(PostgresConfiguration(uri: uri))
            #expect(error.isPermanent, "\(error)")
            #expect("\(error)".contains("certificate"))
            #expect(!"\(error)".contains("horse"))
        }
    }

    @Test(
        "a bad URI is refused in a sentence that does not quote it",
        arguments: [
            "postgresql://user:p@ss/word@host:5432/db", "postgresql://user:pa/ss@host/db",
            "postgresql://user:pa@ss@host/db", "hunter2", "postgresql://u:hunter2@h:99999/db",
            "postgresql://u:hunter2@h/db?nonsense=1", "host=h password", "postgresql://[u:hunter2",
        ])
    func badURIs(uri: String) throws {
        let error = try refusal(PostgresConfiguration(uri: uri))
        guard case .configuration = error else {
            Issue.record("\(error)")
            return
        }
        for secret in ["ss/word", "ss@", "hunter2"] { #expect(!"\(error)".contains(secret)) }
        #expect(error.isPermanent)
    }

    @Test(
        "a value that libpq does not know is refused with its name, and not tried again",
        arguments: [
            ("sslmode", "verify-fool"), ("channel_binding", "perhaps"),
            ("target_session_attrs", "any-one"), ("gssencmode", "maybe"),
        ])
    func unknownValues(name: String, value: String) throws {
        // Nobody listens there: a server that does not answer is tried again.
        let uri = "postgresql://u:hunter2@127.0.0.1:1/db?\(name)=\(value)"
        let error = try refusal(PostgresConfiguration(uri: uri))
        #expect(error.isPermanent, "\(error)")
        let sentence = "\(error)"
        #expect(sentence.hasPrefix("the Postgres URI cannot be used: "), "\(sentence)")
        #expect(sentence.contains(name) && sentence.contains(value), "\(sentence)")
        #expect(!sentence.contains("hunter2"))
    }

    @Test("who cannot be reached is a reason to try again, and a missing database to stop")
    func unreachable() throws {
        let server = try PostgresServer.common()
        let nobody = try refusal(PostgresConfiguration(uri: "postgresql://u@127.0.0.1:1/db"))
        #expect(nobody.remedy == .reconnect)
        #expect("\(nobody)".contains("refused"))
        let missing = try refusal(PostgresConfiguration(uri: server.uri("nowhere")))
        #expect(missing.sqlState == "3D000" && missing.isPermanent)
        #expect("\(missing)".contains("create the database"))
        let long = "postgresql:///db?host=/tmp/" + String(repeating: "x", count: 120)
        #expect("\(try refusal(PostgresConfiguration(uri: long)))".contains("107"))
    }

    @Test("nothing of a configuration is printed")
    func silent() {
        var configuration = PostgresConfiguration(uri: "postgresql://u:hunter2@h/db")
        configuration.passwordFile = "/run/hunter2"
        var dumped = ""
        dump(configuration, to: &dumped)
        for text in ["\(configuration)", String(reflecting: configuration), dumped] {
            #expect(!text.contains("hunter2"), "\(text)")
        }
    }

    @Test(
        "each state has its remedy",
        arguments: [
            ("40001", PostgresRemedy.again), ("40P01", .again), ("55P03", .again),
            ("53100", .again), ("53300", .again), ("58030", .again), ("57014", .again),
            ("57P01", .reconnect), ("57P03", .reconnect), ("08006", .reconnect),
            ("25006", .reconnect), ("25P03", .reconnect), ("40003", .look), ("08007", .look),
            ("23505", .stop), ("23514", .stop), ("28P01", .stop), ("42501", .stop),
            ("42P01", .stop), ("3F000", .stop), ("XX001", .stop), ("22021", .stop),
        ])
    func remedies(state: String, remedy: PostgresRemedy) {
        let error = PostgresError.refused(
            PostgresServerError(sqlState: state, severity: "ERROR", message: "words"))
        #expect(error.remedy == remedy)
        #expect(error.description.hasPrefix("Postgres refused a statement"))
        // The server's words stand at the end, behind what to do.
        #expect(error.description.hasSuffix(": words (SQLSTATE \(state))"), "\(error)")
        #expect(error.atCommit.isOutcomeUnknown == ["57P01", "57P03", "08006", "40003", "08007"]
            .contains(state))
    }

    @Test("what is met is our sentence with what to do, libpq's words at its end", arguments: [
        ("28P01", "check the user, the password"), ("42501", "grant the role"),
        ("3D000", "create the database"), ("42P01", "bring the schema up to date"),
        ("53300", "raise max_connections"), ("53100", "free some space"),
        ("25006", "it is a replica"), ("57P01", "it is restarting"),
        ("23505", "the rules of the database"), ("XX001", "the database is damaged"),
    ])
    func sentences(state: String, advice: String) {
        let words = "FATAL:  words of the server"
        let server = PostgresServerError(sqlState: state, severity: "FATAL", message: words)
        for error in [
            PostgresError.cannotConnect(sqlState: state, detail: words), .refused(server),
            .connectionLost(sqlState: state, detail: words),
        ] {
            #expect(error.description.contains("Postgres"), "\(error)")
            #expect(error.description.contains("; \(advice)"), "\(error)")
            #expect(error.description.hasSuffix(": \(words) (SQLSTATE \(state))"), "\(error)")
        }
        let silent = PostgresError.cannotConnect(sqlState: nil, detail: "Connection refused")
        #expect("\(silent)".hasSuffix("the port of postgres.url: Connection refused"))
    }

    @Test("waits grow to the longest, with jitter")
    func backOff() {
        var state = PostgresReconnection(firstWait: .milliseconds(100), longestWait: .seconds(1))
        let lost = PostgresError.connectionLost(sqlState: nil, detail: "gone")
        func waits(_ dice: UInt64) -> [PostgresReconnection.Next] {
            (0..<40).map { _ in state.didFail(lost, dice: dice) }
        }
        let whole = waits(1_023)
        let due = [100, 200, 400, 800, 1000].map {
            PostgresReconnection.Next.connect(after: .milliseconds($0))
        }
        #expect(Array(whole.prefix(5)) == due)
        #expect(whole.last == .connect(after: .seconds(1)))
        #expect(waits(1_024).first == .connect(after: .milliseconds(500)))
        #expect(state.failures == 80)
    }

    @Test("a permanent error stops at once, a refused login after some in a row")
    func stops() {
        var state = PostgresReconnection(loginsMax: 3)
        let missing = PostgresError.cannotConnect(sqlState: "3D000", detail: "no database")
        #expect(state.didFail(missing, dice: 0) == .stop(missing))
        let login = PostgresError.cannotConnect(sqlState: "28P01", detail: "no")
        for _ in 0..<2 {
            guard case .connect = state.didFail(login, dice: 0) else {
                Issue.record("it stopped too soon")
                return
            }
        }
        #expect(state.didFail(login, dice: 0) == .stop(login))
    }
}
