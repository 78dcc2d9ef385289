@testable import Appliance

/// What customers pay, get back and dispute.
extension MovementRows {
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

    static let refund = StripeExample.refund.with(["balance_transaction": "txn_r"])

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
}
