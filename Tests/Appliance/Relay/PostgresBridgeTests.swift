import AppendLog
import Bridges
import Foundation
import TestSupport
import Testing

@testable import Appliance
@testable import Daemon
@testable import Relay
@testable import Vocabulary

@Suite("The bridge to Postgres", .serialized)
struct PostgresBridgeTests {
    private func fixture() throws -> PipelineFixture { try .ofLedgerCopies() }

    private func target(
        _ fixture: PipelineFixture, _ configuration: PostgresConfiguration
    ) -> LedgerTarget {
        let local = "\(fixture.path)/ledger.sqlite"
        return LedgerTarget(.postgres) { () throws(LedgerError) in
            try SQLiteLedgerReader.open(path: local)
        } prepare: { () throws(LedgerError) in
            try PostgresSchema.migrateIfNeeded(configuration)
        } copy: { original throws(LedgerError) in
            try PostgresLedger.open(configuration, original: original, clockMilliseconds: { 42 })
        }
    }

    /// Runs a bridge for as long as `body` does.
    private func bridging(
        _ fixture: PipelineFixture, _ opened: PipelineFixture.Opened,
        to configuration: PostgresConfiguration, _ body: (Bridge) async throws -> Void
    ) async throws {
        let bridge = Bridge(
            .postgres, topics: [.paymentReview, .paymentScored],
            source: opened.plane.relaySource(),
            pauses: BridgePauses(folder: fixture.folder.file("bridges")), luck: { 0 },
            logger: PipelineFixture.quiet
        ) { self.target(fixture, configuration) }
        try await running([bridge]) { try await body(bridge) }
    }

    private func arrives(_ bridge: Bridge, _ what: String) async throws {
        try await eventually("\(what) is copied", within: 60) {
            let report = bridge.report()
            if case .stopped(let sentence) = report.state { throw Stopped(sentence: sentence) }
            return report.state == .running && report.lag == 0
        }
    }

    private struct Stopped: Error, CustomStringConvertible {
        var sentence: String
        var description: String { "the bridge stopped: \(sentence)" }
    }

    private func append(
        _ bodies: some Sequence<String>, _ fixture: PipelineFixture,
        _ opened: PipelineFixture.Opened
    ) async throws {
        let records = bodies.enumerated().map {
            PipelineFixture.received($0.element, event: "evt_\($0.offset)")
        }
        _ = try await opened.topics[.webhookReceived].append(records)
        try await fixture.process(opened)
    }

    @Test("a ledger that the roles of the profile cloud book into is left alone")
    func ledgerOfRoles() async throws {
        let (fixture, database) = (try fixture(), try PostgresDatabase())
        let roles = try database.open()
        try roles.adopt { _, _ in "kafka/1/abc/shop." }
        try await fixture.opened { opened in
            let target = target(fixture, database.configuration())
            let failure = await #expect(throws: RelayFailure.self) {
                _ = try await target.open(opened.plane.relaySource(), during: RelayAttempt())
            }
            guard case .permanent(let sentence) = failure else {
                Issue.record("\(String(describing: failure))")
                return
            }
            #expect(sentence.contains("the roles of the profile cloud"))
            #expect(sentence.contains("`shop.…` of Kafka cluster abc"))
        }
        #expect(try roles.point().logs == ["kafka/1/abc/shop."])
    }

    // MARK: Equal

    /// Every row of every table that both have; only the local log's own checksum stays here.
    private func expectEqualRows(
        _ opened: PipelineFixture.Opened, _ configuration: PostgresConfiguration
    ) throws {
        let copy = try PostgresLedger.open(configuration) { 0 }
        defer { copy.close() }
        for table in try LedgerTables.shared() {
            let columns = table.columns.filter { $0.name != "checksum" }
            let due = try opened.ledger.content(of: table.name, columns)
            let found = try copy.content(of: table.name, columns)
            #expect(found.count == due.count, "\(table.name)")
            let differing = zip(found, due).first { $0 != $1 }
            #expect(differing == nil, "\(table.name): \(String(describing: differing))")
        }
        #expect(try copy.verify().fault == nil)
    }

    @Test("every case of the fixtures, again and in another order, is there row by row")
    func cases() async throws {
        let (fixture, database) = (try fixture(), try PostgresDatabase())
        var random = SeededGenerator(seed: 11)
        let events = MoneyCase.all.flatMap(\.events).map { String(decoding: $0, as: UTF8.self) }
        #expect(events.count > 200)
        let told = events + events.shuffled(using: &random)
        try await fixture.opened { opened in
            try opened.ledger.adopt(log: opened.plane.relaySource().log)
            try await bridging(fixture, opened, to: database.configuration()) { bridge in
                for start in stride(from: 0, to: told.count, by: 40) {
                    try await append(
                        told[start..<min(start + 40, told.count)], fixture, opened)
                    for charge in [start, start + 1] {
                        _ = try await opened.append(
                            PipelineFixture.decision(
                                charge, charge % 2 == 0 ? .approved : .declined),
                            to: .paymentReview)
                    }
                }
                let charges = (0..<60).map {
                    PipelineFixture.charge($0, amount: 100 * $0, customer: $0 % 3)
                }
                try await append(charges, fixture, opened)
                try await arrives(bridge, "all of it")
            }
            try expectEqualRows(opened, database.configuration())
            let verification = try await target(fixture, database.configuration())
                .verify(opened.plane.relaySource())
            #expect(verification.agrees, "\(verification)")
            #expect(verification.parts.contains { $0.name == "open reviews" && $0.localCount > 0 })
        }
    }

    @Test("what somebody has changed in the copy is named by verify, and in its row", arguments: [
        (
            "UPDATE transactions SET posted_at = 7 WHERE id = 4",
            "the time of posting of transaction 4 (", ", in the copy 7"
        ),
        (
            "UPDATE entries SET amount = amount + 1 WHERE transaction_id = 4 AND amount > 0",
            "an entry of transaction 4 (", "in the copy 1001 usd on "
        ),
    ])
    func differs(change: String, begin: String, part: String) async throws {
        let (fixture, database) = (try fixture(), try PostgresDatabase())
        try await fixture.opened { opened in
            try await append(
                (1...9).map { PipelineFixture.charge($0, amount: 1_000) }, fixture, opened)
            try await bridging(fixture, opened, to: database.configuration()) {
                try await arrives($0, "all of it")
            }
            try database.sql("SET session_replication_role = replica; " + change)
            let verification = try await target(fixture, database.configuration())
                .verify(opened.plane.relaySource())
            let words = verification.firstDifference ?? "nothing"
            #expect(words.hasPrefix(begin) && words.contains(part), "\(words)")
            let row = verification.parts.first { $0.name == "transactions" }
            #expect(row.map { $0.localDigest == $0.targetDigest } == false)
        }
    }

    @Test("what no hash covers is compared too: places, the noted log, states", arguments: [
        ("DELETE FROM logs", "the copy is noted to be of the log none, and this box's is "),
        ("DELETE FROM positions", "the copy has no position in payment.scored"),
        (
            "UPDATE positions SET next_offset = 14 WHERE topic = 'payment.scored'",
            "the copy has read payment.scored up to 14, and the ledger here up to 9"
        ),
        (
            "INSERT INTO captures VALUES (4, 1000, 0)",
            "captures is here at its end, in the copy `4 1000 0`"
        ),
        (
            "INSERT INTO waiting_decisions VALUES ('charge:ch_77', 1, 5)",
            "waiting_decisions is here at its end, in the copy `charge:ch_77 1 5`"
        ),
        (
            "UPDATE payment_states SET moves = moves + 1",
            "payment_states is here `"
        ),
    ])
    func differsBesideChain(change: String, difference: String) async throws {
        let (fixture, database) = (try fixture(), try PostgresDatabase())
        try await fixture.opened { opened in
            let charges = (1...9).map {
                PipelineFixture.charge($0, amount: $0.isMultiple(of: 2) ? 1_000 : 3_000)
            }
            try await append(charges, fixture, opened)
            for number in [3, 5] {
                _ = try await opened.append(
                    PipelineFixture.decision(number, .declined), to: .paymentReview)
            }
            try await fixture.process(opened)
            try await bridging(fixture, opened, to: database.configuration()) {
                try await arrives($0, "all of it")
            }
            let target = target(fixture, database.configuration())
            let source = opened.plane.relaySource()
            let before = try await target.verify(source)
            #expect(before.agrees, "\(before)")
            try database.sql("SET session_replication_role = replica; " + change)
            let words = try await target.verify(source).firstDifference ?? "nothing"
            #expect(words.hasPrefix(difference), "\(words)")
        }
    }

    @Test("a ledger that was never filled does not agree, unless there is nothing to copy")
    func neverFilled() async throws {
        let (fixture, database) = (try fixture(), try PostgresDatabase())
        try await fixture.opened { opened in
            let target = target(fixture, database.configuration())
            let nothing = try await target.verify(opened.plane.relaySource())
            #expect(nothing.agrees, "\(nothing)")
            try await append([PipelineFixture.charge(1, amount: 1_000)], fixture, opened)
            let empty = try await target.verify(opened.plane.relaySource())
            #expect(empty.firstDifference?.contains("nothing of this log") == true, "\(empty)")
        }
    }

    // MARK: Faults

    @Test(
        "a server that restarts, crashes, hangs or loses the answer at COMMIT costs only time",
        .timeLimit(.minutes(5)))
    func faults() async throws {
        let server = try PostgresServer(durable: true)
        defer { server.stop(.immediate) }
        let proxy = try PostgresProxy(to: server.port)
        defer { proxy.close() }
        try server.sql("postgres", "CREATE DATABASE box")
        var configuration = PostgresConfiguration(
            uri: server.networkURI("box", user: PostgresServer.owner, port: proxy.port))
        configuration.replyTimeout = .seconds(1)
        let fixture = try fixture()
        try await fixture.opened { opened in
            try opened.ledger.adopt(log: opened.plane.relaySource().log)
            try await bridging(fixture, opened, to: configuration) { bridge in
                var number = 0
                func feed() async throws {
                    let charges = (number..<number + 150).map { PipelineFixture.charge($0) }
                    number += 150
                    try await append(charges, fixture, opened)
                }
                try await feed()
                try await arrives(bridge, "what was there first")
                for (count, cut) in [PostgresProxy.Cut.beforeCommit, .afterCommit].enumerated() {
                    proxy.cutOnce(cut)
                    try await feed()
                    try await arrives(bridge, "what was told when the line was cut \(cut)")
                    #expect(proxy.cutCount == count + 1)
                }
                for stop in [PostgresServer.Stop.fast, .immediate] {
                    try await feed()
                    server.stop(stop)
                    try await feed()
                    try await eventually("the stop is noticed") {
                        bridge.report().failureCount > 0
                    }
                    try server.start()
                    try await arrives(bridge, "what was told around a \(stop) stop")
                }
                server.pause()
                try await feed()
                try await eventually("the silence is noticed") {
                    bridge.report().failureCount > 0
                }
                let sentence = bridge.report().lastError ?? ""
                #expect(!sentence.isEmpty && !sentence.contains("\n"))
                server.resume()
                try await arrives(bridge, "what was told while the server hung")
            }
            try expectEqualRows(opened, configuration)
        }
    }

    // MARK: What it refuses to work with

    /// What opening says, and whether it is tried again.
    private func refusal(
        _ fixture: PipelineFixture, _ opened: PipelineFixture.Opened,
        _ configuration: PostgresConfiguration
    ) async throws -> (sentence: String, isPassing: Bool)? {
        let target = target(fixture, configuration)
        let outcome: (String, Bool)?
        do throws(RelayFailure) {
            _ = try await target.open(opened.plane.relaySource(), during: RelayAttempt())
            outcome = nil
        } catch {
            switch error {
            case .passing(let sentence): outcome = (sentence, true)
            case .permanent(let sentence): outcome = (sentence, false)
            }
        }
        await target.close()
        return outcome
    }

    @Test("what cannot be written to is refused in one sentence, and is not touched")
    func refusals() async throws {
        let server = try PostgresServer.common()
        let (fixture, database) = (try fixture(), try PostgresDatabase())
        let empty = server.databaseName()
        try server.sql("postgres", "CREATE DATABASE \(empty)")
        try server.sql("postgres", "CREATE ROLE stranger_\(empty) LOGIN")
        let newer = try PostgresDatabase()
        try newer.sql("UPDATE schema_version SET version = 99")
        let role = PostgresDatabase.role
        let cases: [(uri: String, words: String)] = [
            (
                server.networkURI(database.name, user: role, password: "wrong"),
                "check the user, the password"
            ),
            (server.networkURI("no_such_database", user: role), "create the database"),
            (newer.configuration().uri, "start a newer tillbox"),
            (server.networkURI(empty, user: role), "grant it CREATE on the database"),
            (
                server.uri(database.name).replacing("postgres@", with: "stranger_\(empty)@"),
                "grants.sql"
            ),
        ]
        try await fixture.opened { opened in
            for (uri, words) in cases {
                let found = try await refusal(fixture, opened, PostgresConfiguration(uri: uri))
                #expect(found?.isPassing == false, "\(words)")
                #expect(found?.sentence.contains(words) == true, "\(String(describing: found))")
                #expect(found?.sentence.contains("\n") == false)
            }
            // A database that is read-only may be another one's replica: it is tried again.
            try server.sql(
                "postgres",
                "ALTER DATABASE \(database.name) SET default_transaction_read_only = on")
            let readOnly = try await refusal(fixture, opened, database.configuration())
            #expect(readOnly?.isPassing == true, "\(String(describing: readOnly))")
            #expect(readOnly?.sentence.contains("read-only") == true)
            try server.sql(
                "postgres", "ALTER DATABASE \(database.name) RESET default_transaction_read_only")
            #expect(try await refusal(fixture, opened, database.configuration()) == nil)
            // Whoever owns an empty database is made a ledger in it.
            #expect(
                try await refusal(
                    fixture, opened, PostgresConfiguration(uri: server.uri(empty))) == nil)
        }
        let made = try server.sql(empty, "SELECT version FROM tillbox.schema_version")
        #expect(made == "\(PostgresSchema.version)")
        #expect(try newer.sql("SELECT version FROM schema_version") == "99")
    }
}
