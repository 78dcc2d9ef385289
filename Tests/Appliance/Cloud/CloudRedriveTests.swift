import AppendLog
import Bridges
import TestSupport
import Testing

@testable import Appliance
@testable import Cloud
@testable import Daemon
@testable import Vocabulary

/// Dead letters at Kafka sent back: which ones, to where, and what stays.
@Suite("Redriving dead letters of the cloud plane", .serialized, .timeLimit(.minutes(4)))
struct CloudRedriveTests {
    @Test("a letter of each topic goes back to it once, from three partitions; the rest stays")
    func eachTopic() async throws {
        let cloud = try await CloudFixture.ofLetters()
        try await cloud.refuseCharges(9)
        try await cloud.refuse(Given.scoredBytes("ch_20"), in: .paymentScored, key: "charge:ch_20")
        let decision = PipelineFixture.decision(21, .approved)
        try await cloud.refuse(
            Array(decision.value ?? []), in: .paymentReview, key: "charge:ch_21",
            reason: "record_malformed")
        let vector = FeaturesRecord(
            eventID: EventID("evt_22"), objectID: "ch_22", schemaVersion: "1",
            vector: FeatureVector(
                values: [1, 2, -0.5, 0.1, 0, 1, 3, -1], asOf: Instant(seconds: 9)))
        try await cloud.refuse(vector.encoded(), in: .paymentFeatures, key: "cus_22")
        try await cloud.refuseDelivery(PipelineFixture.charge(30))
        // None of these would be taken now either.
        try await cloud.refuseDelivery("not JSON")
        try await cloud.refuse(
            Given.event(.payment, "ch_23").encoded(), in: .paymentValidated, key: "cus_23")
        try await cloud.refuse(Array("{}".utf8), in: .webhookReceived, key: "evt_24")

        let before = try await cloud.counts()
        let dry = try await cloud.redrive(RedriveRequest(isDryRun: true))
        #expect(RedriveLine.results(dry) == ["would_send": 13, "still_refused": 3])
        #expect(Set(dry.map(\.letter.partition)) == [0, 1, 2])
        #expect(dry.map(\.letter) == dry.map(\.letter).sorted())
        #expect(try await cloud.counts() == before, "a dry run writes nothing")

        let real = try await cloud.redrive()
        #expect(RedriveLine.results(real) == ["sent": 12, "admitted": 1, "still_refused": 3])
        let details = real.filter { $0.result == .stillRefused }.map(\.detail)
        #expect(details.contains("unknown_topic: nothing reads the topic payment.validated"))
        try await expectOnce(cloud, sent: real)

        #expect(RedriveLine.results(try await cloud.redrive()) == ["still_refused": 3])
        let gone = real.filter { $0.result.goes }.map(\.letter)
        let again = try await cloud.redrive(
            RedriveRequest(letters: gone + [.letter(Offset(7), partition: 9)]))
        #expect(RedriveLine.results(again) == ["already_redriven": 13, "not_found": 1])
        try await expectOnce(cloud, sent: real)
    }

    /// Each letter that went has one order and one record, with what its step needs.
    private func expectOnce(_ cloud: CloudFixture, sent lines: [RedriveLine]) async throws {
        let gone = lines.filter { $0.result.goes }.map { RedriveHeader.origin($0.letter) }
        #expect(try await cloud.orders().sorted() == gone.sorted())
        let copies = try await cloud.copies()
        #expect(
            copies.mapValues(\.count)
                == [
                    .webhookReceived: 10, .paymentScored: 1, .paymentReview: 1,
                    .paymentFeatures: 1,
                ])
        let all = copies.values.flatMap { $0 }
        #expect(all.compactMap { $0.text(RedriveHeader.from) }.sorted() == gone.sorted())
        for record in all where record.text("endpoint") != RedriveStage.name {
            let letter = try #require(RedriveHeader.letter(of: record))
            #expect(record.headers.filter { $0.name == SourceHeader.name }.count == 1)
            #expect(SourceHeader.place(in: record) == letter)
            #expect(record.text(SourcedRecord.headerName) == "-1")
            #expect(record.header(RedriveHeader.to) == nil)
            #expect(record.text("signature") == "t=1,v1=aa", "headers come along")
            #expect(record.text("schema") != "dead.letter.order/1")
        }
    }

    @Test("only letters of the reason go back, or those that were named")
    func filters() async throws {
        let cloud = try await CloudFixture.ofLetters(partitions: 2)
        for (number, reason) in [(1, "bad_id"), (2, "bad_amount"), (3, "bad_id")] {
            try await cloud.refuse(
                Array(PipelineFixture.charge(number).utf8), in: .webhookReceived,
                key: "evt_\(number)", reason: reason)
        }
        let some = try await cloud.redrive(RedriveRequest(reason: "bad_id"))
        #expect(some.map(\.reason) == ["bad_id", "bad_id"])
        let rest = try await cloud.redrive(RedriveRequest(isDryRun: true))
        #expect(rest.map(\.reason) == ["bad_amount"])
        let named = try await cloud.redrive(RedriveRequest(letters: rest.map(\.letter)))
        #expect(named.map(\.result) == [.sent])
        let place = rest[0].letter
        let shown = try await cloud.plane.letter(place)
        #expect(shown.map { Array($0.value) } == Array(PipelineFixture.charge(2).utf8))
        #expect(try await cloud.plane.letter(.letter(.zero, partition: 2)) == nil)
    }

    @Test("more letters than a request takes go back page by page, partition by partition")
    func pages() async throws {
        let cloud = try await CloudFixture.ofLetters()
        let count = RedriveLimits.requestCountMax + 200
        let letters = (1...count).map {
            PipelineFixture.letter(
                PipelineFixture.charge($0).utf8, topic: "webhook.received", event: "evt_\($0)")
        }
        try await KafkaLetters(cloud.producer, names: cloud.plane.names).keep(letters)
        let sent = try await cloud.redrive()
        #expect(RedriveLine.results(sent) == ["sent": count])
        #expect(Set(sent.map(\.letter)).count == count)
        #expect(Set(sent.map(\.letter.partition)) == [0, 1, 2])
        #expect(try await cloud.copies()[.webhookReceived]?.count == count)
        #expect(try await cloud.redrive().isEmpty)
    }

    @Test("what is too large for where it goes stays, with a sentence; the others go")
    func tooLarge() async throws {
        let cloud = try await CloudFixture.ofLetters()
        try await cloud.refuseCharges(6)
        // With the headers of what failed it is larger than its letter is.
        let large = try await cloud.refuse(
            Array((PipelineFixture.charge(7) + Self.spaces(3 << 18)).utf8), in: .webhookReceived,
            key: "evt_7", headers: [RecordHeader("signature", Self.spaces(3 << 19))])
        // Its long id is not in the letter's key, and will be in the record's.
        let id = "evt_" + String(repeating: "8", count: 200)
        let body = PipelineFixture.charge(8).replacing("evt_8", with: id)
        try await cloud.refuseDelivery(body + Self.spaces((2 << 20) - 300 - body.utf8.count))
        try await cloud.refuseDelivery(PipelineFixture.charge(9))

        // A dry run foretells which.
        let foretold = try await cloud.redrive(RedriveRequest(isDryRun: true))
        #expect(RedriveLine.results(foretold) == ["would_send": 7, "still_refused": 2])
        let lines = try await cloud.redrive()
        #expect(RedriveLine.results(lines) == ["sent": 6, "admitted": 1, "still_refused": 2])
        let stays = { (lines: [RedriveLine]) in
            Set(lines.filter { $0.detail.hasPrefix("record_too_large: ") }.map(\.letter))
        }
        #expect(stays(foretold) == stays(lines) && stays(lines).count == 2)
        let topic = cloud.plane.names.topic(.webhookReceived)
        for line in lines where line.result == .stillRefused {
            #expect(line.detail.hasPrefix("record_too_large: "), "\(line.detail)")
            #expect(line.detail.contains("too large for the Kafka topic \(topic)"))
            #expect(line.detail.contains("2097152 bytes are allowed"), "\(line.detail)")
            let show = "`tillbox dead-letter show \(line.letter.letterName)`"
            #expect(line.detail.hasSuffix(show), "\(line.detail)")
        }
        #expect(lines.first { $0.letter == large }?.result == .stillRefused)
        #expect(try await cloud.copies()[.webhookReceived]?.count == 7)
        #expect(try await cloud.orders().count == 7)
        // It stays, and is told of each time.
        #expect(RedriveLine.results(try await cloud.redrive()) == ["still_refused": 2])
    }

    @Test("what a lowered bound keeps out says what to set, and goes when that is done")
    func loweredBound() async throws {
        let cloud = try await CloudFixture.ofLetters()
        let topic = cloud.plane.names.topic(.webhookReceived)
        try await cloud.refuseCharges(3)
        // Letters that no codec makes smaller.
        let signature = String((0..<50_000).map { _ in "0123456789abcdef".randomElement() ?? "0" })
        try await cloud.refuse(
            Array(PipelineFixture.charge(4).utf8), in: .webhookReceived, key: "evt_4",
            headers: [RecordHeader("signature", signature)])
        let broker = try await CloudFixture.letterBroker()
        let lines = try await cloud.plane.redriving(isDryRun: false) { redriver in
            // Behind the look at the topics that a redrive begins with.
            try await broker.bound(topic, bytes: 20_000)
            return try await redriver.redrive(RedriveRequest()).lines
        }
        #expect(RedriveLine.results(lines) == ["sent": 3, "still_refused": 1])
        let detail = lines.first { $0.result == .stillRefused }?.detail ?? ""
        #expect(detail.contains("where 20000 bytes are allowed"), "\(detail)")
        #expect(detail.contains("set max.message.bytes=2097152 there"), "\(detail)")
        try await broker.bound(topic, bytes: 2 << 20)
        #expect(RedriveLine.results(try await cloud.redrive()) == ["sent": 1])
        #expect(try await cloud.copies()[.webhookReceived]?.count == 4)
    }

    private static func spaces(_ count: Int) -> String { String(repeating: " ", count: count) }
}
