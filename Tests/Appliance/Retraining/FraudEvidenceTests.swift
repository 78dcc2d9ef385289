import Testing

@testable import Appliance
@testable import Vocabulary

@Suite("What is known of fraud")
struct FraudEvidenceTests {
    static let opened: Int64 = 1_760_100_000
    static let day: Int64 = 86_400

    /// A dispute's event, one day after the other.
    static func dispute(
        _ charge: String, on day: Int64, reason: String = "fraudulent",
        status: String = "needs_response", type: String = "charge.dispute.created",
        id: String = "dp_1"
    ) -> String {
        let created = opened + day * Self.day
        return """
            {"id":"evt_\(id)_\(day)_\(charge.count)","object":"event","api_version":"2024-06-20",\
            "type":"\(type)","created":\(created),"livemode":false,"data":{"object":{"id":"\(id)",\
            "object":"dispute","amount":1000,"currency":"usd","charge":\(charge),\
            "reason":"\(reason)","status":"\(status)","balance_transactions":[]}}}
            """
    }

    static func warning(_ charge: String, on day: Int64) -> String {
        """
        {"id":"evt_issfr_\(day)","object":"event","api_version":"2024-06-20",\
        "type":"radar.early_fraud_warning.created","created":\(opened + day * Self.day),\
        "livemode":false,"data":{"object":{"id":"issfr_1","object":"radar.early_fraud_warning",\
        "actionable":true,"charge":\(charge),"fraud_type":"made_with_stolen_card"}}}
        """
    }

    static func decision(
        _ state: ReviewState, on day: Int64, by: String = "ada"
    ) -> [UInt8] {
        ReviewRecord(
            movement: MovementKey("charge:ch_1"), state: state, reasons: [], by: by,
            at: Instant(seconds: opened + day * Self.day)
        ).encoded()
    }

    static func payment(objectID: String = "ch_1") throws -> PaymentEvent {
        let usd = try #require(Currency("usd"))
        return PaymentEvent(
            eventID: EventID("evt_1"), kind: .payment, objectID: objectID,
            movement: MovementKey("charge:ch_1"), amount: MinorUnits(1000), currency: usd,
            created: Instant(seconds: opened), livemode: false, merchant: MerchantID("m"),
            fee: .zero)
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var webhooks: [String] = []
        var reviews: [[UInt8]] = []
        /// Days after the payment.
        var asOf: Int64 = 365
        var expected: FraudLabel?
    }

    private static func label(
        _ isFraud: Bool, _ source: FraudLabel.Source, on day: Int64
    ) -> FraudLabel {
        FraudLabel(isFraud: isFraud, source: source, at: Instant(seconds: opened + day * Self.day))
    }

    static let cases: [Case] = [
        Case(testDescription: "nothing", expected: nil),
        Case(
            testDescription: "a dispute for fraud", webhooks: [dispute("\"ch_1\"", on: 9)],
            expected: label(true, .dispute, on: 9)),
        Case(
            testDescription: "its charge as an object",
            webhooks: [dispute(#"{"id":"ch_1","object":"charge"}"#, on: 9)],
            expected: label(true, .dispute, on: 9)),
        Case(
            testDescription: "known since it was opened, whichever event came first",
            webhooks: [
                dispute(
                    "\"ch_1\"", on: 30, status: "lost", type: "charge.dispute.closed"),
                dispute("\"ch_1\"", on: 9),
            ], expected: label(true, .dispute, on: 9)),
        Case(
            testDescription: "goods that did not come are no fraud",
            webhooks: [dispute("\"ch_1\"", on: 9, reason: "product_not_received")],
            expected: nil),
        Case(
            testDescription: "one that was won",
            webhooks: [
                dispute("\"ch_1\"", on: 9),
                dispute("\"ch_1\"", on: 40, status: "won", type: "charge.dispute.closed"),
            ], expected: label(false, .disputeWon, on: 40)),
        Case(
            testDescription: "one that was won later than anybody could know",
            webhooks: [
                dispute("\"ch_1\"", on: 9),
                dispute("\"ch_1\"", on: 40, status: "won", type: "charge.dispute.closed"),
            ], asOf: 39, expected: label(true, .dispute, on: 9)),
        Case(
            testDescription: "an inquiry that ended as one",
            webhooks: [
                dispute("\"ch_1\"", on: 9, status: "warning_needs_response"),
                dispute(
                    "\"ch_1\"", on: 99, status: "warning_closed", type: "charge.dispute.closed"),
            ], expected: label(false, .disputeWon, on: 99)),
        Case(
            testDescription: "of two disputes one stands",
            webhooks: [
                dispute("\"ch_1\"", on: 9, status: "won"),
                dispute("\"ch_1\"", on: 12, id: "dp_2"),
            ], expected: label(true, .dispute, on: 12)),
        Case(
            testDescription: "an early fraud warning, and its first day",
            webhooks: [warning("\"ch_1\"", on: 5), warning("\"ch_1\"", on: 3)],
            reviews: [decision(.approved, on: 1)],
            expected: label(true, .earlyFraudWarning, on: 3)),
        Case(
            testDescription: "a warning that came later", webhooks: [warning("\"ch_1\"", on: 3)],
            asOf: 2, expected: nil),
        Case(
            testDescription: "another charge's", webhooks: [warning("\"ch_2\"", on: 3)],
            expected: nil),
        Case(
            testDescription: "a person declined it", reviews: [decision(.declined, on: 1)],
            expected: label(true, .reviewDeclined, on: 1)),
        Case(
            testDescription: "a person approved it, and the first word stands",
            reviews: [decision(.declined, on: 2), decision(.approved, on: 1)],
            expected: label(false, .reviewApproved, on: 1)),
        Case(
            testDescription: "nobody decided: it expired, or was opened",
            reviews: [
                decision(.declined, on: 1, by: ReviewExpiry.actor), decision(.opened, on: 1),
                decision(.approved, on: 1, by: PostingRules.scoringActor),
            ], expected: nil),
        Case(
            testDescription: "the bank's last word before its first and a person's",
            webhooks: [
                warning("\"ch_1\"", on: 3), dispute("\"ch_1\"", on: 9),
                dispute("\"ch_1\"", on: 40, status: "won", type: "charge.dispute.closed"),
            ], reviews: [decision(.declined, on: 1)],
            expected: label(false, .disputeWon, on: 40)),
        Case(
            testDescription: "what is no JSON, and no event",
            webhooks: ["{", "[]", #"{"type":"charge.dispute.created","created":1}"#],
            reviews: [Array("{}".utf8)], expected: nil),
    ]

    @Test("a payment's label is the best word on it that was known", arguments: cases)
    func labels(given: Case) throws {
        let asOf = Instant(seconds: Self.opened + given.asOf * Self.day)
        let payment = try Self.payment()
        // In any order, and twice.
        for webhooks in [given.webhooks, given.webhooks.reversed() + given.webhooks] {
            var evidence = FraudEvidence(asOf: asOf)
            for webhook in webhooks { evidence.add(webhook: Array(webhook.utf8)) }
            for review in given.reviews.reversed() { evidence.add(review: review) }
            #expect(evidence.label(of: payment) == given.expected)
        }
    }

    @Test("a warning that names only the intent finds a payment that the intent told of")
    func intent() throws {
        var evidence = FraudEvidence(asOf: Instant(seconds: Self.opened + 9 * Self.day))
        let warning = Self.warning("null,\"payment_intent\":\"pi_1\"", on: 3)
        evidence.add(webhook: Array(warning.utf8))
        let (ofIntent, ofCharge) = (try Self.payment(objectID: "pi_1"), try Self.payment())
        #expect(evidence.label(of: ofIntent)?.isFraud == true)
        #expect(evidence.label(of: ofCharge) == nil)
    }

    @Test("silence counts as honest once it is mature, and not a second before")
    func maturity() throws {
        let maturity = LabelMaturity(days: 120)
        for (seconds, isMature) in [(120 * Self.day, true), (120 * Self.day - 1, false)] {
            let evidence = FraudEvidence(asOf: Instant(seconds: Self.opened + seconds))
            let found = maturity.label(of: try Self.payment(), by: evidence)
            #expect(found.isMature == isMature)
            #expect(found.label?.source == (isMature ? FraudLabel.Source.none : nil))
        }
    }
}
