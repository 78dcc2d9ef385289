import AppendLog
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Appliance
@testable import Daemon
@testable import Vocabulary

@Suite("The review desk")
struct ReviewDeskTests {
    /// `payment.review` as a ledger reads it that is always right behind, until it is told to halt.
    private final class Decisions: DecisionLog {
        struct State {
            var records: [Record] = []
            var isHalted = false
            /// Considered before the next decision, as if somebody else had written it.
            var intruder: LedgerInput?
            /// Done while the next decision is on its way.
            var meanwhile: (@Sendable () async -> Void)?
        }
        private let state = Mutex(State())
        let ledger: SQLiteLedger

        init(_ ledger: SQLiteLedger) { self.ledger = ledger }

        func end(of movement: MovementKey) -> SourcePlace? {
            SourcePlace(
                topic: .paymentReview, offset: Offset(state.withLock { Int64($0.records.count) }))
        }
        var count: Int { state.withLock { $0.records.count } }

        func change(_ body: (inout State) -> Void) { state.withLock { body(&$0) } }

        func append(_ decision: Record) async throws -> SourcePlace {
            let meanwhile = state.withLock { state in
                defer { state.meanwhile = nil }
                return state.meanwhile
            }
            await meanwhile?()
            let (place, isHalted, intruder) = state.withLock { state in
                state.records.append(decision)
                defer { state.intruder = nil }
                return (Int64(state.records.count - 1), state.isHalted, state.intruder)
            }
            if let intruder { _ = try ledger.post([intruder]) }
            let record = try ReviewRecord(decision.value ?? [], using: JSONDocument())
            if !isHalted {
                _ = try ledger.post(
                    [.review(record)],
                    positions: [ConsumerPosition(topic: "payment.review", nextOffset: place + 1)],
                    places: [0: DecisionPlace(decision: place, scoredNext: 0)])
            }
            return SourcePlace(topic: .paymentReview, offset: Offset(place))
        }
    }

    private func desk(
        _ inputs: LedgerInput..., waitMilliseconds: Int = 10_000
    ) throws -> (ReviewDesk, Decisions) {
        let ledger = try SQLiteLedger.inMemory()
        _ = try ledger.post(inputs)
        let decisions = Decisions(ledger)
        return (
            ReviewDesk(
                decisions: decisions, ledger: ledger, clock: SystemLogClock(),
                waitMilliseconds: waitMilliseconds), decisions
        )
    }

    private func request(
        _ decision: ReviewRequest.Decision, by: String = "ada"
    ) throws -> ReviewRequest {
        try ReviewRequest(decision, by: by, note: "seen the customer")
    }

    @Test("moves the money where the decision says", arguments: ReviewRequest.Decision.allCases)
    func decides(decision: ReviewRequest.Decision) async throws {
        let (desk, decisions) = try desk(Given.payment("ch_1", .block))
        let answer = try await desk.decide("ch_1", try request(decision))
        #expect(answer.isBooked)
        #expect(answer.review.state.rawValue == decision.state.rawValue)
        #expect(answer.review.decision?.by == "ada")
        #expect(answer.review.decision?.note == "seen the customer")
        let place = decision == .approve ? "payable" : "refund_due"
        #expect(try decisions.ledger.standing()["merchant:acct_1:\(place) usd"] == -1000)
        #expect(try decisions.ledger.standing()["merchant:acct_1:held usd"] == nil)
        #expect(try decisions.ledger.verify().fault == nil)
    }

    @Test("of two decisions at once the first wins, and the other is told who is deciding")
    func twoAtOnce() async throws {
        let (desk, decisions) = try desk(Given.payment("ch_1", .block), waitMilliseconds: 200)
        decisions.change { state in
            state.meanwhile = {
                await #expect(
                    throws: ReviewRefusal.beingTaken(MovementKey("charge:ch_1"), by: "ada")
                ) {
                    try await desk.decide(
                        "charge:ch_1", try ReviewRequest(.decline, by: "bob", note: "odd"))
                }
            }
        }
        #expect(try await desk.decide("ch_1", try request(.approve)).isBooked)
        let refusal = await #expect(throws: ReviewRefusal.self) {
            try await desk.decide("ch_1", try request(.decline, by: "bob"))
        }
        #expect(refusal?.message.contains("ada approved it at") == true)
        #expect(refusal?.message.contains("seen the customer") == true)
        #expect(decisions.count == 1)
    }

    @Test("nobody is told that a decision stands of which nothing is written")
    func onlyClaimed() async throws {
        let (desk, decisions) = try desk(
            Given.payment("ch_1", .block), Given.payment("ch_2", .block), waitMilliseconds: 100)
        decisions.change { $0.isHalted = true }
        #expect(try await !desk.decide("ch_1", try request(.approve)).isBooked)
        // The ledger stands still, so that whoever comes first waits unwritten.
        async let ada = Self.refusal(desk, try request(.approve))
        async let bob = Self.refusal(desk, try request(.decline, by: "bob"))
        for refusal in try await [ada, bob] {
            switch refusal {
            case .beingTaken, .ledgerBehind: #expect(!ReviewRefusal.isAnswer(refusal?.code))
            default: Issue.record("\(String(describing: refusal))")
            }
        }
        #expect(decisions.count == 1)
    }

    private static func refusal(
        _ desk: ReviewDesk, _ request: ReviewRequest
    ) async throws -> ReviewRefusal? {
        do {
            _ = try await desk.decide("ch_2", request)
            return nil
        } catch let refusal as ReviewRefusal {
            return refusal
        }
    }

    @Test("what is written and not booked yet is told as decided, and by whom")
    func written() async throws {
        let (desk, decisions) = try desk(Given.payment("ch_1", .block))
        decisions.change { $0.isHalted = true }
        async let ada = desk.decide("ch_1", try request(.approve))
        try await eventually("it is written") { decisions.count == 1 }
        await #expect(throws: ReviewRefusal.beingDecided(MovementKey("charge:ch_1"), by: "ada")) {
            try await desk.decide("ch_1", try request(.decline, by: "bob"))
        }
        _ = try decisions.ledger.post(
            [Given.review("ch_1", .approved)],
            positions: [ConsumerPosition(topic: "payment.review", nextOffset: 1)],
            places: [0: DecisionPlace(decision: 0, scoredNext: 0)])
        #expect(try await ada.isBooked)
    }

    @Test("a decision of somebody else that the ledger considers first is named")
    func intruder() async throws {
        let (desk, decisions) = try desk(Given.payment("ch_1", .block))
        decisions.change { $0.intruder = Given.review("ch_1", .declined, by: "eve") }
        let refusal = await #expect(throws: ReviewRefusal.self) {
            try await desk.decide("ch_1", try request(.approve))
        }
        guard case .closed(let review)? = refusal else {
            Issue.record("\(String(describing: refusal))")
            return
        }
        #expect(review.state == .declined)
    }

    @Test("what is not under review is not decided, and nothing is written")
    func notOpen() async throws {
        let (desk, decisions) = try desk(
            Given.payment("ch_payable", .approve),
            Given.payment("ch_released", .manualReview, known: false, id: "evt_pi"),
            Given.payment("ch_released", .approve))
        for id in ["ch_unknown", "ch_payable", "payout:po"] {
            await #expect(throws: ReviewRefusal.unknown(id)) {
                try await desk.decide(id, try request(.approve))
            }
        }
        let refusal = await #expect(throws: ReviewRefusal.self) {
            try await desk.decide("ch_released", try request(.approve))
        }
        #expect(refusal?.message.contains("better informed") == true)
        #expect(decisions.count == 0)
    }

    @Test("a ledger that is behind books it later, and takes no second decision meanwhile")
    func behind() async throws {
        let (desk, decisions) = try desk(Given.payment("ch_1", .block), waitMilliseconds: 20)
        decisions.change { $0.isHalted = true }
        let answer = try await desk.decide("ch_1", try request(.approve))
        #expect(!answer.isBooked && answer.review.state == .open)
        await #expect(throws: ReviewRefusal.ledgerBehind) {
            try await desk.decide("ch_1", try request(.decline))
        }
        #expect(decisions.count == 1)
    }

    @Test(
        "a request without a name or a reason is refused",
        arguments: [
            ("", "why"), ("scoring", "why"), ("ada", " \n"), ("ada", ""), (" ", "why"),
            (" scoring\t", "why"), ("expiry", "why"), ("Expiry ", "why"), ("DAEMON", "why"),
            ("Scoring", "why"), ("sco\u{AD}ring", "why"),
            ("scoring\u{0}x", "why"), ("ada\u{1B}[2K", "why"), ("ada\nbob", "why"),
            ("ada\u{A0}b", "why"), ("\u{3164}", "why"), ("ada", "w\u{0}hy"),
            ("ada", "\u{1B}[1A"), ("ada", "\u{200B}"),
        ])
    func badRequest(by: String, note: String) {
        #expect(throws: ReviewRefusal.self) {
            try ReviewRequest(.approve, by: by, note: note)
        }
    }

    @Test("a name is kept without the spaces around it")
    func trimmed() throws {
        let request = try ReviewRequest(.approve, by: " Ada Lovelace\n", note: "why")
        #expect(request.by == "Ada Lovelace")
    }

    @Test("what is shown of names and notes of any release stays on its line")
    func shown() async throws {
        let (desk, decisions) = try desk(Given.payment("ch_1", .block))
        _ = try decisions.ledger.post(
            [Given.review("ch_1", .declined, by: "eve\u{1B}[2K\nstate     approved")],
            positions: [ConsumerPosition(topic: "payment.review", nextOffset: 1)],
            places: [0: DecisionPlace(decision: 0, scoredNext: 0)])
        let refusal = await #expect(throws: ReviewRefusal.self) {
            try await desk.decide("ch_1", try request(.approve))
        }
        #expect(refusal?.message.contains(#"eve\u{1b}[2K\nstate     approved"#) == true)
        #expect(refusal?.message.unicodeScalars.allSatisfy { $0.value >= 0x20 } == true)
    }

    @Test("a name with a NUL is stored and read back whole")
    func wholeNames() async throws {
        let (_, decisions) = try desk(Given.payment("ch_1", .block))
        _ = try decisions.ledger.post(
            [Given.review("ch_1", .declined, by: "eve\u{0}x")],
            positions: [ConsumerPosition(topic: "payment.review", nextOffset: 1)],
            places: [0: DecisionPlace(decision: 0, scoredNext: 0)])
        let review = try decisions.ledger.review(of: MovementKey("charge:ch_1"))
        #expect(review?.decision?.by == "eve\u{0}x")
    }

    @Test("a request and an answer read back as they were written")
    func json() async throws {
        let request = try request(.decline, by: "ada \"the\" first")
        #expect(try ReviewRequest.decode(request.encoded()) == request)
        for (bad, says) in [
            ("", "it is empty"), ("{}", "decision is missing"), ("[]", "it is no object"),
            ("{", "it is not JSON"),
            (#"{"decision":"approve","note":"b"}"#, "by is missing"),
            (#"{"decision":"maybe","by":"a","note":"b"}"#, "decision is missing"),
            (#"{"decision":"approve","decision":"decline","by":"a","note":"b"}"#, "decision twice"),
            (#"{"decision":"approve","by":"a","note":"b","by":"a"}"#, "by twice"),
            (
                #"{"decision":"approve","by":"a","note":"b","z":{"y":1}}"#,
                "z is no member of a decision"
            ),
        ] {
            let refusal = #expect(throws: ReviewRefusal.self) {
                try ReviewRequest.decode(Array(bad.utf8))
            }
            #expect(refusal?.message.contains(says) == true, "\(bad): \(refusal?.message ?? "")")
        }
        let (desk, _) = try desk(Given.payment("ch_1", .block))
        let answer = try await desk.decide("ch_1", request)
        var writer = JSONWriter()
        answer.encode(into: &writer)
        let document = JSONDocument()
        #expect(try ReviewAnswer(json: try document.parse(writer.bytes)) == answer)
    }

    private func waiting(_ opened: PipelineFixture.Opened) throws -> WaitingDecisions {
        try WaitingDecisions(
            in: opened.plane.reader(.paymentReview),
            from: try opened.ledger.position(topic: TopicID.paymentReview.rawValue))
    }

    /// What `review show --json` says of it.
    private func shown(
        _ review: Review, waiting: ReviewRecord?, _ body: (JSONValue) throws -> Void
    ) throws {
        var writer = JSONWriter()
        review.encode(into: &writer, waiting: waiting)
        let document = JSONDocument()
        try withExtendedLifetime(document) { try body(try document.parse(writer.bytes)) }
    }

    @Test("a folder without a daemon takes a decision once, and the next start books it")
    func offline() async throws {
        let fixture = try PipelineFixture { $0.amountLimits = [Given.usd: MinorUnits(500)] }
        try await fixture.opened { opened in
            _ = try await opened.append(
                PipelineFixture.received(PipelineFixture.charge(1), event: "evt_1"),
                to: .webhookReceived)
            try await fixture.process(opened)
            let offline = OfflineDecision(
                decisions: opened.plane.decisions, topic: opened.plane.reader(.paymentReview),
                ledger: opened.ledger, clock: SystemLogClock())
            let answer = try await offline.decide("ch_1", try request(.approve))
            #expect(!answer.isBooked)
            await #expect(
                throws: ReviewRefusal.beingDecided(MovementKey("charge:ch_1"), by: "ada")
            ) { try await offline.decide("ch_1", try request(.decline, by: "bob")) }
            // Whoever looks until then is told what waits, in words and in JSON.
            let review = try #require(
                try opened.ledger.review(of: MovementKey("charge:ch_1")))
            #expect(review.state == .open)
            let decision = try #require(try waiting(opened).decision(on: review))
            #expect(decision.state == .approved && decision.by == "ada")
            try shown(review, waiting: decision) { root in
                #expect(root["state"]?.string == "open")
                #expect(root["waiting"]?["state"]?.string == "approved")
                #expect(root["waiting"]?["note"]?.string == "seen the customer")
            }
            try shown(review, waiting: nil) { #expect($0["waiting"]?.isNull == true) }
            try await fixture.process(opened)
            let booked = try #require(
                try opened.ledger.review(of: MovementKey("charge:ch_1")))
            #expect(try waiting(opened).decision(on: booked) == nil)
            #expect(try opened.ledger.review(of: MovementKey("charge:ch_1"))?.state == .approved)
            await #expect(throws: ReviewRefusal.self) {
                try await offline.decide("ch_1", try request(.decline, by: "bob"))
            }
        }
        let report = try await fixture.replay()
        #expect(report.isEqual, "\(report.differences.listed)")
        #expect(report.reviews == 1 && report.transactions == 2)
    }
}
