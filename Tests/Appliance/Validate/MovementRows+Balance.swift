import TwinSupport

@testable import Appliance
@testable import Vocabulary

/// What moves between the balance, banks and other accounts, and what only the statement tells.
extension MovementRows {
    private static let told = refund.with(["balance_transaction": nil])

    private static let txn = "txn_1PgaxNB7WZ01zgkWEV3TLf40"
    private static let line = StripeExample.balanceTransaction
    private static let bankEntry: TestJSON = [
        "id": "po_1", "object": "bank_entry", "movement": "payout:po_1", "expected": 1100,
        "booked": 1085, "currency": "usd",
    ]
    static let own: [MovementCase] = [
        MovementCase(
            "what a bank kept", "tillbox.bank_difference", bankEntry,
            "fee bank_charge:payout:po_1 15 usd"),
        MovementCase(
            "what a bank gave", "tillbox.bank_difference", bankEntry.with(["booked": 1101]),
            "fee bank_charge:payout:po_1 1 usd"),
        MovementCase(
            "what a bank kept by its correction", "tillbox.bank_difference",
            bankEntry.with(["number": 2]), "fee bank_charge:payout:po_1:2 15 usd"),
        MovementCase(
            "a correction without a number", "tillbox.bank_difference",
            bankEntry.with(["number": 0]), "refused bad_amount bank_entry.number"),
        MovementCase(
            "what a bank booked in full", "tillbox.bank_difference",
            bankEntry.with(["booked": 1100]), "ignored nothing_charged"),
        MovementCase(
            "a bank's entry of another movement", "tillbox.bank_difference",
            bankEntry.with(["movement": "payout:po_2"]),
            "refused bad_id bank_entry.movement"),
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
            line.with(["type": "adjustment", "source": "dp_1", "fee": 15, "net": 85]),
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
        "customer.created", "charge.updated", "charge.pending", "payment_intent.created",
        "payout.reconciliation_completed",
        "invoice.paid", "balance.available",
    ].map { MovementCase("not handled", $0, ["object": "any"], "ignored type_not_handled") }
}
