import AppendLog
import Foundation
import TestSupport
import Testing

@testable import Appliance
@testable import Vocabulary

@Suite("Redriving dead letters")
struct RedriveTests {
    /// A folder where an older validator refused charges 1…count, which this one understands.
    private func refused(_ count: Int) async throws -> PipelineFixture {
        let fixture = try PipelineFixture()
        try await fixture.opened { opened in
            for number in 1...count {
                let body = PipelineFixture.charge(number)
                let offset = try await opened.append(
                    PipelineFixture.received("{}", event: "evt_\(number)"), to: .webhookReceived)
                _ = try await opened.append(
                    PipelineFixture.letter(
                        body.utf8, topic: "webhook.received", offset: offset,
                        event: "evt_\(number)"), to: .deadLetter)
            }
        }
        return fixture
    }

    private func copies(_ opened: PipelineFixture.Opened, in id: TopicID) throws -> [StoredRecord] {
        try opened.records(id).filter { RedriveHeader.letter(of: $0.record) != nil }
    }

    @Test("a letter that can be understood now is booked, once, however often that is asked for")
    func onceBooked() async throws {
        let fixture = try await refused(1)
        for round in 1...3 {
            let answer = try await fixture.opened {
                try await fixture.redriver($0).redrive(RedriveRequest(letters: [.letter(.zero)]))
            }
            #expect(answer.lines.map(\.result) == [round == 1 ? .sent : .alreadyRedriven])
            try await fixture.process()
        }
        try await fixture.opened { opened in
            let copies = try copies(opened, in: .webhookReceived)
            #expect(copies.count == 1)
            #expect(copies.first?.record.text("redriven-from") == "dead.letter/0")
            #expect(copies.first?.record.text("signature") == "t=1,v1=aa", "headers come along")
            #expect(copies.first?.record.header("redrive-to") == nil)
            #expect(try opened.bookedCount() == 1)
        }
    }

    @Test("a stage that repeats its orders after a crash adds no record")
    func repeatedOrders() async throws {
        let fixture = try await refused(3)
        try await fixture.opened {
            _ = try await fixture.redriver($0).redrive(RedriveRequest())
            try await fixture.process($0)
            try await $0.log.cursors.commit(
                .zero, group: GroupName(RedriveStage.name), topic: $0.topics[.deadLetter].name)
            try await fixture.process($0)
            #expect(try copies($0, in: .webhookReceived).count == 3)
            #expect(try $0.bookedCount() == 3)
        }
    }

    @Test("requests at the same time give one order a letter")
    func concurrentRequests() async throws {
        let fixture = try await refused(5)
        try await fixture.opened { opened in
            let redriver = try fixture.redriver(opened)
            let sent = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<20 {
                    group.addTask {
                        try await redriver.redrive(RedriveRequest()).lines
                            .count { $0.result == .sent }
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(sent == 5)
            #expect(try opened.records(.deadLetter).compactMap { RedriveOrder($0) }.count == 5)
        }
    }

    @Test("letters go back in any order")
    func anyOrder() async throws {
        let fixture = try await refused(3)
        for offset in [2, 0, 1] as [Int64] {
            let answer = try await fixture.opened {
                try await fixture.redriver($0).redrive(
                    RedriveRequest(letters: [.letter(Offset(offset))]))
            }
            #expect(answer.lines.map(\.result) == [.sent])
        }
        try await fixture.process()
        #expect(try await fixture.opened { try $0.bookedCount() } == 3)
    }

    @Test("a record that is too large for the log stays, with a sentence; the others go")
    func tooLarge() async throws {
        let fixture = try await refused(2)
        try await fixture.opened { opened in
            // With the headers of what failed it is larger than its letter is.
            var original = PipelineFixture.received("{}", event: "evt_3")
            original.headers.append(
                RecordHeader("signature", String(repeating: " ", count: 3 << 20)))
            let offset = try await opened.append(original, to: .webhookReceived)
            let body = PipelineFixture.charge(3) + String(repeating: " ", count: 3 << 19)
            let letter = try await opened.append(
                PipelineFixture.letter(
                    body.utf8, topic: "webhook.received", offset: offset, event: "evt_3"),
                to: .deadLetter)
            let redriver = try fixture.redriver(opened)
            let lines = try await redriver.redrive(RedriveRequest()).lines
            #expect(lines.map(\.result) == [.sent, .sent, .stillRefused])
            let detail = lines.last?.detail ?? ""
            #expect(detail.hasPrefix("record_too_large: a record of "), "\(detail)")
            #expect(detail.contains("exceeds the limit of 4194304"), "\(detail)")
            #expect(detail.hasSuffix("`tillbox dead-letter show \(letter)`"), "\(detail)")
            // It may be asked for again, alone too, and keeps nobody from going.
            let again = try await redriver.redrive(RedriveRequest(letters: [.letter(letter)]))
            #expect(again.lines.map(\.result) == [.stillRefused])
            #expect(try opened.records(.deadLetter).compactMap { RedriveOrder($0) }.count == 2)
        }
        try await fixture.process()
        #expect(try await fixture.opened { try $0.bookedCount() } == 2)
    }

    @Test("what a letter lacks is said in words")
    func lacking() throws {
        let place = SourcePlace(topic: .paymentScored, offset: .zero)
        let record = Record(
            key: nil, value: Array("{}".utf8)[...], timestamp: Timestamp(milliseconds: 0))
        let letter = StageOutput.undecodable(
            PlacedRecord(place: place, record: record), stage: "ledger", .notAnObject)
        let stored = try #require(
            StoredLetter(StoredRecord(offset: .zero, record: letter.record)))
        let forecaster = RedriveForecaster(
            defaultMerchant: MerchantID("default"), livemodes: [.any], targets: [.paymentScored])
        guard case .staysRefused("record_malformed", let detail) = forecaster.forecast(stored)
        else {
            Issue.record("another forecast")
            return
        }
        #expect(detail.hasSuffix("is missing or not what it may be"), "\(detail)")
    }

    @Test("a second order for one letter, whoever wrote it, books nothing")
    func twoOrders() async throws {
        let fixture = try await refused(1)
        try await fixture.opened { opened in
            let stored = try #require(try opened.records(.deadLetter).first)
            let letter = try #require(StoredLetter(stored))
            for _ in 0..<2 {
                _ = try await opened.append(
                    RedriveOrder.record(
                        for: letter, original: nil, to: .webhookReceived,
                        at: Timestamp(milliseconds: 1_760_054_500_000)), to: .deadLetter)
            }
            try await fixture.process(opened)
            #expect(try copies(opened, in: .webhookReceived).count == 2)
            #expect(try opened.bookedCount() == 1)
        }
    }

    @Test("a record that fails again is a new dead letter that names its first one")
    func failsAgain() async throws {
        let fixture = try PipelineFixture()
        try await fixture.opened { opened in
            let body = PipelineFixture.charge(1)
            _ = try await opened.append(
                PipelineFixture.received(body, event: "evt_1"), to: .webhookReceived)
            try await fixture.process(opened)
            let document = JSONDocument()
            let scored = try #require(try opened.records(.paymentScored).first)
            var other = try ScoredPayment(scored.record.value ?? [], using: document)
            other.event.currency = Given.eur
            let letter = try await opened.append(
                PipelineFixture.letter(
                    other.encoded(), topic: "payment.scored", offset: scored.offset,
                    stage: "ledger", reason: "movement_conflicts"), to: .deadLetter)
            let list = LetterList(
                view: LogView(log: opened.log, topics: opened.topics, ledger: opened.ledger))
            #expect(try list.leftCount() == 1)
            let answer = try await fixture.redriver(opened).redrive(RedriveRequest())
            #expect(answer.lines.map(\.result) == [.sent])
            #expect(try list.page(after: nil, limit: 10).lines.map(\.state) == [.waiting])
            #expect(try list.leftCount() == 0)
            try await fixture.process(opened)
            #expect(try list.leftCount() == 1)

            let lines = try list.page(after: nil, limit: 10).lines
            #expect(lines.map(\.state) == [.failedAgain, .notRedriven])
            #expect(lines.last?.reason == "movement_conflicts")
            #expect(lines.last?.origin == .letter(letter))
            #expect(lines.first?.again?.offset == lines.last?.offset)
            #expect(try opened.bookedCount() == 1)
            let page = try list.page(after: nil, limit: 1)
            #expect(page.next == letter)
            #expect(try list.page(after: page.next, limit: 1).next == nil)
        }
    }

    @Test("the list says that a record has passed")
    func listPassed() async throws {
        let fixture = try await refused(2)
        try await fixture.opened { opened in
            _ = try await fixture.redriver(opened).redrive(
                RedriveRequest(letters: [.letter(.zero)]))
            try await fixture.process(opened)
            let list = LetterList(
                view: LogView(log: opened.log, topics: opened.topics, ledger: opened.ledger))
            // The letters behind these two are of the records that were put in place of the failed
            // ones.
            let states = try list.page(after: nil, limit: 2).lines.map(\.state)
            #expect(states == [.passed, .notRedriven])
        }
    }

    @Test("what came back and is ignored has passed: nothing more will come of it")
    func listIgnored() async throws {
        let fixture = try PipelineFixture()
        try await fixture.opened { opened in
            _ = try await opened.append(
                PipelineFixture.letter(
                    PipelineFixture.charge(1, type: "charge.updated").utf8,
                    topic: "webhook.received"), to: .deadLetter)
            _ = try await fixture.redriver(opened).redrive(RedriveRequest())
            let list = LetterList(
                view: LogView(log: opened.log, topics: opened.topics, ledger: opened.ledger))
            #expect(try list.page(after: nil, limit: 1).lines.map(\.state) == [.waiting])
            try await fixture.process(opened)
            // As after a stage that has read it and not yet saved how far it came.
            try await opened.log.cursors.commit(
                .zero, group: GroupName(ValidateStage.name),
                topic: opened.topics[.webhookReceived].name)
            #expect(try list.page(after: nil, limit: 1).lines.map(\.state) == [.passed])
            #expect(try opened.bookedCount() == 0)
        }
    }

    @Test("a dry run says what would happen and writes nothing; what stays refused stays")
    func dryRun() async throws {
        let fixture = try await refused(1)
        try await fixture.opened { opened in
            _ = try await opened.append(
                PipelineFixture.letter(
                    PipelineFixture.charge(2).replacing("ch_2", with: "").utf8,
                    topic: "webhook.received"), to: .deadLetter)
            let end = opened.topics[.deadLetter].highWatermark
            let redriver = try fixture.redriver(opened)
            let dry = try await redriver.redrive(RedriveRequest(isDryRun: true))
            #expect(dry.lines.map(\.result) == [.wouldSend, .stillRefused])
            #expect(dry.lines.first?.detail == "tells of charge:ch_1")
            // All that the dead letter itself would say: what was expected, and of what.
            let expected = "bad_id: charge.id: expected an id of letters, digits, _ and -; found "
            #expect(dry.lines.last?.detail.hasPrefix(expected) == true, "\(dry.lines)")
            #expect(opened.topics[.deadLetter].highWatermark == end)
            let real = try await redriver.redrive(RedriveRequest())
            #expect(real.lines.map(\.result) == [.sent, .stillRefused])
            let none = try await redriver.redrive(RedriveRequest(letters: [.letter(Offset(77))]))
            #expect(none.lines.map(\.result) == [.notFound])
            let other = try await redriver.redrive(RedriveRequest(reason: "not_json"))
            #expect(other.lines.isEmpty)
        }
    }

    @Test("by a reason only its letters go back; the others when they are asked for")
    func byReason() async throws {
        let fixture = try PipelineFixture()
        try await fixture.opened { opened in
            for (number, reason) in [(1, "bad_id"), (2, "bad_amount"), (3, "bad_id")] {
                _ = try await opened.append(
                    PipelineFixture.letter(
                        PipelineFixture.charge(number).utf8, topic: "webhook.received",
                        reason: reason, event: "evt_\(number)"), to: .deadLetter)
            }
            let redriver = try fixture.redriver(opened)
            let dry = try await redriver.redrive(RedriveRequest(reason: "bad_id", isDryRun: true))
            #expect(dry.lines.map(\.letter.offset) == [Offset(0), Offset(2)])
            #expect(dry.lines.map(\.result) == [.wouldSend, .wouldSend])
            let some = try await redriver.redrive(RedriveRequest(reason: "bad_id"))
            #expect(some.lines.map(\.result) == [.sent, .sent])
            try await fixture.process(opened)
            #expect(try opened.bookedCount() == 2)
            let rest = try await redriver.redrive(RedriveRequest())
            #expect(rest.lines.map(\.letter.offset) == [Offset(1)])
            try await fixture.process(opened)
            #expect(try opened.bookedCount() == 3)
        }
    }

    @Test("a delivery that the gate refused goes through the admission")
    func deliveries() async throws {
        let fixture = try PipelineFixture()
        try await fixture.opened { opened in
            let bodies = [
                PipelineFixture.charge(1), PipelineFixture.charge(2), "not JSON",
                PipelineFixture.charge(3, livemode: true),
                PipelineFixture.charge(2, type: "charge.captured"),
            ]
            for body in bodies {
                _ = try await opened.append(
                    PipelineFixture.letter(
                        body.utf8, topic: "webhook", stage: "gate", reason: "too_deep"),
                    to: .deadLetter)
            }
            _ = try await opened.append(
                PipelineFixture.received(PipelineFixture.charge(2), event: "evt_2"),
                to: .webhookReceived)
            let first = try await fixture.redriver(opened).redrive(RedriveRequest())
            #expect(
                first.lines.map(\.result)
                    == [.admitted, .duplicate, .stillRefused, .stillRefused, .stillRefused])
            #expect(first.lines[3].detail.hasPrefix("livemode_mismatch"))
            #expect(first.lines[4].detail.hasPrefix("conflicting_event"))
            let again = try await fixture.redriver(opened).redrive(RedriveRequest())
            #expect(again.lines.map(\.result) == [.stillRefused, .stillRefused, .stillRefused])
            try await fixture.process(opened)
            #expect(try opened.records(.webhookReceived).count == 2)
            #expect(try opened.bookedCount() == 2)
            let list = LetterList(
                view: LogView(log: opened.log, topics: opened.topics, ledger: opened.ledger))
            #expect(
                try list.page(after: nil, limit: 9).lines.map(\.state)
                    == [.passed, .duplicate, .notRedriven, .notRedriven, .notRedriven])
        }
    }

    @Test(
        "a request that is not understood is refused by its field",
        arguments: [
            (#"{"offset":[1]}"#, "offset"), (#"{"offsets":"1"}"#, "offsets"),
            (#"{"offsets":[-1]}"#, "offsets"), (#"{"dry_run":1}"#, "dry_run"),
            (#"{"reason":1}"#, "reason"),
        ])
    func badRequests(body: String, field: String) {
        #expect(throws: RecordCodecError.field(field)) {
            try RedriveRequest.decode(Array(body.utf8))
        }
    }

    @Test("a request that says a member twice is refused: it may have meant fewer letters")
    func repeatedMember() {
        #expect(throws: RecordCodecError.repeated("offsets")) {
            try RedriveRequest.decode(Array(#"{"offsets":[1],"offsets":[1,2]}"#.utf8))
        }
    }

    @Test("a request reads back as it was written")
    func roundTrip() throws {
        let request = RedriveRequest(
            reason: "not_json", letters: [.letter(Offset(1)), .letter(Offset(9))], isDryRun: true,
            after: .letter(Offset(4)))
        let back = try RedriveRequest.decode(request.encoded(dataPath: "/data"))
        #expect(back.request == request)
        #expect(back.dataPath == "/data")
    }
}
