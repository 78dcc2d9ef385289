import AppendLog
import Foundation
import NIOCore
import Synchronization
import TestSupport
import Testing

@testable import Appliance
@testable import Console
@testable import Daemon
@testable import Reconcile
@testable import Vocabulary

@Suite("What open consoles are told of a pipeline that other processes run")
struct AfarLiveTests {
    /// What stands in for the topics' servers.
    private final class Servers: Sendable {
        struct State {
            var pieces: [AfarLook.Piece] = []
            var readers: Result<[AfarLook.Reader], StoreFailure> = .success([])
            var recordsFailure: StoreFailure?
            var asked = 0
        }
        let state = Mutex(State())

        func set(_ change: (inout State) -> Void) { state.withLock { change(&$0) } }

        func readers() throws -> [AfarLook.Reader] {
            try state.withLock { state in
                state.asked += 1
                return try state.readers.get()
            }
        }

        func records() throws -> AfarLook.Piece {
            try state.withLock { state in
                if let failure = state.recordsFailure { throw failure }
                return state.pieces.isEmpty ? AfarLook.Piece() : state.pieces.removeFirst()
            }
        }
    }

    private static func look(
        _ fixture: PipelineFixture, _ opened: PipelineFixture.Opened, _ servers: Servers,
        _ clock: SetClock
    ) -> AfarLook {
        let topics = opened.topics
        return AfarLook(
            index: PaymentIndex(
                partitions: 1,
                reader: { lane throws(StoreFailure) in TopicReader(topics[lane.topic]) },
                logger: PipelineFixture.quiet),
            ledger: opened.ledger, readers: { try servers.readers() },
            records: { try servers.records() }, runs: KeptStatement(beside: opened.ledger),
            readiness: Readiness(), clock: clock,
            verifiedAt: { nil })
    }

    /// All that a topic holds, as a consumer of partition 0 takes it.
    private static func piece(
        _ topic: TopicID, _ opened: PipelineFixture.Opened, passed: Int64 = 0
    ) throws -> AfarLook.Piece {
        let reader = TopicReader(opened.topics[topic])
        let lane = SourceLane(topic: topic, partition: 0)
        return AfarLook.Piece(
            records: try reader.read(from: .zero, byteCountMax: 1 << 20).map { (lane, $0) },
            passed: passed == 0 ? [:] : [topic: passed])
    }

    /// Three payments, and one that nobody can read.
    private static func receive(
        _ fixture: PipelineFixture, _ opened: PipelineFixture.Opened
    ) async throws {
        for number in 1...3 {
            _ = try await opened.append(
                PipelineFixture.received(PipelineFixture.charge(number), event: "evt_\(number)"),
                to: .webhookReceived)
        }
        _ = try await opened.append(
            PipelineFixture.received("{", event: "evt_bad"), to: .webhookReceived)
        try await fixture.process(opened)
    }

    /// Of the partition, at the time of its record, with a pair that sums to zero.
    private static func expect(_ payment: ToldEvent, isOf stored: StoredRecord) throws {
        #expect(payment.data["partition"] as? Int == 0)
        let shown = try #require(payment.data["shown"] as? [String: Any])
        let order = (shown["order"] as? Int).map(Int64.init)
        #expect(order == stored.record.timestamp.milliseconds)
        let pairs = try #require(payment.data["transactions"] as? [[String: Any]])
        let entries = try #require(pairs.first?["entries"] as? [[String: Any]])
        #expect(entries.compactMap { $0["amount"] as? Int }.reduce(0, +) == 0)
    }

    @Test("payments are told once the ledger has passed them, with partition, pair and order")
    func booked() async throws {
        let fixture = try PipelineFixture()
        try await fixture.opened { opened in
            let (servers, clock) = (Servers(), SetClock())
            var live = AfarLive(Self.look(fixture, opened, servers, clock))
            let feed = LiveFeed(epoch: 7)
            var (reader, _) = feed.begin(after: nil)
            try await Self.receive(fixture, opened)
            let scored = try Self.piece(.paymentScored, opened, passed: 9)
            // A fourth that the ledger has not considered.
            var further = try #require(scored.records.last)
            further.stored = StoredRecord(offset: Offset(50), record: further.stored.record)
            servers.set {
                $0.pieces = [
                    AfarLook.Piece(records: scored.records + [further], passed: scored.passed)
                ]
            }
            let pieces = [
                try Self.piece(.paymentReview, opened), try Self.piece(.deadLetter, opened),
            ]
            servers.set { $0.pieces += pieces }
            for _ in 0..<3 {
                live.tell(feed)
                clock.advance(milliseconds: 1_000)
            }
            let events = try ToldEvent.all(in: feed.take(for: &reader))
            let payments = events.filter { $0.name == "payment" }
            #expect(
                payments.map { $0.data["movement"] as? String }
                    == (1...3).map { "charge:ch_\($0)" })
            for (payment, record) in zip(payments, scored.records) {
                try Self.expect(payment, isOf: record.stored)
            }
            #expect(events.filter { $0.name == "letter" }.count == 1)
            let open = try opened.ledger.openReviews(after: TransactionID(0), limit: 10)
            #expect(events.filter { $0.name == "review" }.count == open.count)
            #expect(live.figures().paymentsLeftOut == 9)
            #expect(live.figures().money?.isZero == true)
        }
    }

    @Test("of a burst five a look are picked, and the next one says how many were not")
    func burst() async throws {
        let fixture = try PipelineFixture()
        try await fixture.opened { opened in
            let (servers, clock) = (Servers(), SetClock())
            var live = AfarLive(Self.look(fixture, opened, servers, clock))
            let feed = LiveFeed(epoch: 7)
            var (reader, _) = feed.begin(after: nil)
            let letter = PipelineFixture.letter("x".utf8, topic: "webhook.received")
            let lane = SourceLane(topic: .deadLetter, partition: 2)
            func piece(_ offsets: Range<Int64>, passed: Int64 = 0) -> AfarLook.Piece {
                AfarLook.Piece(
                    records: offsets.map {
                        (lane, StoredRecord(offset: Offset($0), record: letter))
                    }, passed: [.deadLetter: passed])
            }
            servers.set { $0.pieces = [piece(0..<20, passed: 100), piece(120..<121)] }
            live.tell(feed)
            live.tell(feed)
            let events = try ToldEvent.all(in: feed.take(for: &reader))
            #expect(events.map { $0.data["offset"] as? Int } == [0, 1, 2, 3, 4, 120])
            #expect(events.map { $0.data["partition"] as? Int } == Array(repeating: 2, count: 6))
            #expect(events.map { $0.data["left_out"] as? Int } == [0, 0, 0, 0, 0, 115])
        }
    }

    @Test("a ledger that stands still is waited for by so many payments, and by none for ever")
    func waits() async throws {
        let fixture = try PipelineFixture()
        try await fixture.opened { opened in
            let (servers, clock) = (Servers(), SetClock())
            var live = AfarLive(Self.look(fixture, opened, servers, clock))
            let feed = LiveFeed(epoch: 7)
            _ = try await opened.append(
                PipelineFixture.received(PipelineFixture.charge(1), event: "evt_1"),
                to: .webhookReceived)
            try await fixture.process(opened)
            let one = try #require(try Self.piece(.paymentScored, opened).records.first)
            for number in 0..<Int64(LiveLimits.afarWaitingMax + 6) {
                let stored = StoredRecord(offset: Offset(1_000 + number), record: one.stored.record)
                servers.set { $0.pieces.append(AfarLook.Piece(records: [(one.lane, stored)])) }
                live.tell(feed)
                clock.advance(milliseconds: 1_000)
            }
            var (reader, _) = feed.begin(after: "7-0")
            #expect(feed.take(for: &reader).readableBytes == 0, "none is booked")
            #expect(live.figures().paymentsLeftOut == 6)
        }
    }

    @Test("servers that do not answer are told of with the time, asked seldom, and forgotten after")
    func away() async throws {
        let fixture = try PipelineFixture()
        try await fixture.opened { opened in
            let (servers, clock) = (Servers(), SetClock())
            let place = LiveParts.ReaderPlace(
                group: "ledger", topic: TopicID.paymentScored.rawValue, next: Offset(7), lag: 3)
            let other = LiveParts.ReaderPlace(
                group: "ledger", topic: TopicID.paymentScored.rawValue, next: Offset(2), lag: 4)
            servers.set {
                $0.readers = .success([
                    AfarLook.Reader(place, oldestUnreadAt: 900),
                    AfarLook.Reader(other, oldestUnreadAt: 700),
                ])
            }
            var live = AfarLive(Self.look(fixture, opened, servers, clock))
            let feed = LiveFeed(epoch: 7)
            let before = live.figures()
            #expect(before.readers.map(\.place.lag) == [7])
            #expect(before.readers.map(\.oldestUnreadAt) == [700])
            #expect(before.warnings.isEmpty)

            servers.set {
                $0.readers = .failure(.outside("Kafka is away"))
                $0.recordsFailure = .outside("the tail is cut")
            }
            clock.advance(milliseconds: LiveLimits.afarMilliseconds)
            live.tell(feed)
            let during = live.figures()
            #expect(during.readers.map(\.place.lag) == [7], "as it was seen last")
            #expect(during.warnings.count == 2)
            #expect(during.warnings.contains { $0.contains("as of") && $0.contains("is away") })
            #expect(during.warnings.contains { $0.contains("the tail is cut") })
            let asked = servers.state.withLock { $0.asked }
            clock.advance(milliseconds: LiveLimits.afarTroubleMilliseconds - 1)
            _ = live.figures()
            #expect(servers.state.withLock { $0.asked } == asked, "it is not asked again yet")

            servers.set {
                $0.readers = .success([])
                $0.recordsFailure = nil
            }
            clock.advance(milliseconds: 1)
            live.tell(feed)
            #expect(live.figures().warnings.isEmpty)
        }
    }
}
