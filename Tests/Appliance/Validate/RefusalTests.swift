import Testing
import TwinSupport

@testable import Appliance
@testable import Vocabulary

private enum RefusalRows {
    struct Row: Sendable, CustomTestStringConvertible {
        let code: ValidationRefusal.Code
        let detail: String
        let event: TestJSON

        init(_ code: ValidationRefusal.Code, _ detail: String, _ event: TestJSON) {
            self.code = code
            self.detail = detail
            self.event = event
        }

        var testDescription: String { "\(code.rawValue) \(detail)" }
    }

    private static func charge(
        _ changes: KeyValuePairs<String, TestJSON?>,
        envelope: KeyValuePairs<String, TestJSON?> = [:]
    ) -> TestJSON {
        StripeExample.event(
            "charge.succeeded", StripeExample.capturedCharge.with(changes), with: envelope)
    }

    private static func dispute(_ transaction: KeyValuePairs<String, TestJSON?>) -> TestJSON {
        StripeExample.event(
            "charge.dispute.funds_withdrawn",
            StripeExample.dispute.with([
                "status": "needs_response",
                "balance_transactions": [StripeExample.balanceTransaction.with(transaction)],
            ]))
    }

    static let envelope: [Row] = [
        Row(
            .noEventID, "the event's id cannot be used: it is missing",
            charge([:], envelope: ["id": nil])),
        Row(
            .noEventID, "the event's id cannot be used: it is not a string",
            charge([:], envelope: ["id": 5])),
        Row(.noEventID, "the event's id cannot be used: the body is not an object", []),
        Row(.noEventType, "type", charge([:], envelope: ["type": nil])),
        Row(.noEventType, "type", charge([:], envelope: ["type": 7])),
        Row(.badCreated, "created", charge([:], envelope: ["created": nil])),
        Row(.badCreated, "created", charge([:], envelope: ["created": "2024-01-01"])),
        Row(.badCreated, "created", charge([:], envelope: ["created": 1.5])),
        Row(.badCreated, "created", charge([:], envelope: ["created": -1])),
        Row(.badLivemode, "livemode", charge([:], envelope: ["livemode": nil])),
        Row(.badLivemode, "livemode", charge([:], envelope: ["livemode": "true"])),
        Row(.badAccount, "account", charge([:], envelope: ["account": "acct 1"])),
        Row(.badAccount, "account", charge([:], envelope: ["account": ["id": "acct_1"]])),
        Row(.badAccount, "context", charge([:], envelope: ["context": "org_1"])),
        Row(.badAccount, "context", charge([:], envelope: ["context": "org_1/acct_2/"])),
        Row(.badAccount, "context", charge([:], envelope: ["context": "org 1/acct_2"])),
        Row(.badAccount, "context", charge([:], envelope: ["context": ["id": "acct_1"]])),
        Row(
            .thinEventUnsupported, "object",
            [
                "id": "evt_v2", "object": "v2.core.event", "type": "v1.billing.meter.error",
                "created": "2024-09-17T06:20:52.246Z", "livemode": false,
            ]),
        Row(.missingObject, "data.object", charge([:], envelope: ["data": nil])),
        Row(.missingObject, "data.object", charge([:], envelope: ["data": ["object": "ch_1"]])),
        Row(.missingObject, "no charge", charge(["object": "refund"])),
        Row(.missingObject, "no charge", charge(["object": nil])),
    ]

    static let objects: [Row] = [
        Row(.badID, "charge.id", charge(["id": nil])),
        Row(.badID, "charge.id", charge(["id": ""])),
        Row(.badID, "charge.id", charge(["id": "ch_1:2"])),
        Row(.badID, "charge.id", charge(["id": .string(String(repeating: "c", count: 256))])),
        Row(.badID, "charge.payment_intent", charge(["payment_intent": 9])),
        Row(.badID, "charge.balance_transaction", charge(["balance_transaction": ["id": 1]])),
        Row(.unknownStatus, "charge.captured", charge(["captured": nil])),
        Row(.badAmount, "charge.amount_captured", charge(["amount_captured": -1])),
        Row(.badAmount, "charge.amount_captured", charge(["amount_captured": 10.99])),
        Row(.badAmount, "charge.amount_captured", charge(["amount_captured": "100"])),
        Row(.badAmount, "charge.amount", charge(["amount_captured": nil, "amount": nil])),
        Row(.badCurrency, "charge.currency", charge(["currency": nil])),
        Row(.badCurrency, "charge.currency", charge(["currency": "USD"])),
        Row(.badCurrency, "charge.currency", charge(["currency": "dollars"])),
        Row(
            .badAmount, "charge.amount_refunded",
            StripeExample.event(
                "charge.captured",
                StripeExample.capturedCharge.with(["amount_captured": nil, "amount_refunded": 101]))
        ),
        Row(
            .missingCharge, "payment_intent.latest_charge",
            StripeExample.event(
                "payment_intent.succeeded",
                StripeExample.paymentIntent.with(["charges": ["data": []]]))),
        Row(
            .badID, "payment_intent.latest_charge",
            StripeExample.event(
                "payment_intent.succeeded",
                StripeExample.paymentIntent.with(["latest_charge": "ch:1"]))
        ),
        Row(
            .badAmount, "payment_intent.amount_received",
            StripeExample.event(
                "payment_intent.succeeded",
                StripeExample.paymentIntent.with(["latest_charge": "ch_1", "amount_received": nil]))
        ),
        Row(
            .missingObject, "no charge",
            StripeExample.event(
                "payment_intent.succeeded",
                StripeExample.paymentIntent.with(["latest_charge": 5]))),
        Row(
            .badList, "charge.refunds",
            StripeExample.event(
                "charge.refunded", StripeExample.charge.with(["refunds": ["re_1": "x"]]))),
        Row(
            .missingObject, "no refund",
            StripeExample.event(
                "charge.refunded", StripeExample.charge.with(["refunds": ["data": ["re_1"]]]))),
        Row(
            .badAmount, "refund.amount",
            StripeExample.event("refund.created", StripeExample.refund.with(["amount": nil]))),
        Row(
            .unknownStatus, "refund.status",
            StripeExample.event("refund.created", StripeExample.refund.with(["status": "odd"]))),
        Row(
            .badAmount, "payout.amount",
            StripeExample.event("payout.paid", StripeExample.payout.with(["amount": 1.5]))),
        Row(
            .unknownStatus, "payout.status",
            StripeExample.event("payout.paid", StripeExample.payout.with(["status": nil]))),
        Row(.badAmount, "balance_transaction.amount", dispute(["amount": nil])),
        Row(.badAmount, "balance_transaction.amount", dispute(["amount": .int(.min)])),
        Row(.badAmount, "balance_transaction.fee", dispute(["fee": 1.5])),
        Row(.badAmount, "balance_transaction.fee", dispute(["fee": .int(.min)])),
        Row(.badCurrency, "balance_transaction.currency", dispute(["currency": nil])),
        Row(.badID, "balance_transaction.id", dispute(["id": nil])),
        Row(.missingObject, "no balance_transaction", dispute(["object": nil])),
        Row(
            .missingBalanceTransaction, "dispute.balance_transactions",
            StripeExample.event(
                "charge.dispute.funds_withdrawn", StripeExample.dispute.with(["status": "lost"]))),
        Row(
            .badList, "dispute.balance_transactions",
            StripeExample.event(
                "charge.dispute.funds_withdrawn",
                StripeExample.dispute.with(["status": "lost", "balance_transactions": 5]))),
    ]
}

@Suite("Events that cannot be understood")
struct RefusalTests {
    @Test("a damaged envelope is refused with its reason", arguments: RefusalRows.envelope)
    fileprivate func envelope(row: RefusalRows.Row) { expect(row) }

    @Test("a damaged object is refused with its reason and field", arguments: RefusalRows.objects)
    fileprivate func objects(row: RefusalRows.Row) { expect(row) }

    private func expect(_ row: RefusalRows.Row) {
        #expect(validated(row.event) == .refused(ValidationRefusal(row.code, row.detail)))
    }

    @Test(
        "a body that is no event is refused",
        arguments: [
            ([UInt8]("{".utf8), ValidationRefusal.Code.notJSON), ([], .notJSON),
            ([0x22, 0xFF, 0x22], .notUTF8),
            (
                [UInt8](repeating: 0x5B, count: 70) + [UInt8](repeating: 0x5D, count: 70),
                .tooDeep
            ),
        ])
    func bodies(body: [UInt8], code: ValidationRefusal.Code) {
        let outcome = EventValidator(defaultMerchant: MerchantID("shop")).validate(body)
        guard case .refused(let refusal) = outcome else {
            Issue.record("not refused: \(outcome)")
            return
        }
        #expect(refusal.code == code)
    }

    @Test(
        "an amount that is not written as an integer is refused, even if it is one",
        arguments: ["100.0", "1e2", "1E+2", "9223372036854775808", "-0.0", "\"100\"", "[100]"])
    func inexactAmounts(text: String) throws {
        let event = StripeExample.event("charge.succeeded", StripeExample.capturedCharge)
        let body = String(decoding: event.bytes, as: UTF8.self)
        let exact = #""amount_captured":100"#
        try #require(body.contains(exact))
        let changed = body.replacing(exact, with: #""amount_captured":\#(text)"#)
        let outcome = EventValidator(defaultMerchant: MerchantID("shop"))
            .validate(Array(changed.utf8))
        #expect(outcome == .refused(ValidationRefusal(.badAmount, "charge.amount_captured")))
    }

    @Test("a type or an id of our own is refused from anybody else, and read from ourselves")
    func reserved() {
        let validator = EventValidator(defaultMerchant: MerchantID("shop"))
        let line = StripeExample.balanceTransaction.with(["fee": 33, "net": 67])
        for (type, id) in [
            ("tillbox.balance_transaction", "evt_1"), ("tillbox.anything", "evt_1"),
            ("charge.succeeded", "evt_tillbox_txn_1"),
        ] {
            let event = StripeExample.event(type, line, id: id)
            let outcome = validator.read(event.bytes, isOwn: false).outcome
            #expect(outcome == .refused(ValidationRefusal(.reservedType, "type")))
        }
        let own = StripeExample.event("tillbox.balance_transaction", line, id: "evt_tillbox_txn_1")
        #expect(validator.read(own.bytes, isOwn: true).outcome.movements.count == 1)
    }

    @Test("a refusal's subject names the object, its amounts and the currency, and no free text")
    func subject() throws {
        let event = StripeExample.event(
            "charge.captured",
            StripeExample.capturedCharge.with([
                "id": "ch_7", "amount": 100, "amount_captured": -5, "amount_refunded": 0,
                "description": "4242 4242 4242 4242",
            ]), with: ["account": "acct_9"])
        let reading = EventValidator(defaultMerchant: MerchantID("shop"))
            .read(event.bytes, isOwn: false)
        let subject = try #require(reading.subject)
        for part in ["charge ch_7", "amount=100", "amount_captured=-5", "currency=usd", "acct_9"] {
            #expect(subject.contains(part), "\(subject)")
        }
        #expect(!subject.contains("4242"))
        #expect(reading.shape == EventShape(apiVersion: "2024-06-20", type: "charge.captured"))
    }

    @Test("every reason has a row")
    func everyReasonHasARow() {
        let rows = Set((RefusalRows.envelope + RefusalRows.objects).map(\.code))
        // The last is of an event's origin, which its body does not tell; a test of its own has it.
        let bodies: Set<ValidationRefusal.Code> = [.notJSON, .notUTF8, .tooDeep, .reservedType]
        #expect(rows.union(bodies) == Set(ValidationRefusal.Code.allCases))
    }

    @Test("no refusal and no panic comes of removing or replacing any single field of an event")
    func mutilation() {
        let validator = EventValidator(defaultMerchant: MerchantID("shop"))
        let replacements: [TestJSON?] = [nil, .null, 5, -1, 1.5, "", "x:y", [], [:], true]
        for type in StripeEvent.HandledType.allCases {
            for object in [
                StripeExample.capturedCharge, StripeExample.refund, StripeExample.payout,
                ["id": "tr_1", "object": "transfer", "amount": 5, "currency": "usd",
                    "destination": "acct_1", "amount_reversed": 0],
            ] {
                let event = StripeExample.event(type.rawValue, object)
                for path in event.paths {
                    for replacement in replacements {
                        let mutilated = event.with([path: replacement])
                        for movement in validator.validate(mutilated.bytes).movements {
                            #expect(movement.amount >= .zero && movement.objectID.isStripeID)
                        }
                    }
                }
            }
        }
    }
}

extension TestJSON {
    /// The dotted paths of all members, at most two levels of objects deep.
    fileprivate var paths: [String] {
        func members(_ json: TestJSON?) -> [String] {
            guard case .object(let members) = json else { return [] }
            return members.map(\.key)
        }
        let own = members(self["data"]?["object"])
        return members(self) + own.map { "data.object.\($0)" }
            + own.flatMap { key in
                members(self["data"]?["object"]?[key]).map { "data.object.\(key).\($0)" }
            }
    }
}
