import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Bridges

@Suite("A connection to Postgres", .serialized)
struct PostgresConnectionTests {
    private let server: PostgresServer

    init() throws { server = try PostgresServer.common() }

    private func connect(_ change: (inout PostgresConfiguration) -> Void = { _ in })
        throws -> PostgresConnection
    {
        var configuration = PostgresConfiguration(uri: server.uri())
        change(&configuration)
        return try .connect(configuration)
    }

    private func refusal(_ configuration: PostgresConfiguration) throws -> PostgresError {
        try #require(throws: PostgresError.self) { try PostgresConnection.connect(configuration) }
    }

    // MARK: Values

    @Test("every kind of value comes back as it went, one by one and in arrays")
    func values() throws {
        let connection = try connect()
        let rows = try connection.query(
            "SELECT $1, $2, $3, $4, $5, $6::bigint, $7, $8, $9, $10, $11",
            [
                .integer(.min), .double(0.1), .text("ü\u{0}x"), .bytes([0, 255]), .boolean(true),
                .null, .text(""), .bytes([]), .integer(.max), .boolean(false), .double(.infinity),
            ])
        #expect(try rows.integer(0, 0) == .min)
        #expect(try rows.double(0, 1) == 0.1)
        #expect(try rows.text(0, 2) == "ü\u{FFFD}x")
        #expect(try rows.bytes(0, 3) == [0, 255])
        #expect(try rows.boolean(0, 4))
        #expect(rows.isNull(0, 5))
        #expect(try rows.text(0, 6) == "" && !rows.isNull(0, 6))
        #expect(try rows.bytes(0, 7) == [])
        #expect(try rows.integer(0, 8) == .max && rows.boolean(0, 9) == false)
        #expect(try rows.double(0, 10) == .infinity)
        let arrays = try connection.query(
            """
            SELECT * FROM unnest($1::bigint[], $2::text[], $3::bytea[], $4::double precision[])
            """,
            [
                .integers([1, -2]), .texts(["a", nil]), .byteArrays([[1], []]),
                .doubles([nil, 2.5]),
            ])
        #expect(arrays.count == 2)
        #expect(try arrays.integer(1, 0) == -2)
        #expect(try arrays.textOrNull(1, 1) == nil && arrays.text(0, 1) == "a")
        #expect(try arrays.bytes(0, 2) == [1] && arrays.bytes(1, 2) == [])
        #expect(try arrays.value(0, 3) == .null && arrays.double(1, 3) == 2.5)
        #expect(try connection.query("SELECT unnest($1)", [.texts([])]).count == 0)
    }

    @Test(
        "a numeric is read as the whole number that it is",
        arguments: [
            "0", "1", "-1", "9999", "10000", "120000", "-30000000", "9223372036854775807",
            "-9223372036854775808", "1000000000000000000",
        ])
    func numerics(text: String) throws {
        let rows = try connect().query("SELECT \(text)::numeric")
        #expect(try rows.integer(0, 0) == Int64(text))
    }

    @Test(
        "what is no Int64 is refused as such",
        arguments: [
            "9223372036854775808::numeric", "0.5::numeric", "1e30::numeric", "'NaN'::numeric",
            "'x'::text", "NULL::bigint",
        ])
    func noIntegers(expression: String) throws {
        let rows = try connect().query("SELECT \(expression)")
        let error = #expect(throws: PostgresError.self) { try rows.integer(0, 0) }
        guard case .malformedAnswer? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test("a kept statement is prepared once, and again for values of other types")
    func kept() throws {
        let connection = try connect()
        for _ in 0..<3 {
            #expect(
                try connection.query("SELECT $1 + 1", [.integer(1)], kept: true).integer(0, 0) == 2)
        }
        _ = try connection.query("SELECT $1 + 1", [.double(1)], kept: true)
        let prepared = try connection.query("SELECT count(*) FROM pg_prepared_statements")
        #expect(try prepared.integer(0, 0) == 2)
    }

    @Test("COPY, which nothing here speaks, is refused and holds nobody", arguments: ["IN", "OUT"])
    func copy(direction: String) throws {
        let connection = try connect()
        try connection.execute("CREATE TEMP TABLE t (a bigint)")
        let way = direction == "IN" ? "FROM STDIN" : "TO STDOUT"
        let error = #expect(throws: PostgresError.self) {
            try connection.execute("COPY t \(way)")
        }
        guard case .malformedAnswer? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test("notices reach who asked for them")
    func notices() throws {
        let taken = HeardNotices()
        let connection = try PostgresConnection.connect(
            PostgresConfiguration(uri: server.uri())) { taken.append($0) }
        try connection.execute("DO $$ BEGIN RAISE NOTICE 'hello %', 1; END $$")
        #expect(taken.all.map(\.message) == ["hello 1"])
        #expect(taken.all.first?.severity == "NOTICE")
    }

    @Test("a transaction reads what was committed before each statement, whatever the default is")
    func isolation() throws {
        let connection = try connect()
        try connection.execute(
            "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        let level = "SELECT (current_setting('transaction_isolation') = 'read committed')::int"
        #expect(try connection.query(level).integer(0, 0) == 0)
        try connection.begin()
        #expect(try connection.query(level).integer(0, 0) == 1)
        try connection.commit()
    }

    // MARK: Errors

    @Test("an error says its state, its constraint and the server's words, and the next one works")
    func refusals() throws {
        let connection = try connect()
        try connection.execute("CREATE TEMP TABLE t (a bigint CONSTRAINT positive CHECK (a > 0))")
        let error = try #require(throws: PostgresError.self) {
            try connection.query("INSERT INTO t VALUES ($1)", [.integer(-1)])
        }
        guard case .refused(let words) = error else {
            Issue.record("\(error)")
            return
        }
        #expect(words.sqlState == "23514" && words.constraint == "positive" && words.table == "t")
        #expect(error.isPermanent && !error.losesConnection)
        #expect(try connection.query("SELECT 1").count == 1)
        // Of a script, what stands behind the error does not run, and nothing of it is stored.
        #expect(throws: PostgresError.self) {
            try connection.execute("CREATE TEMP TABLE u (); SELECT 1/0; CREATE TEMP TABLE v ()")
        }
        #expect(throws: PostgresError.self) { try connection.query("SELECT * FROM u") }
    }

    @Test("a transaction that failed inside is not taken for a committed one")
    func failedTransaction() throws {
        let connection = try connect()
        try connection.begin()
        #expect(throws: PostgresError.self) { try connection.query("SELECT 1/0") }
        let error = try #require(throws: PostgresError.self) { try connection.commit() }
        #expect(error.sqlState == "25P02" && !error.isOutcomeUnknown)
        try connection.execute("CREATE TEMP TABLE t (a bigint)")
        struct Stopped: Error {}
        #expect(throws: Stopped.self) {
            try connection.transaction {
                try $0.execute("INSERT INTO t VALUES (1)")
                throw Stopped()
            }
        }
        #expect(try connection.transaction { try $0.query("SELECT * FROM t").count } == 0)
    }

    @Test("a terminated backend is a lost connection, and an unknown outcome only at COMMIT")
    func terminated() throws {
        let (connection, other) = (try connect(), try connect())
        func terminate() throws {
            _ = try other.query(
                "SELECT pg_terminate_backend($1::int, 5000)",
                [.integer(Int64(connection.processID))])
        }
        try connection.begin()
        try terminate()
        let error = try #require(throws: PostgresError.self) { try connection.query("SELECT 1") }
        #expect(error.remedy == .reconnect && error.losesConnection, "\(error)")
        #expect(!connection.isUsable)
        #expect(error.atCommit.isOutcomeUnknown)
        let again = try #require(throws: PostgresError.self) { try connection.commit() }
        #expect(again.isOutcomeUnknown)
    }

    @Test("an answer to COMMIT that is lost is an unknown outcome", arguments: [true, false])
    func lostCommit(isStored: Bool) throws {
        let name = server.databaseName()
        try server.sql("postgres", "CREATE DATABASE \(name)")
        try server.sql(name, "CREATE TABLE t (a bigint)")
        let proxy = try PostgresProxy(to: server.port)
        defer { proxy.close() }
        let connection = try PostgresConnection.connect(
            PostgresConfiguration(uri: server.networkURI(name, port: proxy.port)))
        proxy.cutOnce(isStored ? .afterCommit : .beforeCommit)
        let error = try #require(throws: PostgresError.self) {
            try connection.transaction { try $0.execute("INSERT INTO t VALUES (1)") }
        }
        #expect(error.isOutcomeUnknown && error.isRetryable)
        let count = try server.sql(name, "SELECT count(*) FROM t")
        #expect(count == (isStored ? "1" : "0"))
    }

    @Test("a server that hangs is given up after the reply time-out, at COMMIT as unknown")
    func hangs() throws {
        let own = try PostgresServer()
        var configuration = PostgresConfiguration(uri: own.networkURI())
        configuration.replyTimeout = .seconds(4)
        configuration.connectTimeout = .seconds(3)
        let (first, second) = (
            try PostgresConnection.connect(configuration),
            try PostgresConnection.connect(configuration)
        )
        try second.begin()
        own.pause()
        let started = ContinuousClock.now
        let error = #expect(throws: PostgresError.self) { try first.query("SELECT 1") }
        #expect(error == .noAnswer(milliseconds: 5_000))
        let unknown = #expect(throws: PostgresError.self) { try second.commit() }
        #expect(unknown?.isOutcomeUnknown == true)
        let refused = try refusal(configuration)
        #expect(refused.isRetryable, "\(refused)")
        #expect(ContinuousClock.now - started < .seconds(40))
        own.resume()
        #expect(try PostgresConnection.connect(configuration).query("SELECT 1").count == 1)
        // The server's own time-out comes first where it is alive.
        let slow = try PostgresConnection.connect(configuration)
        let cancelled = #expect(throws: PostgresError.self) {
            try slow.query("SELECT pg_sleep(30)")
        }
        #expect(cancelled?.sqlState == "57014" && cancelled?.remedy == .again)
    }

    @Test("a longer patience ends with its transaction, on both sides")
    func patience() throws {
        let own = try PostgresServer()
        var configuration = PostgresConfiguration(uri: own.networkURI())
        configuration.replyTimeout = .seconds(4)
        let connection = try PostgresConnection.connect(configuration)
        for isCommitted in [true, false] {
            try connection.begin()
            try connection.wait(atMost: .seconds(60))
            #expect(try connection.query("SELECT pg_sleep(6)").count == 1)
            if isCommitted { try connection.commit() } else { connection.rollBack() }
            let cancelled = #expect(throws: PostgresError.self) {
                try connection.query("SELECT pg_sleep(30)")
            }
            #expect(cancelled?.sqlState == "57014")
        }
        own.pause()
        let error = #expect(throws: PostgresError.self) { try connection.query("SELECT 1") }
        #expect(error == .noAnswer(milliseconds: 5_000))
        own.resume()
    }

    @Test("a server that stops ends the connection, and takes another one when it is back",
        arguments: [PostgresServer.Stop.fast, .immediate])
    func restarts(how: PostgresServer.Stop) throws {
        let own = try PostgresServer()
        let configuration = PostgresConfiguration(uri: own.uri())
        let connection = try PostgresConnection.connect(configuration)
        own.stop(how)
        let lost = try #require(throws: PostgresError.self) { try connection.query("SELECT 1") }
        #expect(lost.remedy == .reconnect && lost.losesConnection)
        let refused = try refusal(configuration)
        #expect(refused.remedy == .reconnect, "\(refused)")
        try own.start()
        #expect(try PostgresConnection.connect(configuration).query("SELECT 1").count == 1)
    }
}

/// What a connection has said beside its answers.
private final class HeardNotices: Sendable {
    private let notices = Mutex<[PostgresNotice]>([])
    func append(_ notice: PostgresNotice) { notices.withLock { $0.append(notice) } }
    var all: [PostgresNotice] { notices.withLock { $0 } }
}
