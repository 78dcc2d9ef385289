import AppendLog
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Appliance
@testable import Daemon
@testable import Relay
@testable import Vocabulary

@Suite("A copy of the ledger")
struct LedgerTargetTests {
    /// Payments, held ones and decisions before, with and behind them.
    private func original(_ count: Int) async throws -> PipelineFixture {
        let fixture = try PipelineFixture.ofLedgerCopies()
        try await fixture.book(through: count)
        return fixture
    }

    private func target(
        _ fixture: PipelineFixture, to path: String,
        local: String? = nil
    ) -> LedgerTarget {
        let local = local ?? "\(fixture.path)/ledger.sqlite"
        return LedgerTarget(.postgres) { () throws(LedgerError) in
            try SQLiteLedgerReader.open(path: local)
        } copy: { original throws(LedgerError) in
            try SQLiteLedger.open(path: path, original: original, clockMilliseconds: { 42 })
        }
    }

    /// Runs a bridge until the copy has come as far as the original.
    private func copy(
        _ fixture: PipelineFixture, _ opened: PipelineFixture.Opened, to path: String,
        until word: String = "running"
    ) async throws -> BridgeReport {
        let bridge = Bridge(
            .postgres, topics: [.paymentReview, .paymentScored],
            source: opened.plane.relaySource(),
            pauses: BridgePauses(folder: fixture.folder.file("bridges")),
            logger: PipelineFixture.quiet
        ) { self.target(fixture, to: path) }
        // As it is while it runs.
        var report = bridge.report()
        try await running([bridge]) {
            try await eventually("the bridge is \(word)") {
                report = bridge.report()
                return report.state.word == word && (word != "running" || report.lag == 0)
            }
        }
        return report
    }

    @Test("has the same rows: chain, times of booking, reviews, decisions, positions")
    func equal() async throws {
        let fixture = try await original(30)
        let path = fixture.folder.file("copy.sqlite")
        try await fixture.opened { opened in
            _ = try await copy(fixture, opened, to: path)
            let mine = try SQLiteLedgerReader.open(path: path)
            defer { try? mine.close() }
            let theirs = opened.ledger
            let transactions = try theirs.posted(after: TransactionID(0), limit: 1_000)
            #expect(transactions.count > 33)
            #expect(Set(transactions.map(\.postedAtMilliseconds)).count > 10)
            #expect(try mine.posted(after: TransactionID(0), limit: 1_000) == transactions)
            let changes = try theirs.reviewChanges(after: 0, limit: 1_000)
            #expect(!changes.isEmpty)
            #expect(try mine.reviewChanges(after: 0, limit: 1_000) == changes)
            let (here, there) = (try theirs.point(), try mine.point())
            #expect(there.positions == here.positions)
            #expect(there.places == here.places)
            #expect(there.hash == here.hash)
            #expect(
                try mine.openReviews(after: TransactionID(0), limit: 100)
                    == theirs.openReviews(after: TransactionID(0), limit: 100))
            #expect(try mine.verify().fault == nil)
            let verification = try await target(fixture, to: path)
                .verify(opened.plane.relaySource())
            #expect(verification.agrees, "\(verification)")
            #expect(verification.parts.map(\.name).contains("open reviews"))
        }
    }

    @Test(
        "renews the reviews that the original renewed, and those of an earlier release as little",
        arguments: [0, 2])
    func renewals(releaseBefore: Int64) async throws {
        let fixture = try PipelineFixture { $0.amountLimits = [Given.usd: MinorUnits(1)] }
        let path = fixture.folder.file("copy.sqlite")
        try await fixture.opened { opened in
            try opened.ledger.inherit(renewalsAfter: releaseBefore)
            for number in 1...4 {
                for (body, event) in [
                    (PipelineFixture.intent(number), "evt_pi_\(number)"),
                    (PipelineFixture.charge(number), "evt_\(number)"),
                ] {
                    _ = try await opened.append(
                        PipelineFixture.received(body, event: event), to: .webhookReceived)
                }
            }
            try await fixture.process(opened)
            let changes = try opened.ledger.reviewChanges(after: 0, limit: 100)
            #expect(changes.count == 8 - Int(releaseBefore))
            _ = try await copy(fixture, opened, to: path)
            let mine = try SQLiteLedgerReader.open(path: path)
            defer { try? mine.close() }
            #expect(try mine.renewalsAfter() == releaseBefore)
            #expect(try mine.reviewChanges(after: 0, limit: 100) == changes)
            #expect(try mine.verify().fault == nil)
            let verification = try await target(fixture, to: path)
                .verify(opened.plane.relaySource())
            #expect(verification.agrees, "\(verification)")
        }
    }

    @Test("is found equal while both go on")
    func equalMeanwhile() async throws {
        let fixture = try await original(1)
        let path = fixture.folder.file("copy.sqlite")
        try await fixture.opened { opened in
            let source = opened.plane.relaySource()
            let bridge = Bridge(
                .postgres, topics: [.paymentReview, .paymentScored], source: source,
                pauses: BridgePauses(folder: fixture.folder.file("bridges")), luck: { 0 },
                logger: PipelineFixture.quiet
            ) { self.target(fixture, to: path) }
            try await running([bridge]) {
                try await eventually("the first is copied") {
                    bridge.report().state == .running && bridge.report().lag == 0
                }
                let isOver = Atomic(false)
                async let verifications: [BridgeVerification] = {
                    var found: [BridgeVerification] = []
                    while !isOver.load(ordering: .relaxed) {
                        found.append(try await self.target(fixture, to: path).verify(source))
                    }
                    return found
                }()
                for number in 2...60 {
                    _ = try await opened.append(
                        PipelineFixture.received(
                            PipelineFixture.charge(number, amount: 100 * number),
                            event: "evt_\(number)"), to: .webhookReceived)
                    try await fixture.process(opened)
                }
                isOver.store(true, ordering: .relaxed)
                let found = try await verifications
                #expect(found.count > 1)
                #expect(found.first { !$0.agrees } == nil)
            }
        }
    }

    @Test("goes on where it was, however often it is cut off")
    func goesOn() async throws {
        let fixture = try await original(10)
        let path = fixture.folder.file("copy.sqlite")
        try await fixture.opened { opened in _ = try await copy(fixture, opened, to: path) }
        for number in 11...20 {
            try await fixture.opened { opened in
                _ = try await opened.append(
                    PipelineFixture.received(
                        PipelineFixture.charge(number, amount: 100 * number),
                        event: "evt_\(number)"), to: .webhookReceived)
                try await fixture.process(opened)
                _ = try await copy(fixture, opened, to: path)
            }
        }
        try await fixture.opened { opened in
            let mine = try SQLiteLedgerReader.open(path: path)
            defer { try? mine.close() }
            #expect(
                try mine.posted(after: TransactionID(0), limit: 1_000)
                    == opened.ledger.posted(after: TransactionID(0), limit: 1_000))
        }
    }

    @Test("a ledger that comes to something else is not written, and the sentence says where")
    func differs() async throws {
        let fixture = try await original(12)
        let other = try await original(3)
        let path = fixture.folder.file("copy.sqlite")
        try await fixture.opened { opened in
            // The local ledger has other transactions than the log that is booked.
            let bridge = target(
                fixture, to: path, local: "\(other.path)/ledger.sqlite")
            let source = opened.plane.relaySource()
            _ = try await bridge.open(source, during: RelayAttempt())
            let run = RelayRun([
                .paymentScored: Array(try opened.records(.paymentScored).dropFirst(3))
            ])
            do throws(RelayFailure) {
                _ = try await bridge.deliver(run, during: RelayAttempt())
                Issue.record("it was taken")
            } catch {
                guard case .permanent(let sentence) = error else { throw error }
                #expect(sentence.contains("transaction 1"))
            }
            await bridge.close()
            let mine = try SQLiteLedgerReader.open(path: path)
            defer { try? mine.close() }
            #expect(try mine.head() == 0)
        }
    }

    @Test("another box's copy is refused")
    func foreign() async throws {
        let (one, other) = (try await original(3), try await original(4))
        let path = one.folder.file("copy.sqlite")
        try await one.opened { opened in _ = try await copy(one, opened, to: path) }
        try await other.opened { opened in
            let report = try await copy(other, opened, to: path, until: "stopped")
            #expect(report.lastError?.contains("was booked from log") == true)
        }
    }
}
