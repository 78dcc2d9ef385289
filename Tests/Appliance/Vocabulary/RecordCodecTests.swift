import AppendLog
import Testing

@testable import Appliance
@testable import Vocabulary

@Suite("Record codecs")
struct RecordCodecTests {
    private static let event = PaymentEvent(
        eventID: EventID("evt_1"), kind: .payment, objectID: "ch_1",
        movement: MovementKey("charge:ch_1"), amount: MinorUnits(1099),
        currency: Currency("usd").unsafelyUnwrapped, created: Instant(seconds: 1_700_000_000),
        livemode: false, account: nil, merchant: MerchantID("default"), customer: "cus_1",
        card: "AOB934RVNwzk6xtn", cardCountry: "US", country: "DE", device: nil,
        outcome: "authorized", balanceTransaction: "txn_1", related: nil, fee: .zero)

    private static let eventJSON =
        #""event_id":"evt_1","kind":"payment","object_id":"ch_1","movement":"charge:ch_1","#
        + #""amount":1099,"currency":"usd","created":1700000000,"livemode":false,"#
        + #""account":null,"merchant":"default","customer":"cus_1","card":"AOB934RVNwzk6xtn","#
        + #""card_country":"US","country":"DE","device":null,"outcome":"authorized","#
        + #""balance_transaction":"txn_1","related":null,"fee":0"#

    private static let reasons: [VerdictReason] = [
        .rule("features_missing"),
        .feature(name: "tx_velocity_1m", value: 14, contribution: 1.23),
    ]

    private static let reasonsJSON =
        #"[{"rule":"features_missing"},"#
        + #"{"feature":"tx_velocity_1m","value":14,"contribution":1.23}]"#

    private func text(_ record: some JSONRecord) -> String {
        String(decoding: record.encoded(), as: UTF8.self)
    }

    @Test("a payment event's keys stand in the contract's order")
    func paymentEvent() {
        #expect(text(Self.event) == "{\(Self.eventJSON)}")
    }

    @Test("a scored payment is its event's keys and the verdict's behind them")
    func scoredPayment() {
        let scored = ScoredPayment(
            event: Self.event, verdict: .manualReview, score: 0.5, reasons: Self.reasons,
            model: "2026-11-01", featuresAsOf: Instant(seconds: 1_700_000_000))
        let expected =
            #"{\#(Self.eventJSON),"verdict":"manual_review","score":0.5,"#
            + #""reasons":\#(Self.reasonsJSON),"model":"2026-11-01","features_as_of":1700000000}"#
        #expect(text(scored) == expected)
    }

    @Test("a review's keys stand in the contract's order")
    func review() {
        let review = ReviewRecord(
            movement: MovementKey("charge:ch_1"), state: .opened, reasons: Self.reasons,
            score: nil, by: "scoring", at: Instant(seconds: 5), note: nil)
        let expected =
            #"{"movement":"charge:ch_1","state":"opened","reasons":\#(Self.reasonsJSON),"#
            + #""score":null,"by":"scoring","at":5,"note":null}"#
        #expect(text(review) == expected)
    }

    @Test("features keep their order, and whole numbers are written as such")
    func features() {
        let record = FeaturesRecord(
            eventID: EventID("evt_1"), objectID: "ch_1", schemaVersion: "1",
            vector: FeatureVector(
                values: [1, 2, -0.5, 0.1, 0, 1, 3, -1], asOf: Instant(seconds: 9)))
        #expect(
            text(record) == #"{"event_id":"evt_1","object_id":"ch_1","as_of":9,"schema":"1","#
                + #""values":[1,2,-0.5,0.1,0,1,3,-1]}"#)
    }

    @Test("a ledger record's keys stand in the contract's order")
    func ledgerPosted() throws {
        let usd = try #require(Currency("usd"))
        let posted = LedgerPosted(
            id: 7, movement: MovementKey("charge:ch_1"), eventID: EventID("evt_1"),
            kind: "payment", effectiveAt: Instant(seconds: 1), postedAt: Instant(seconds: 2),
            entries: [
                .init(account: "processor:stripe", currency: usd, amount: MinorUnits(5)),
                .init(account: "merchant:m:payable", currency: usd, amount: MinorUnits(-5)),
            ], hash: "00ff")
        #expect(
            text(posted) == #"{"id":7,"movement":"charge:ch_1","event_id":"evt_1","#
                + #""kind":"payment","effective_at":1,"posted_at":2,"entries":["#
                + #"{"account":"processor:stripe","currency":"usd","amount":5},"#
                + #"{"account":"merchant:m:payable","currency":"usd","amount":-5}],"#
                + #""hash":"00ff"}"#)
        #expect(try LedgerPosted(posted.encoded(), using: JSONDocument()) == posted)
    }

    @Test("any record reads back as it was written")
    func roundTrip() throws {
        var random = RecordGenerator(seed: 3)
        let document = JSONDocument()
        for _ in 0..<2000 {
            let event = random.paymentEvent()
            try #require(try PaymentEvent(event.encoded(), using: document) == event)
            let scored = random.scoredPayment(of: event)
            try #require(try ScoredPayment(scored.encoded(), using: document) == scored)
            let review = random.review()
            try #require(try ReviewRecord(review.encoded(), using: document) == review)
            let features = random.features()
            try #require(try FeaturesRecord(features.encoded(), using: document) == features)
            let posted = random.ledgerPosted()
            try #require(try LedgerPosted(posted.encoded(), using: document) == posted)
        }
    }

    @Test(
        "a field that is missing or wrong is named",
        arguments: [
            (#""amount":1099"#, #""amount":-1"#, "amount"),
            (#""amount":1099"#, #""amount":10.99"#, "amount"),
            (#""amount":1099"#, #""amount":1099.0"#, "amount"),
            (#""kind":"payment""#, #""kind":"gift""#, "kind"),
            (#""currency":"usd""#, #""currency":"USD""#, "currency"),
            (#""event_id":"evt_1","#, "", "event_id"),
            (#""customer":"cus_1""#, #""customer":5"#, "customer"),
            (#""livemode":false"#, #""livemode":null"#, "livemode"),
            (#","fee":0"#, "", "fee"),
        ])
    func refusals(original: String, replacement: String, field: String) throws {
        let json = "{\(Self.eventJSON)}"
        let range = try #require(json.firstRange(of: original))
        let broken = json.replacingCharacters(range, with: replacement)
        #expect(throws: RecordCodecError.field(field)) {
            try PaymentEvent(Array(broken.utf8), using: JSONDocument())
        }
    }

    @Test("what is no object, or no JSON, is refused as such")
    func notAnObject() {
        #expect(throws: RecordCodecError.notAnObject) {
            try PaymentEvent(Array("[]".utf8), using: JSONDocument())
        }
        #expect(throws: RecordCodecError.notJSON(.malformed)) {
            try PaymentEvent(Array("{".utf8), using: JSONDocument())
        }
    }

    @Test("eight finite values are required", arguments: ["[]", "[1]", "[1,2,3,4,5,6,7,1e300]"])
    func featureCount(values: String) {
        let json =
            #"{"event_id":"e","object_id":"c","as_of":1,"schema":"1","values":\#(values)}"#
        #expect(throws: RecordCodecError.field("values")) {
            try FeaturesRecord(Array(json.utf8), using: JSONDocument())
        }
    }
}

extension String {
    fileprivate func replacingCharacters(_ range: Range<Index>, with other: String) -> String {
        String(self[..<range.lowerBound]) + other + String(self[range.upperBound...])
    }
}

/// Random but well-formed records.
private struct RecordGenerator {
    private var random: SeededGenerator

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    mutating func text() -> String {
        let alphabet = Array("abcXYZ019_:é\"\\\n😀")
        let count = Int.random(in: 0...20, using: &random)
        return String((0..<count).map { _ in alphabet.randomElement(using: &random) ?? "a" })
    }

    mutating func maybeText() -> String? { Bool.random(using: &random) ? text() : nil }

    mutating func currency() -> Currency {
        Currency(["usd", "jpy", "bhd"].randomElement(using: &random) ?? "usd").unsafelyUnwrapped
    }

    mutating func instant() -> Instant {
        Instant(seconds: Int64.random(in: 0...4_000_000_000, using: &random))
    }

    mutating func paymentEvent() -> PaymentEvent {
        PaymentEvent(
            eventID: EventID(text()),
            kind: PaymentKind.allCases.randomElement(using: &random) ?? .payment,
            objectID: text(), movement: MovementKey(text()),
            amount: MinorUnits(Int64.random(in: 0...Int64.max, using: &random)),
            currency: currency(), created: instant(), livemode: Bool.random(using: &random),
            account: maybeText(), merchant: MerchantID(text()), customer: maybeText(),
            card: maybeText(), cardCountry: maybeText(), country: maybeText(),
            device: maybeText(), outcome: maybeText(), balanceTransaction: maybeText(),
            related: maybeText(),
            fee: MinorUnits(Int64.random(in: Int64.min...Int64.max, using: &random)))
    }

    mutating func reasons() -> [VerdictReason] {
        (0..<Int.random(in: 0...3, using: &random)).map { _ in
            Bool.random(using: &random)
                ? .rule(text())
                : .feature(
                    name: text(), value: Double.random(in: -1e6...1e6, using: &random),
                    contribution: Double.random(in: -10...10, using: &random))
        }
    }

    mutating func score() -> Double? {
        Bool.random(using: &random) ? Double.random(in: 0...1, using: &random) : nil
    }

    mutating func scoredPayment(of event: PaymentEvent) -> ScoredPayment {
        let verdicts: [Verdict] = [.notScored, .approve, .manualReview, .block]
        return ScoredPayment(
            event: event, verdict: verdicts.randomElement(using: &random) ?? .approve,
            score: score(), reasons: reasons(), model: maybeText(),
            featuresAsOf: Bool.random(using: &random) ? instant() : nil)
    }

    mutating func review() -> ReviewRecord {
        let states: [ReviewState] = [.opened, .approved, .declined, .expired]
        return ReviewRecord(
            movement: MovementKey("charge:\(text())"),
            state: states.randomElement(using: &random) ?? .opened, reasons: reasons(),
            score: score(), by: text(), at: instant(), note: maybeText())
    }

    mutating func features() -> FeaturesRecord {
        let values = (0..<FeatureVector.count).map { _ in
            Float.random(in: -1000...1000, using: &random)
        }
        return FeaturesRecord(
            eventID: EventID(text()), objectID: text(), schemaVersion: text(),
            vector: FeatureVector(values: values, asOf: instant()))
    }

    mutating func ledgerPosted() -> LedgerPosted {
        LedgerPosted(
            id: Int64.random(in: 1...Int64.max, using: &random), movement: MovementKey(text()),
            eventID: EventID(text()), kind: text(), effectiveAt: instant(),
            postedAt: instant(),
            entries: (0..<Int.random(in: 0...4, using: &random)).map { _ in
                .init(
                    account: text(), currency: currency(),
                    amount: MinorUnits(Int64.random(in: -1_000_000...1_000_000, using: &random)))
            }, hash: text())
    }
}
