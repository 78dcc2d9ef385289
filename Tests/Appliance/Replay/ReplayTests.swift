import AppendLog
import Dispatch
import Foundation
import GRDB
import Synchronization
import TestSupport
import Testing

@testable import Appliance
@testable import Daemon
@testable import Vocabulary

@Suite("Replay")
struct ReplayTests {
    /// A folder with charges 1…count booked, and a review for those that a low threshold holds.
    private func booked(
        _ count: Int, _ change: (inout Settings) -> Void = { _ in }
    ) async throws -> PipelineFixture {
        let fixture = try PipelineFixture(change)
        try await fixture.opened { opened in
            for number in 1...count {
                _ = try await opened.append(
                    PipelineFixture.received(
                        PipelineFixture.charge(number, amount: 100 * number, customer: number % 3),
                        event: "evt_\(number)"), to: .webhookReceived)
            }
            try await fixture.process(opened)
        }
        return fixture
    }

    @Test("the same events give the same verdicts, movements and chain")
    func equal() async throws {
        let fixture = try await booked(40)
        let report = try await fixture.replay()
        #expect(report.isEqual, "\(report.differences.listed)")
        #expect(report.events == 40)
        #expect(report.scored == 40)
        #expect(report.transactions == 40)
        #expect(report.head == report.originalHead)
        #expect(report.head != CanonicalBytes.genesis)
    }

    /// Holds up whoever comes.
    private final class Hold: Sendable {
        let count = Atomic(0)
        let end = DispatchSemaphore(value: 0)
    }

    @Test("it holds no thread of the cooperative pool, however long it takes")
    func ownThreads() async throws {
        let fixture = try await booked(3)
        // As many as the pool has threads, each held up in the middle.
        let count = ProcessInfo.processInfo.activeProcessorCount
        let hold = Hold()
        @Sendable func replay() async throws {
            let report = try await fixture.replay(progress: { _, _ in
                guard hold.count.add(1, ordering: .relaxed).newValue <= count else { return }
                #expect(hold.end.wait(timeout: .now() + 90) == .success)
            })
            #expect(report.isEqual, "\(report.differences.listed)")
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<count { group.addTask { try await replay() } }
            try await eventually("all of them are held up") {
                hold.count.load(ordering: .relaxed) >= count
            }
            for _ in 0..<count { hold.end.signal() }
            try await group.waitForAll()
        }
    }

    @Test("decisions are booked where the original's ledger considered them")
    func decisions() async throws {
        let limits: (inout Settings) -> Void = { settings in
            settings.amountLimits = [Given.usd: MinorUnits(2_000)]
        }
        let fixture = try PipelineFixture(limits)
        try await fixture.book(through: 30)
        let report = try await fixture.replay()
        #expect(report.isEqual, "\(report.differences.listed)")
        #expect(report.transactions > 33)
        let part = try await fixture.replay(through: 24)
        #expect(part.isEqual, "\(part.differences.listed)")
        #expect(part.events == 25)
        // Without its place a decision proves nothing, and that is said.
        try fixture.tamper("DELETE FROM decisions")
        await #expect(throws: ReplayError.self) { try await fixture.replay() }
    }

    /// Payments whose intent is held for want of a vector, and whose charge is held for its amount.
    ///
    /// - Parameter releaseBefore: how many of them an earlier release has booked.
    private func renewed(_ count: Int, releaseBefore: Int64) async throws -> PipelineFixture {
        let fixture = try PipelineFixture { $0.amountLimits = [Given.usd: MinorUnits(1)] }
        try await fixture.opened { opened in
            try opened.ledger.inherit(renewalsAfter: releaseBefore)
            for number in 1...count {
                for (body, event) in [
                    (PipelineFixture.intent(number), "evt_pi_\(number)"),
                    (PipelineFixture.charge(number), "evt_\(number)"),
                ] {
                    _ = try await opened.append(
                        PipelineFixture.received(body, event: event), to: .webhookReceived)
                }
            }
            try await fixture.process(opened)
        }
        return fixture
    }

    @Test(
        "reviews are renewed where the original did so, and not where an earlier release did not",
        arguments: [0, 3])
    func renewals(releaseBefore: Int64) async throws {
        let fixture = try await renewed(5, releaseBefore: releaseBefore)
        let changes = try await fixture.opened { opened in
            let reviews = try opened.ledger.openReviews(after: TransactionID(0), limit: 10)
            #expect(reviews.count == 5)
            for review in reviews {
                let isRenewed = review.payment.rawValue > releaseBefore
                #expect((review.score != nil) == isRenewed)
                #expect(review.reasons.contains(.rule("features_missing")) != isRenewed)
            }
            let changes = try opened.ledger.reviewChanges(after: 0, limit: 100)
            #expect(changes.count == 10 - Int(releaseBefore))
            #expect(try opened.records(.paymentReview).count == changes.count)
            #expect(fixture.counters[.reviewsOpened] == 5)
            #expect(try opened.ledger.verify().fault == nil)
            return changes
        }
        let report = try await fixture.replay()
        #expect(report.isEqual, "\(report.differences.listed)")
        // An intent and its charge are of one second: as a set of openings they are one.
        #expect(report.reviews == 5)
        let fresh = try #require(
            try FileManager.default.contentsOfDirectory(atPath: fixture.folder.path)
                .first { $0.hasPrefix("fresh-") })
        let replayed = try SQLiteLedgerReader.open(
            path: fixture.folder.file("\(fresh)/ledger.sqlite"))
        defer { try? replayed.close() }
        #expect(
            try replayed.reviewChanges(after: 0, limit: 100).map(\.record)
                == changes.map(\.record))
        #expect(try replayed.renewalsAfter() == releaseBefore)
    }

    @Test("redriven records are taken over at their place")
    func redriven() async throws {
        let fixture = try await booked(5)
        try await fixture.opened { opened in
            let document = JSONDocument()
            let validated = try #require(try opened.records(.paymentValidated).first)
            var event = try PaymentEvent(validated.record.value ?? [], using: document)
            event.movement = MovementKey("charge:ch_77")
            event.eventID = EventID("evt_77")
            _ = try await opened.append(
                PipelineFixture.letter(
                    event.encoded(), topic: "payment.validated", stage: "score",
                    reason: "record_malformed", event: "evt_77"), to: .deadLetter)
            _ = try await opened.append(
                PipelineFixture.letter(
                    PipelineFixture.charge(88).utf8, topic: "webhook.received", event: "evt_88"),
                to: .deadLetter)
            let answer = try await fixture.redriver(opened).redrive(RedriveRequest())
            #expect(answer.lines.map(\.result) == [.sent, .sent])
            try await fixture.process(opened)
            _ = try await opened.append(
                PipelineFixture.received(PipelineFixture.charge(6), event: "evt_6"),
                to: .webhookReceived)
            try await fixture.process(opened)
            #expect(try opened.bookedCount() == 8)
        }
        let report = try await fixture.replay()
        // The letters were made by hand, so no stage refuses those records when it is replayed.
        #expect(
            report.differences.listed.allSatisfy { $0.kind == .deadLetter },
            "\(report.differences.listed)")
        #expect(report.transactions == 8)
        #expect(report.head == report.originalHead)
    }

    @Test("other thresholds are seen as other verdicts, movements and another chain")
    func otherThresholds() async throws {
        let fixture = try await booked(20)
        let report = try await fixture.replay {
            $0.amountLimits = [Given.usd: MinorUnits(1_500)]
        }
        #expect(report.differences.counts[.verdict] == 5)
        #expect(report.differences.counts[.movement] == 5)
        #expect(report.differences.counts[.review] == 5)
        #expect(report.differences.counts[.chain] == 5)
        let first = try #require(report.differences.listed.first)
        #expect(first.kind == .verdict)
        #expect(first.place == "payment.scored/15")
        #expect(first.original.contains("approve") && first.replayed.contains("manual_review"))
    }

    @Test("a tampered entry is named")
    func tamperedEntry() async throws {
        let fixture = try await booked(10)
        try fixture.tamper("UPDATE entries SET amount = amount * 2 WHERE transaction_id = 4")
        let report = try await fixture.replay()
        #expect(report.differences.count == 1)
        #expect(report.differences.listed.first?.kind == .movement)
        #expect(report.differences.listed.first?.what == "charge:ch_4")
        #expect(report.differences.listed.first?.place == "transactions 4")
    }

    @Test("a tampered hash is named")
    func tamperedHash() async throws {
        let fixture = try await booked(10)
        try fixture.tamper("UPDATE transactions SET hash = zeroblob(32) WHERE id = 7")
        let report = try await fixture.replay()
        #expect(report.differences.counts == [.chain: 1])
        #expect(report.differences.listed.first?.what == "charge:ch_7")
    }

    @Test("a missing movement is named, and the others are not", arguments: [4, 10])
    func missingMovement(id: Int) async throws {
        let fixture = try await booked(10)
        try fixture.tamper(
                "DELETE FROM entries WHERE transaction_id = \(id); "
                + "DELETE FROM transactions WHERE id = \(id)")
        let report = try await fixture.replay()
        #expect(report.differences.counts[.movement] == 1)
        let missing = report.differences.listed.first { $0.kind == .movement }
        #expect(missing?.what == "charge:ch_\(id)")
        #expect(missing?.original == ReplayDifference.nothing)
    }

    @Test("a record that the original derived otherwise is named")
    func otherMerchant() async throws {
        let fixture = try await booked(3)
        let report = try await fixture.replay { $0.defaultMerchant = MerchantID("other") }
        #expect(report.differences.counts[.validated] == 3)
        #expect(report.differences.counts[.movement] == 3)
    }

    @Test("--to ends behind that webhook, and beyond the end is an error")
    func through() async throws {
        let fixture = try await booked(10)
        let report = try await fixture.replay(through: 3)
        #expect(report.isEqual)
        #expect(report.events == 4)
        #expect(report.transactions == 4)
        await #expect(throws: ReplayError.beyondEnd(to: 10, end: 10)) {
            try await fixture.replay(through: 10)
        }
    }

    @Test("what the ledger has not booked yet is not a difference")
    func undrained() async throws {
        let fixture = try await booked(6)
        try await fixture.opened { opened in
            let scored = try opened.records(.paymentScored)
            let source = SourcedRecord(
                source: Offset(6), record: try #require(scored.first).record)
            _ = try await opened.topics[.paymentScored].append(
                [source], producer: ProducerName(EmbeddedScoreStage.name))
            _ = try await opened.append(
                PipelineFixture.received(PipelineFixture.charge(7), event: "evt_7"),
                to: .webhookReceived)
        }
        let report = try await fixture.replay()
        #expect(report.scoredBeyond == 1)
        #expect(report.differences.counts[.movement] == nil)
        #expect(report.differences.counts[.chain] == nil)
    }

    @Test("what the daemon has not come to yet is no difference, at no stage, nor are its letters")
    func behind() async throws {
        let fixture = try await booked(6)
        try await fixture.opened { opened in
            for number in 7...12 {
                let charge = PipelineFixture.charge(number)
                // Every other one is refused by validation.
                let body =
                    number % 2 == 0
                    ? charge : charge.replacingOccurrences(of: "\"id\":\"ch_\(number)\",", with: "")
                _ = try await opened.append(
                    PipelineFixture.received(body, event: "evt_\(number)"), to: .webhookReceived)
            }
        }
        let report = try await fixture.replay()
        #expect(report.isEqual, "\(report.differences.listed)")
        #expect(report.events == 12 && report.scored == 6 && report.transactions == 6)
        #expect(report.scoredBeyond == 3)
        try await fixture.process()
        let whole = try await fixture.replay()
        #expect(whole.isEqual && whole.scoredBeyond == 0, "\(whole.differences.listed)")
        #expect(whole.deadLetters == 3)
    }

    @Test("at most a hundred differences are listed, and all are counted")
    func bounded() async throws {
        let fixture = try await booked(150)
        let report = try await fixture.replay { $0.defaultMerchant = MerchantID("other") }
        #expect(report.differences.listed.count == ReplayDifferences.listedMax)
        #expect(report.differences.counts[.movement] == 150)
    }
}
