import AppendLog
import Bridges
import Testing

@testable import Appliance
@testable import Daemon
@testable import Vocabulary

@Suite("Redriving an edited dead letter")
struct RedriveEditTests {
    private static let broken = PipelineFixture.charge(1)
        .replacing("\"currency\":\"usd\"", with: "\"currency\":\"dollars\"")

    /// A folder with one letter of a stage that reads `topic`.
    private func letter(
        _ value: some Collection<UInt8>, topic: String, event: String = "evt_1"
    ) async throws -> PipelineFixture {
        let fixture = try PipelineFixture()
        try await fixture.opened { opened in
            let offset = try await opened.append(
                PipelineFixture.received("{}", event: event), to: .webhookReceived)
            _ = try await opened.append(
                PipelineFixture.letter(
                    value, topic: topic,
                    offset: topic == TopicID.webhookReceived.rawValue ? offset : nil,
                    event: event), to: .deadLetter)
        }
        return fixture
    }

    private func edited(_ text: String, isDryRun: Bool = false) -> RedriveRequest {
        RedriveRequest(
            letters: [.letter(.zero)], isDryRun: isDryRun,
            edit: RedriveEdit(value: Array(text.utf8), by: "ada"))
    }

    @Test("the edited value is judged, goes back once, and says what it was made from")
    func goesBack() async throws {
        let fixture = try await letter(Self.broken.utf8, topic: "webhook.received")
        let body = PipelineFixture.charge(1, amount: 700)
        try await fixture.opened { opened in
            let redriver = try fixture.redriver(opened)
            let plain = try await redriver.redrive(
                RedriveRequest(letters: [.letter(.zero)], isDryRun: true))
            #expect(plain.lines.map(\.result) == [.stillRefused])
            let dry = try await redriver.redrive(edited(body, isDryRun: true))
            #expect(dry.lines.map(\.result) == [.wouldSend])
            #expect(dry.lines.first?.detail.contains("charge:ch_1") == true)
            #expect(try opened.records(.deadLetter).count == 1, "a dry run writes nothing")
            for expected in [RedriveLine.Result.sent, .alreadyRedriven] {
                let answer = try await redriver.redrive(edited(body))
                #expect(answer.lines.map(\.result) == [expected])
            }
        }
        try await fixture.process()
        try await fixture.opened { opened in
            #expect(try opened.bookedCount() == 1)
            let letter = try #require(try opened.records(.deadLetter).first)
            #expect(letter.record.value?.elementsEqual(Self.broken.utf8) == true, "it stays")
            let back = try #require(
                try opened.records(.webhookReceived).last { $0.record.text("redriven-from") != nil }
            ).record
            #expect(back.value?.elementsEqual(body.utf8) == true)
            #expect(RedriveEdit.author(of: back) == "ada")
            #expect(back.text("edited-from") == "dead.letter/0")
            let hash = String(hex: SHA256.digest(Array(Self.broken.utf8)[...]))
            #expect(back.text("edited-sha256") == hash)
            #expect(back.header("signature") == nil, "Stripe has not signed these bytes")
            #expect(back.text("endpoint") == RedriveStage.name)
        }
    }

    @Test("an edit decides nothing in another's place")
    func refused() async throws {
        let other = PipelineFixture.charge(2)
        let webhook = try await letter(Self.broken.utf8, topic: "webhook.received")
        let decision = PipelineFixture.decision(1, .declined)
        let review = try await letter(decision.value ?? [], topic: "payment.review")
        let features = try await letter(Array("{}".utf8), topic: "payment.features")
        let cases = [
            (webhook, other, "edit_names_another_event"),
            (review, "{}", "edit_of_a_decision"),
            (features, "{}", "edit_of_features"),
        ]
        for (fixture, text, code) in cases {
            try await fixture.opened { opened in
                let redriver = try fixture.redriver(opened)
                for isDryRun in [true, false] {
                    let line = try #require(
                        try await redriver.redrive(edited(text, isDryRun: isDryRun)).lines.first)
                    #expect(line.result == .stillRefused, "\(code)")
                    #expect(line.detail.hasPrefix(code), "\(line.detail)")
                }
            }
        }
    }

    @Test("a scored payment is not approved by an edit")
    func approval() async throws {
        let dollar = try #require(Currency("usd"))
        let fixture = try PipelineFixture { $0.amountLimits = [dollar: MinorUnits(1)] }
        try await fixture.opened { opened in
            _ = try await opened.append(
                PipelineFixture.received(PipelineFixture.charge(1), event: "evt_1"),
                to: .webhookReceived)
            try await fixture.process(opened)
            let held = try #require(try opened.records(.paymentScored).first?.record.value)
            _ = try await opened.append(
                PipelineFixture.letter(held, topic: "payment.scored", event: "evt_1"),
                to: .deadLetter)
            let document = JSONDocument()
            var approved = try ScoredPayment(held, using: document)
            #expect(approved.verdict == .manualReview)
            approved.verdict = .approve
            let text = String(decoding: approved.encoded(), as: UTF8.self)
            let line = try #require(
                try await fixture.redriver(opened).redrive(edited(text)).lines.first)
            #expect(line.result == .stillRefused)
            #expect(line.detail.hasPrefix("edit_approves"), "\(line.detail)")
        }
    }

    @Test("an edit without its one letter, or of too many bytes, is no request", arguments: [
        #"{"value":"{}"}"#, #"{"value":"{}","offsets":[1,2]}"#,
        #"{"value":"{}","offsets":[1],"after":0}"#,
        #"{"offsets":[1],"value":"\#(String(repeating: "x", count: 32_769))"}"#,
    ])
    func bounds(body: String) {
        #expect(throws: RecordCodecError.self) { try RedriveRequest.decode(Array(body.utf8)) }
    }

    @Test("a request with an edit reads back as it was written")
    func roundTrip() throws {
        let request = edited("{\"a\":\"ü\\n\"}")
        #expect(try RedriveRequest.decode(request.encoded(dataPath: "/d")).request == request)
    }
}
