import AppendLog
import Foundation
import NIOCore
import Testing

@testable import Appliance
@testable import Console
@testable import Daemon
@testable import Relay
@testable import Vocabulary

@Suite("What open consoles are told of the pipeline")
struct LiveLookTests {
    private static func parts(
        _ opened: PipelineFixture.Opened, _ counters: Counters, _ clock: SetClock
    ) -> LiveParts {
        let (log, topics, ledger) = (opened.log, opened.topics, opened.ledger)
        return LiveParts(
            ledger: ledger, topic: { TopicReader(topics[$0]) },
            readers: {
                let places = try? ConsumerPlaces(log: log, topics: topics, ledger: ledger).all()
                return (places ?? []).map {
                    LiveParts.ReaderPlace(
                        group: $0.group, topic: $0.topic, next: $0.next, lag: $0.lag)
                }
            }, reconciler: nil, bridges: BridgeBoard([]), readiness: Readiness(),
            counters: counters, clock: clock)
    }

    private static func object(_ figures: LiveFigures) throws -> [String: Any] {
        let object = try JSONSerialization.jsonObject(
            with: Data(figures.encode(history: [])))
        return try #require(object as? [String: Any])
    }

    @Test("payments are told as they are booked, with the balanced pair, and figures agree")
    func booked() async throws {
        let fixture = try PipelineFixture()
        try await fixture.opened { opened in
            let clock = SetClock()
            var look = LiveLook(Self.parts(opened, fixture.counters, clock))
            _ = look.figures()
            let feed = LiveFeed(epoch: 7)
            var (reader, _) = feed.begin(after: nil)
            for number in 1...3 {
                _ = try await opened.append(
                    PipelineFixture.received(
                        PipelineFixture.charge(number), event: "evt_\(number)"),
                    to: .webhookReceived)
            }
            _ = try await opened.append(
                PipelineFixture.received("{", event: "evt_bad"), to: .webhookReceived)
            look.tell(feed)
            let early = feed.take(for: &reader)
            #expect(early.readableBytes == 0, "nothing is booked yet")

            clock.advance(milliseconds: 2_000)
            let before = look.figures()
            let unread = try #require(
                before.readers.first { $0.place.topic == TopicID.webhookReceived.rawValue })
            #expect(unread.place.lag == 4)
            #expect(unread.oldestUnreadAt == 1_760_054_400_000)
            let received = before.stages.first { $0.topic == .webhookReceived }
            #expect(received?.count == 4)
            #expect(received?.rate == 2)

            try await fixture.process(opened)
            look.tell(feed)
            let events = try ToldEvent.all(in: feed.take(for: &reader))
            let payments = events.filter { $0.name == "payment" }
            #expect(
                payments.map { $0.data["movement"] as? String }
                    == (1...3).map { "charge:ch_\($0)" })
            for payment in payments {
                let pairs = try #require(payment.data["transactions"] as? [[String: Any]])
                let entries = try #require(pairs.first?["entries"] as? [[String: Any]])
                #expect(entries.count == 2)
                #expect(entries.compactMap { $0["amount"] as? Int }.reduce(0, +) == 0)
                #expect(payment.data["verdict"] is String)
                #expect(payment.data["left_out"] as? Int == 0)
            }
            #expect(events.filter { $0.name == "letter" }.count == 1)
            let open = try opened.ledger.openReviews(after: TransactionID(0), limit: 10)
            #expect(events.filter { $0.name == "review" }.count == open.count)

            clock.advance(milliseconds: 5_000)
            let after = look.figures()
            let posted = after.stages.first { $0.topic == .ledgerPosted }?.count
            #expect(posted == Int64(try opened.bookedCount()))
            // Nothing redrives here.
            let behind = after.readers.filter { $0.place.group != "redrive" }
                .filter { $0.place.lag != 0 || $0.oldestUnreadAt != nil }
            #expect(behind.isEmpty, "\(behind)")
            #expect(after.money?.isZero == true)
            #expect(after.money?.trial.keys.map(\.code) == ["usd"])
            #expect(after.money?.openReviewCount == open.count)
            #expect(after.counts.first { $0.name == .deadLetters }?.count == 1)
            let json = try Self.object(after)
            #expect((json["volume"] as? [[String: Any]])?.first?["amount"] as? Int == 3_000)
            #expect((json["money"] as? [String: Any])?["is_zero"] as? Bool == true)
        }
    }

    @Test("a sample tells of so many records a look, and of how many it has left out")
    func sample() async throws {
        let fixture = try GateFixture()
        let topic = fixture.topics[.deadLetter]
        let reader = TopicReader(topic)
        var sample = RecordSample(from: topic.start)
        func records(_ count: Int) -> [Record] {
            (0..<count).map { _ in
                PipelineFixture.letter("x".utf8, topic: "webhook.received")
            }
        }
        func look() throws -> [(offset: Int64, leftOut: Int64)] {
            var told: [(offset: Int64, leftOut: Int64)] = []
            try sample.goOn(to: reader.end, in: reader) { stored, leftOut in
                told.append((stored.offset.rawValue, leftOut))
                return true
            }
            return told
        }
        _ = try await topic.append(records(3))
        #expect(try look().map(\.offset) == [0, 1, 2])
        _ = try await topic.append(records(200))
        #expect(try look().map(\.offset) == [3, 4, 5, 6, 7])
        #expect(sample.leftOutCount == 195)
        _ = try await topic.append(records(1))
        let next = try look()
        #expect(next.map(\.offset) == [203])
        #expect(next.map(\.leftOut) == [195])
        #expect(try look().isEmpty)
    }

    @Test("dead letters are counted without the orders that redrive them")
    func letterCount() async throws {
        let fixture = try GateFixture()
        let topic = fixture.topics[.deadLetter]
        let reader = TopicReader(topic)
        var count = LetterCount()
        #expect(try count.look(at: reader) == 0)
        let letter = PipelineFixture.letter("x".utf8, topic: "webhook.received")
        var order = letter
        order.headers.append(
            RecordHeader(RedriveHeader.to, ArraySlice("webhook.received".utf8)))
        _ = try await topic.append([letter, letter, order])
        #expect(try count.look(at: reader) == 2)
        #expect(try count.look(at: reader) == 2)
        _ = try await topic.append([order, letter])
        #expect(try count.look(at: reader) == 3)
    }

    @Test("records that are not worth telling are passed over, some a look")
    func notTold() async throws {
        let fixture = try GateFixture()
        let topic = fixture.topics[.deadLetter]
        let reader = TopicReader(topic)
        var sample = RecordSample(from: topic.start)
        _ = try await topic.append(
            (0..<1_000).map { _ in
                PipelineFixture.letter("x".utf8, topic: "webhook.received")
            })
        var seenCount = 0
        try sample.goOn(to: reader.end, in: reader) { _, _ in
            seenCount += 1
            return false
        }
        #expect(seenCount == LiveLimits.recordsSeenPerLook)
        #expect(sample.next == reader.end)
        #expect(sample.leftOutCount == Int64(1_000 - seenCount))
    }
}
