import Testing
import TwinSupport

@testable import Appliance
@testable import Vocabulary

extension ValidationOutcome {
    var movements: [PaymentEvent] {
        guard case .movements(let movements, _) = self else { return [] }
        return movements
    }

    /// `kind movement amount currency` of each movement, or the code of what else came out.
    var summary: [String] {
        switch self {
        case .movements(let movements, _):
            movements.map {
                "\($0.kind.rawValue) \($0.movement) \($0.amount.rawValue) \($0.currency.code)"
            }
        case .ignored(_, let reason): ["ignored \(reason.rawValue)"]
        case .refused(let refusal): ["refused \(refusal.code.rawValue) \(refusal.detail)"]
        }
    }
}

func validated(_ event: TestJSON) -> ValidationOutcome {
    EventValidator(defaultMerchant: MerchantID("shop")).validate(event.bytes)
}

/// One event and what must come of it.
struct MovementCase: Sendable, CustomTestStringConvertible {
    let name: String
    let type: String
    let object: TestJSON
    let expected: [String]

    init(_ name: String, _ type: String, _ object: TestJSON, _ expected: String...) {
        self.name = name
        self.type = type
        self.object = object
        self.expected = expected
    }

    var testDescription: String { "\(type): \(name)" }
}

private enum MovementRows {
    private static let ch = "ch_1PgafuB7WZ01zgkWXYmPNZs8"
    private static let re = "re_1Pgc72B7WZ01zgkWqPvrRrPE"
    private static let dp = "dp_1Pgc71B7WZ01zgkWMevJiAUx"
    private static let po = "po_1Pgc79B7WZ01zgkWu1KToYf4"
    private static let charge = StripeExample.capturedCharge
    private static let intent = StripeExample.paymentIntent.with([
        "amount_received": 1099, "latest_charge": "ch_2", "status": "succeeded",
    ])

    static let payments: [MovementCase] = [
        MovementCase(
            "captured at once", "charge.succeeded", charge, "payment charge:\(ch) 100 usd"),
        MovementCase(
            "only authorised", "charge.succeeded", StripeExample.charge, "ignored not_captured"),
        MovementCase("captured later", "charge.captured", charge, "payment charge:\(ch) 100 usd"),
        MovementCase(
            "captured in part", "charge.captured", charge.with(["amount_captured": 70]),
            "payment charge:\(ch) 70 usd"),
        MovementCase(
            "captured in part, before amount_captured", "charge.captured",
            charge.with(["amount_captured": nil, "amount_refunded": 30]),
            "payment charge:\(ch) 70 usd", "release_told release_told:\(ch) 30 usd"),
        MovementCase(
            "captured at once, before amount_captured", "charge.succeeded",
            charge.with(["amount_captured": nil]), "payment charge:\(ch) 100 usd"),
        MovementCase(
            "zero-decimal currency", "charge.succeeded", charge.with(["currency": "jpy"]),
            "payment charge:\(ch) 100 jpy"),
        MovementCase(
            "the largest amount", "charge.succeeded",
            charge.with(["amount_captured": 1_000_000_000_000_000]),
            "payment charge:\(ch) 1000000000000000 usd"),
        MovementCase(
            "more than the largest amount", "charge.succeeded",
            charge.with(["amount_captured": 1_000_000_000_000_001]),
            "refused bad_amount charge.amount_captured"),
        MovementCase(
            "taken back after its success", "charge.failed",
            charge.with(["status": "failed", "failure_balance_transaction": "txn_back"]),
            "payment charge:\(ch) 100 usd", "payment_failed charge_failed:\(ch) 100 usd",
            "payment_reversed charge_reversed:\(ch) 100 usd"),
        MovementCase(
            "an authorisation that ran out", "charge.expired",
            charge.with(["captured": false, "amount_captured": 0, "amount_refunded": 100]),
            "release_told release_told:\(ch) 100 usd"),
        MovementCase(
            "an authorisation that ran out and tells no refund", "charge.expired",
            charge.with(["captured": false, "amount_captured": 0]), "ignored not_captured"),
        MovementCase(
            "of a transfer", "payment.created", charge.with(["source_transfer": "tr_1"]),
            "transfer_payment charge:\(ch) 100 usd"),
        MovementCase(
            "not made yet", "payment.created", charge.with(["status": "pending"]),
            "ignored not_captured"),
        MovementCase(
            "with its charge's id", "payment_intent.succeeded", intent,
            "payment charge:ch_2 1099 usd"),
        MovementCase(
            "with its charge expanded", "payment_intent.succeeded",
            intent.with(["latest_charge": charge]), "payment charge:\(ch) 1099 usd"),
        MovementCase(
            "with a list of charges", "payment_intent.succeeded",
            intent.with([
                "latest_charge": nil,
                "charges": [
                    "object": "list",
                    "data": [
                        charge.with(["id": "ch_9", "status": "failed"]), charge,
                    ],
                ],
            ]), "payment charge:\(ch) 1099 usd"),
        MovementCase(
            "without a charge", "payment_intent.succeeded", intent.with(["latest_charge": nil]),
            "refused missing_charge payment_intent.latest_charge"),
        MovementCase(
            "declined", "charge.failed",
            charge.with(["captured": false, "status": "failed", "failure_code": "card_declined"]),
            "payment_failed charge_failed:\(ch) 100 usd"),
        MovementCase(
            "declined, through its latest charge", "payment_intent.payment_failed", intent,
            "payment_failed charge_failed:ch_2 1099 usd"),
        MovementCase(
            "declined, through its error's charge", "payment_intent.payment_failed",
            intent.with(["last_payment_error": ["charge": "ch_3", "code": "card_declined"]]),
            "payment_failed charge_failed:ch_3 1099 usd"),
        MovementCase(
            "declined, through its list of charges", "payment_intent.payment_failed",
            intent.with([
                "latest_charge": nil,
                "charges": ["data": [charge.with(["status": "failed", "amount": 1099])]],
            ]), "payment_failed charge_failed:\(ch) 1099 usd"),
        MovementCase(
            "declined before there was a charge", "payment_intent.payment_failed",
            intent.with(["latest_charge": nil]), "ignored failed_without_charge"),
    ]

    private static let refund = StripeExample.refund.with(["balance_transaction": "txn_r"])

    static let refunds: [MovementCase] =
        ["refund.created", "refund.updated", "charge.refund.updated"].flatMap { type in
            [
                ("succeeded", ["refund refund:\(re) 100 usd"]),
                ("pending", ["refund refund:\(re) 100 usd"]),
                ("requires_action", ["refund refund:\(re) 100 usd"]),
                (
                    "failed",
                    [
                        "refund refund:\(re) 100 usd", "refund_failed refund_failed:\(re) 100 usd",
                    ]
                ),
                (
                    "canceled",
                    [
                        "refund refund:\(re) 100 usd", "refund_failed refund_failed:\(re) 100 usd",
                    ]
                ),
                ("lost", ["refused unknown_status refund.status"]),
            ].map { status, expected in
                MovementCase(
                    status, type, refund.with(["status": .string(status)]),
                    all: expected)
            }
        } + [
            MovementCase(
                "whatever its status", "refund.failed",
                refund.with(["status": "pending"]),
                "refund refund:\(re) 100 usd", "refund_failed refund_failed:\(re) 100 usd"),
            MovementCase(
                "without a transaction", "refund.created",
                refund.with(["balance_transaction": nil]), "refund_noted refund:\(re) 100 usd"),
            MovementCase(
                "with an empty transaction", "refund.created",
                refund.with(["balance_transaction": ""]), "refund_noted refund:\(re) 100 usd"),
            MovementCase(
                "failed before it moved anything", "refund.failed",
                refund.with(["balance_transaction": nil]), "refund_noted refund:\(re) 100 usd"),
            MovementCase(
                "failed, which names only the way back", "refund.failed",
                refund.with([
                    "balance_transaction": nil, "failure_balance_transaction": "txn_back",
                ]), "refund refund:\(re) 100 usd", "refund_failed refund_failed:\(re) 100 usd"),
            MovementCase(
                "waits for the customer", "refund.created",
                refund.with(["balance_transaction": nil, "status": "requires_action"]),
                "ignored refund_requires_action"),
            MovementCase(
                "of an authorisation", "charge.refunded",
                charge.with([
                    "captured": false, "amount_captured": 0, "amount_refunded": 100,
                    "refunds": ["data": [refund]],
                ]), "refund_noted refund:\(re) 100 usd", "release_told release_told:\(ch) 100 usd"),
            MovementCase(
                "a sum without a list", "charge.refunded",
                charge.with(["refunds": nil, "amount_refunded": 40]),
                "refunds_told refunds_told:\(ch) 40 usd"),
            MovementCase(
                "a list that goes on", "charge.refunded",
                charge.with([
                    "amount_refunded": 100,
                    "refunds": ["has_more": true, "data": [refund.with(["amount": 60])]],
                ]), "refund refund:\(re) 60 usd", "refunds_told refunds_told:\(ch) 100 usd"),
            MovementCase(
                "from before statuses", "charge.refund.updated",
                refund.with(["status": nil]), "refund refund:\(re) 100 usd"),
            MovementCase(
                "every refund listed", "charge.refunded",
                charge.with([
                    "refunds": [
                        "object": "list", "has_more": false,
                        "data": [
                            refund.with(["id": "re_2", "amount": 30]),
                            refund.with(["id": "re_1", "amount": 20]),
                            refund.with(["id": "re_0", "status": "failed"]),
                            refund.with([
                                "id": "re_3", "status": "requires_action",
                                "balance_transaction": nil,
                            ]),
                        ],
                    ]
                ]), "refund refund:re_2 30 usd", "refund refund:re_1 20 usd",
                "refund refund:re_0 100 usd", "refund_failed refund_failed:re_0 100 usd"),
            MovementCase(
                "refunds in a plain array", "charge.refunded",
                charge.with(["refunds": [refund]]), "refund refund:\(re) 100 usd"),
            MovementCase(
                "refunds not listed", "charge.refunded", charge.with(["refunds": nil]),
                "ignored refunds_not_listed"),
            MovementCase(
                "an empty list", "charge.refunded", charge, "ignored refunds_not_listed"),
            MovementCase(
                "one waits for the customer", "charge.refunded",
                charge.with([
                    "refunds": [
                        "data": [
                            refund.with([
                                "status": "requires_action", "balance_transaction": nil,
                            ])
                        ]
                    ]
                ]), "ignored refund_requires_action"),
        ]

    private static func transaction(_ id: String, _ amount: Int64, fee: Int64) -> TestJSON {
        StripeExample.balanceTransaction.with([
            "id": .string(id), "amount": .int(amount), "fee": .int(fee), "type": "adjustment",
            "currency": "eur",
        ])
    }

    private static let dispute = StripeExample.dispute.with([
        "status": "needs_response",
        "balance_transactions": [transaction("txn_1", -1000, fee: 1500)],
    ])

    static let disputes: [MovementCase] = [
        MovementCase(
            "opened", "charge.dispute.created", dispute,
            "dispute_opened dispute_opened:\(dp) 1000 usd",
            "dispute_withdrawn dispute:txn_1 1000 eur"),
        MovementCase(
            "updated with its money", "charge.dispute.updated", dispute,
            "dispute_withdrawn dispute:txn_1 1000 eur"),
        MovementCase(
            "updated without money", "charge.dispute.updated", StripeExample.dispute,
            "ignored nothing_moved"),
        MovementCase(
            "opened as an inquiry", "charge.dispute.created", StripeExample.dispute,
            "dispute_opened dispute_opened:\(dp) 1000 usd"),
        MovementCase(
            "closed", "charge.dispute.closed", dispute.with(["status": "lost"]),
            "dispute_closed dispute_closed:\(dp) 1000 usd",
            "dispute_withdrawn dispute:txn_1 1000 eur"),
        MovementCase(
            "withdrawn", "charge.dispute.funds_withdrawn", dispute,
            "dispute_withdrawn dispute:txn_1 1000 eur"),
        MovementCase(
            "reinstated, with what was withdrawn", "charge.dispute.funds_reinstated",
            dispute.with([
                "balance_transactions": [
                    transaction("txn_1", -1000, fee: 1500), transaction("txn_2", 1000, fee: -1500),
                ]
            ]), "dispute_withdrawn dispute:txn_1 1000 eur",
            "dispute_reinstated dispute:txn_2 1000 eur"),
        MovementCase(
            "one expanded transaction", "charge.dispute.funds_withdrawn",
            dispute.with([
                "balance_transactions": nil,
                "balance_transaction": transaction("txn_3", -1000, fee: 0),
            ]), "dispute_withdrawn dispute:txn_3 1000 eur"),
        MovementCase(
            "only a fee", "charge.dispute.funds_withdrawn",
            dispute.with(["balance_transactions": [transaction("txn_4", 0, fee: 1500)]]),
            "dispute_withdrawn dispute:txn_4 0 eur"),
        MovementCase(
            "only a fee given back", "charge.dispute.funds_reinstated",
            dispute.with(["balance_transactions": [transaction("txn_4", 0, fee: -1500)]]),
            "dispute_reinstated dispute:txn_4 0 eur"),
        MovementCase(
            "an inquiry whose money moved", "charge.dispute.funds_withdrawn",
            dispute.with(["status": "warning_needs_response"]),
            "dispute_withdrawn dispute:txn_1 1000 eur"),
        MovementCase(
            "an inquiry", "charge.dispute.funds_withdrawn",
            dispute.with(["status": "warning_needs_response", "balance_transactions": []]),
            "ignored inquiry"),
        MovementCase(
            "no transaction", "charge.dispute.funds_withdrawn",
            dispute.with(["balance_transactions": []]),
            "refused missing_balance_transaction dispute.balance_transactions"),
        MovementCase(
            "only a transaction's id", "charge.dispute.funds_withdrawn",
            dispute.with(["balance_transactions": nil, "balance_transaction": "txn_1"]),
            "refused missing_balance_transaction dispute.balance_transactions"),
    ]

    private static let told = refund.with(["balance_transaction": nil])

    private static let txn = "txn_1PgaxNB7WZ01zgkWEV3TLf40"
    private static let line = StripeExample.balanceTransaction
    static let own: [MovementCase] = [
        MovementCase(
            "no fee", "tillbox.balance_transaction", line, "ignored nothing_charged"),
        MovementCase(
            "a fee", "tillbox.balance_transaction", line.with(["fee": 33, "net": 67]),
            "fee fee:\(txn) 33 usd"),
        MovementCase(
            "a fee given back", "tillbox.balance_transaction",
            line.with(["type": "refund", "amount": -100, "fee": -33, "net": -67]),
            "fee fee:\(txn) 33 usd"),
        MovementCase(
            "Stripe's own", "tillbox.balance_transaction",
            line.with(["type": "stripe_fee", "amount": -70, "net": -70, "source": nil]),
            "fee fee:\(txn) 70 usd"),
        MovementCase(
            "a dispute's, which its event books", "tillbox.balance_transaction",
            line.with(["type": "adjustment", "source": "dp_1", "fee": 15]),
            "ignored nothing_charged"),
        MovementCase(
            "a refund that the statement does not show", "tillbox.released", told,
            "refund_noted refund:\(re) 100 usd"),
        MovementCase(
            "a sum that the statement does not show", "tillbox.released",
            charge.with(["amount_refunded": 40]), "refunds_told refunds_told:\(ch) 40 usd"),
        MovementCase(
            "a refund that only the statement shows", "tillbox.settlement",
            line.with([
                "type": "refund", "amount": -100, "net": -100,
                "source": told.with(["balance_transaction": .string(txn)]),
            ]), "refund refund:\(re) 100 usd"),
        MovementCase(
            "a line whose source is no object", "tillbox.settlement", line,
            "refused missing_object balance_transaction.source"),
        MovementCase(
            "a type that nobody knows", "tillbox.balance_transaction",
            line.with(["type": "something_new"]),
            "refused unknown_status balance_transaction.type"),
    ]

    static let payouts: [MovementCase] =
        ["payout.created", "payout.updated", "payout.paid"].flatMap { type in
            ["pending", "in_transit", "paid"].map { status in
                MovementCase(
                    status, type, StripeExample.payout.with(["status": .string(status)]),
                    "payout payout:\(po) 1100 usd")
            }
        }
        + [
            ("payout.failed", "failed"), ("payout.canceled", "canceled"),
            ("payout.updated", "failed"), ("payout.updated", "canceled"),
            ("payout.failed", "paid"),
        ].map { type, status in
            MovementCase(
                status, type, StripeExample.payout.with(["status": .string(status)]),
                "payout payout:\(po) 1100 usd", "payout_failed payout_failed:\(po) 1100 usd")
        } + [
            MovementCase(
                "vanished", "payout.updated", StripeExample.payout.with(["status": "vanished"]),
                "refused unknown_status payout.status"),
            MovementCase(
                "below zero", "payout.paid",
                StripeExample.payout.with(["amount": -1100, "status": "paid"]),
                "payout_debit payout:\(po) 1100 usd"),
            MovementCase(
                "below zero, failed", "payout.failed",
                StripeExample.payout.with(["amount": -1100, "status": "failed"]),
                "payout_debit payout:\(po) 1100 usd",
                "payout_debit_failed payout_failed:\(po) 1100 usd"),
        ]

    private static let transfer: TestJSON = [
        "id": "tr_1", "object": "transfer", "amount": 900, "currency": "usd",
        "destination": "acct_2", "balance_transaction": "txn_t", "reversed": false,
    ]
    private static let bankTransfer = transfer.with([
        "type": "bank_account", "destination": "ba_1", "status": "paid",
    ])
    private static func reversal(_ id: String, _ amount: Int64) -> TestJSON {
        [
            "id": .string(id), "object": "transfer_reversal", "amount": .int(amount),
            "currency": "usd",
        ]
    }
    private static let fee: TestJSON = [
        "id": "fee_1", "object": "application_fee", "amount": 100, "currency": "usd",
        "account": "acct_2", "charge": "ch_1", "balance_transaction": "txn_f",
    ]
    private static let topup: TestJSON = [
        "id": "tu_1", "object": "topup", "amount": 500, "currency": "usd", "status": "succeeded",
    ]

    static let transfers: [MovementCase] = [
        MovementCase("to a seller", "transfer.created", transfer, "transfer transfer:tr_1 900 usd"),
        MovementCase(
            "updated", "transfer.updated", transfer, "transfer transfer:tr_1 900 usd"),
        MovementCase(
            "to nobody", "transfer.created", transfer.with(["destination": ""]),
            "refused bad_id transfer.destination"),
        MovementCase(
            "to a bank", "transfer.created", bankTransfer, "payout payout:tr_1 900 usd"),
        MovementCase(
            "to a bank, paid", "transfer.paid", bankTransfer, "payout payout:tr_1 900 usd"),
        MovementCase(
            "to a bank, canceled", "transfer.canceled",
            bankTransfer.with(["status": "canceled"]), "payout payout:tr_1 900 usd",
            "payout_failed payout_failed:tr_1 900 usd"),
        MovementCase(
            "to a card, failed", "transfer.failed",
            bankTransfer.with(["type": "card", "status": "failed"]),
            "payout payout:tr_1 900 usd", "payout_failed payout_failed:tr_1 900 usd"),
        MovementCase(
            "to what nobody knows", "transfer.created", transfer.with(["type": "pigeon"]),
            "refused unknown_status transfer.type"),
        MovementCase(
            "reversed twice", "transfer.reversed",
            transfer.with([
                "amount_reversed": 500, "reversals.object": "list",
                "reversals.data": [reversal("trr_2", 300), reversal("trr_1", 200)],
            ]), "transfer_reversed transfer_reversed:trr_2 300 usd",
            "transfer_reversed transfer_reversed:trr_1 200 usd"),
        MovementCase(
            "reversed, with a list that is not whole", "transfer.reversed",
            transfer.with([
                "amount_reversed": 500, "reversals.object": "list",
                "reversals.data": [reversal("trr_2", 300)],
            ]), "refused bad_list transfer.reversals"),
        MovementCase(
            "an application fee", "application_fee.created", fee,
            "application_fee application_fee:fee_1 100 usd"),
        MovementCase(
            "an application fee refunded", "application_fee.refunded",
            fee.with([
                "amount_refunded": 40,
                "refunds.data": [
                    ["id": "fr_1", "object": "fee_refund", "amount": 40, "currency": "usd"]
                ],
            ]), "application_fee_refunded application_fee_refunded:fr_1 40 usd"),
        MovementCase("a top-up", "topup.succeeded", topup, "topup topup:tu_1 500 usd"),
        MovementCase(
            "a top-up reversed", "topup.reversed", topup.with(["status": "reversed"]),
            "topup topup:tu_1 500 usd", "topup_reversed topup_reversed:tu_1 500 usd"),
    ]

    static let others: [MovementCase] = [
        "customer.created", "charge.updated", "charge.pending", "payment_intent.created", "payout.reconciliation_completed",
        "invoice.paid", "balance.available",
    ].map { MovementCase("not handled", $0, ["object": "any"], "ignored type_not_handled") }
}

@Suite("From events to movements")
struct MovementsTests {
    @Test("payments and failures", arguments: MovementRows.payments)
    func payments(row: MovementCase) { expect(row) }

    @Test("refunds", arguments: MovementRows.refunds)
    func refunds(row: MovementCase) { expect(row) }

    @Test("disputes", arguments: MovementRows.disputes)
    func disputes(row: MovementCase) { expect(row) }

    @Test("payouts", arguments: MovementRows.payouts)
    func payouts(row: MovementCase) { expect(row) }

    @Test("transfers, application fees, top-ups", arguments: MovementRows.transfers)
    func transfers(row: MovementCase) { expect(row) }

    @Test("what reconciliation found", arguments: MovementRows.own)
    func own(row: MovementCase) { expect(row) }

    @Test("any other type moves nothing and is no dead letter", arguments: MovementRows.others)
    func others(row: MovementCase) { expect(row) }

    private func expect(_ row: MovementCase) {
        let outcome = validated(StripeExample.event(row.type, row.object))
        #expect(outcome.summary == row.expected)
    }

    @Test("an unknown type is passed on in part only")
    func longType() {
        let type = String(repeating: "x", count: 5000)
        let outcome = validated(StripeExample.event(type, ["object": "any"]))
        #expect(outcome == .ignored(type: String(type.prefix(100)), .typeNotHandled))
    }

    @Test("every handled type has a row")
    func everyTypeHasARow() {
        let rows =
            MovementRows.payments + MovementRows.refunds + MovementRows.disputes
            + MovementRows.payouts + MovementRows.transfers + MovementRows.own
        #expect(
            Set(rows.map(\.type)) == Set(StripeEvent.HandledType.allCases.map(\.rawValue)))
    }
}

extension MovementCase {
    init(_ name: String, _ type: String, _ object: TestJSON, all expected: [String]) {
        self.name = name
        self.type = type
        self.object = object
        self.expected = expected
    }
}
