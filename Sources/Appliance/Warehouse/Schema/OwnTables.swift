/// The tables of contracts §8: what log, ledger and reconciliation hold.
extension WarehouseTable {
    package static let payments = WarehouseTable(
        .tillbox, "payments", day: "created",
        key: ["movement"], sums: [.init("amount", by: "currency")],
        about: "One row per charge that succeeded or failed, as the best informed scoring saw it.",
        columns: [
            .required("dt", .day, "The UTC day that the row belongs to; the partition."),
            .required(
                "movement", .text, "The ledger's key: `charge:{id}`, or `charge_failed:{id}`."),
            .required("charge_id", .text, "Stripe's id of the charge."),
            .required("kind", .text, "`payment` or `payment_failed`."),
            .required("event_id", .text, "The Stripe event whose scoring stands."),
            .required(
                "amount", .integer,
                """
                What was captured (of a failed one: what was asked), in minor units; the \
                largest telling.
                """),
            .required("currency", .text, "Lower case; what was charged, before any conversion."),
            .required("created", .moment, "When Stripe made the first event that told of it."),
            .required("received_at", .moment, "When its webhook was first kept; milliseconds."),
            .required("livemode", .flag, "Whether it is real money."),
            .optional(
                "stripe_account", .text, "The connected account; null is the platform's own."),
            .required("merchant", .text, "The merchant in the ledger's account names."),
            .optional("customer", .text, "Stripe's id of the customer."),
            .optional("card", .text, "The card's fingerprint."),
            .optional("card_country", .text, "ISO 3166 alpha-2 of the card's issuer."),
            .optional("country", .text, "ISO 3166 alpha-2 of the billing, else shipping address."),
            .optional("device", .text, "The device's id, or a digest of address and user agent."),
            .optional("outcome", .text, "The network's word: `authorized`, `card_declined`."),
            .optional(
                "balance_transaction", .text,
                "Stripe's id of the line of the statement, where the event named it."),
            .required(
                "verdict", .text,
                "`approve`, `manual_review`, `block` or `not_scored`: of the scoring that stands."),
            .optional(
                "score", .number,
                """
                The model's probability of fraud, 0 to 1; null where there was no model or \
                no vector.
                """),
            .required(
                "reasons", .text, "JSON array: rules, or features with value and contribution."),
            .optional("model", .text, "The model's version."),
            .optional("features_as_of", .moment, "The moment that the features describe."),
        ])

    package static let ledgerEntries = WarehouseTable(
        .tillbox, "ledger_entries", day: "effective_at",
        key: ["transaction_id", "seq"], sums: [.init("amount", by: "currency")],
        about: """
            One row per entry of the ledger; the entries of a transaction sum to zero in \
            each currency.
            """,
        columns: [
            .required("dt", .day, "The UTC day that the row belongs to; the partition."),
            .required(
                "transaction_id", .integer,
                "The ledger's number of the transaction, without gaps."),
            .required("seq", .integer, "The entry's place in its transaction, from 0."),
            .required(
                "movement", .text,
                "The key that is for ever unique: `charge:{id}`, `refund:{id}`, `payout:{id}`."),
            .required(
                "kind", .text,
                "What it is: `payment`, `refund`, `fee`, `held`, `review_approved` and so on."),
            .required(
                "event_id", .text,
                "The Stripe event, or `evt_tillbox_...` of reconciliation, that booked it."),
            .required("account", .text, "The ledger account's full name."),
            .required(
                "account_class", .text,
                """
                The account's kind: `processor`, `bank`, `fees`, `charges`, `payable`, \
                `held`, `refund_due`, `disputed`, `adjustments`, `reserves`, `transfers`, \
                `exchange`, `income`, `other`.
                """),
            .optional("merchant", .text, "The merchant, of accounts that are a merchant's."),
            .optional(
                "stripe_account", .text,
                """
                The connected account that a `processor`, `bank`, `fees` (or alike) account \
                is of; null is the platform's own.
                """),
            .required("currency", .text, "Lower case."),
            .required("amount", .integer, "Minor units: a debit above zero, a credit below."),
            .required("effective_at", .moment, "When it took effect: the event's `created`."),
            .required("posted_at", .moment, "When it was booked; milliseconds."),
            .required("hash", .text, "64 hex digits: the transaction's link of the hash chain."),
        ])

    package static let settlements = WarehouseTable(
        .tillbox, "settlements", day: "created",
        key: ["id"],
        sums: [
            .init("amount", by: "currency"),
            .init("fee", by: "currency"),
            .init("net", by: "currency"),
        ],
        about: """
            Stripe's statement as reconciliation read it: one row per balance transaction, \
            with what the ledger makes of it.
            """,
        columns: [
            .required("dt", .day, "The UTC day that the row belongs to; the partition."),
            .required("id", .text, "Stripe's id of the balance transaction."),
            .required(
                "type", .text,
                """
                Stripe's word: `charge`, `refund`, `payout`, `adjustment`, `stripe_fee` and \
                so on.
                """),
            .optional("reporting_category", .text, "Stripe's category."),
            .optional(
                "source", .text, "The object that moved: `ch_...`, `re_...`, `dp_...`, `po_...`."),
            .optional(
                "payment", .text,
                "The charge that a refund or a failure belongs to, where Stripe was asked for it."),
            .optional(
                "stripe_account", .text,
                "The connected account whose statement it is; null is the platform's own."),
            .required("currency", .text, "The balance's currency, lower case."),
            .required(
                "amount", .integer, "Gross, signed: above zero into the balance. Minor units."),
            .required("fee", .integer, "What Stripe kept; below zero where it gave a fee back."),
            .required("net", .integer, "amount - fee: the change of the balance."),
            .required("converted", .flag, "Whether the money was paid in another currency."),
            .required("created", .moment, "When Stripe made it."),
            .required("available_on", .moment, "When it becomes available."),
            .optional(
                "transaction_id", .integer,
                "The ledger's transaction that it settles; null where there is none."),
            .required(
                "finding", .text,
                """
                `matched`, `missing`, `other_amount`, `other_currency`, `duplicate`, \
                `unknown_type`, `unbooked`, `unconverted`.
                """),
            .required("fee_state", .text, "`none`, `booked`, `unbooked`, `other_amount`."),
            .optional(
                "booked_by_run", .integer,
                "The reconciliation run that booked its fee, or all of it."),
        ])

    package static let reconciliationBreaks = WarehouseTable(
        .tillbox, "reconciliation_breaks", day: "occurred_at",
        key: ["id"],
        sums: [
            .init("stripe_amount", by: "stripe_currency"),
            .init("ledger_amount", by: "ledger_currency"),
        ],
        about: "One row per disagreement between Stripe and the ledger, open or resolved.",
        columns: [
            .required("dt", .day, "The UTC day that the row belongs to; the partition."),
            .required("id", .integer, "The break's number."),
            .required(
                "kind", .text,
                """
                `missing_in_ledger`, `missing_at_stripe`, `amount_mismatch`, \
                `currency_mismatch`, `duplicate_at_stripe`, `fee_unbooked`, `late`, \
                `unknown_type`, `event_refused`.
                """),
            .required(
                "subject", .text,
                "What it is about: a balance transaction, a movement or an event."),
            .optional("movement", .text, "The ledger's key, where one is known."),
            .optional("balance_transaction", .text, "Stripe's id."),
            .optional("type", .text, "Stripe's word for the balance transaction."),
            .optional(
                "stripe_account", .text, "The connected account; null is the platform's own."),
            .optional(
                "stripe_currency", .text, "Lower case; null where Stripe knows nothing of it."),
            .optional(
                "stripe_amount", .integer, "The change of the balance at Stripe, minor units."),
            .optional(
                "ledger_currency", .text, "Lower case; null where the ledger knows nothing of it."),
            .optional("ledger_amount", .integer, "The change of `processor:stripe`, minor units."),
            .required("occurred_at", .moment, "When it happened; a break's age counts from here."),
            .required("first_run", .integer, "The reconciliation run that saw it first."),
            .optional(
                "first_seen_at", .moment, "When that run began; null where it is no longer known."),
            .required("is_open", .flag, "Whether no run has resolved it."),
            .optional("resolved_run", .integer, "The run that no longer saw it."),
            .optional("resolved_at", .moment, "When that run ended."),
        ])

    package static let reviews = WarehouseTable(
        .tillbox, "reviews", day: "at",
        key: ["id"],
        about: "One row per change of a review: opened, renewed, closed, or decided by a person.",
        columns: [
            .required("dt", .day, "The UTC day that the row belongs to; the partition."),
            .required(
                "id", .text,
                """
                `review:{n}` of what the ledger opened or closed, \
                `decision:{partition}:{offset}` of a person's decision.
                """),
            .required("movement", .text, "The payment's key in the ledger."),
            .required("state", .text, "`opened`, `approved`, `declined`, `expired`."),
            .required("by", .text, "`scoring`, or the person who decided."),
            .required("is_decision", .flag, "Whether a person said so."),
            .required(
                "took_effect", .flag,
                "False for a decision that changed nothing: another stood, or it was refused."),
            .optional("score", .number, "The model's probability of fraud when it was opened."),
            .required("reasons", .text, "JSON array, as in payments."),
            .optional("note", .text, "What the person wrote."),
            .optional("event_id", .text, "The Stripe event that caused it; null for decisions."),
            .required("at", .moment, "When."),
        ])
}
