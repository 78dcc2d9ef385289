/// Stripe's objects that move money or tell of it, as Fivetran lays them out.
extension WarehouseTable {
    package static let account = WarehouseTable(
        .stripe, "account", day: "1970-01-01",
        key: ["id"],
        about: """
            Exactly one row: the own account. Its id is Stripe's where an account event told \
            it, else `acct_own`.
            """,
        columns: [
            .required("dt", .day, "The UTC day that the row belongs to; the partition."),
            .required("id", .text, "Stripe's id, or `acct_own`."),
            .optional("country", .text, from: .member("country"), "Null where no event told it."),
            .optional("created", .moment, from: .member("created"), "Null where no event told it."),
            .optional("default_currency", .text, from: .member("default_currency"), "Lower case."),
            .optional("email", .text, from: .member("email"), "The account's address."),
            .optional(
                "business_type", .text, from: .member("business_type"), "`company`, `individual`."),
            .optional(
                "charges_enabled", .flag, from: .member("charges_enabled"),
                "Whether it may charge."),
            .optional(
                "payouts_enabled", .flag, from: .member("payouts_enabled"),
                "Whether it may be paid out."),
            .optional("is_deleted", .flag, from: .deleted, "Always false."),
            .optional("metadata", .text, from: .member("metadata"), "JSON text."),
            .optional("type", .text, from: .member("type"), "`standard` and so on."),
            .required(
                "_fivetran_synced", .moment,
                "When this row's state became known; a fact of the row, not of the export."),
        ])

    package static let balanceTransaction = WarehouseTable(
        .stripe, "balance_transaction", day: "created",
        key: ["id"],
        sums: [
            .init("amount", by: "currency"),
            .init("fee", by: "currency"),
            .init("net", by: "currency"),
        ],
        about: "Every line of Stripe's statement that reconciliation has read.",
        columns: [
            .required("dt", .day, "The UTC day that the row belongs to; the partition."),
            .required("id", .text, "Stripe's id."),
            .required("amount", .integer, "Gross, signed, minor units."),
            .required("fee", .integer, "Above zero is a cost."),
            .required("net", .integer, "amount - fee."),
            .required("currency", .text, "The settlement currency, lower case."),
            .required("created", .moment, "When Stripe made it."),
            .required("available_on", .moment, "When it becomes available."),
            .required("type", .text, "Stripe's word."),
            .optional("reporting_category", .text, "Stripe's category."),
            .optional("source", .text, "The id of the object that moved."),
            .optional("description", .text, "Always null: reconciliation does not keep it."),
            .optional("connected_account_id", .text, "Null is the own account."),
            .optional(
                "exchange_rate", .number,
                "Always null: reconciliation keeps only whether there was one."),
            .optional(
                "status", .text, "Always null: it would follow from available_on and the clock."),
            .required(
                "_fivetran_synced", .moment,
                "When this row's state became known; a fact of the row, not of the export."),
        ])

    package static let fee = WarehouseTable(
        .stripe, "fee", day: "created",
        key: ["balance_transaction_id", "index"], sums: [.init("amount", by: "currency")],
        about: """
            What Stripe kept of each balance transaction: one row where its fee is not zero. \
            The day is the balance transaction's.
            """,
        columns: [
            .required("dt", .day, "The UTC day that the row belongs to; the partition."),
            .required("balance_transaction_id", .text, "The line it belongs to."),
            .required(
                "index", .integer, "Always 0: reconciliation keeps the sum of Stripe's details."),
            .required("amount", .integer, "Equal to balance_transaction.fee."),
            .required("currency", .text, "Lower case."),
            .required("type", .text, "Always `stripe_fee`."),
            .optional("application", .text, "Always null."),
            .optional("description", .text, "Always null."),
            .required(
                "_fivetran_synced", .moment,
                "When this row's state became known; a fact of the row, not of the export."),
        ])

    package static let refund = WarehouseTable(
        .stripe, "refund", day: "created",
        key: ["id"], sums: [.init("amount", by: "currency")],
        about: "Every refund that a webhook told of, in its last telling.",
        columns: [
            .required("dt", .day, "The UTC day that the row belongs to; the partition."),
            .required("id", .text, from: .member("id"), "Stripe's id."),
            .required("amount", .integer, from: .member("amount"), "Above zero, minor units."),
            .optional(
                "balance_transaction_id", .text, from: .id("balance_transaction"),
                "From the event, else from the statement; null where it moved nothing."),
            .optional("charge_id", .text, from: .id("charge"), "The charge."),
            .optional("payment_intent_id", .text, from: .id("payment_intent"), "Stripe's id."),
            .optional(
                "reason", .text, from: .member("reason"),
                "`duplicate`, `fraudulent`, `requested_by_customer`."),
            .required("created", .moment, from: .member("created"), "When it was made."),
            .required("currency", .text, from: .member("currency"), "Lower case."),
            .optional("description", .text, from: .member("description"), "As Stripe has it."),
            .optional("metadata", .text, from: .member("metadata"), "JSON text."),
            .optional("receipt_number", .text, from: .member("receipt_number"), "Of the receipt."),
            .optional(
                "status", .text, from: .member("status"),
                "`pending`, `succeeded`, `failed`, `canceled`."),
            .optional(
                "failure_balance_transaction_id", .text, from: .id("failure_balance_transaction"),
                "The line that gave it back."),
            .optional("failure_reason", .text, from: .member("failure_reason"), "Why it failed."),
            .optional(
                "connected_account_id", .text, from: .account,
                "The event's account; null is the own."),
            .required(
                "_fivetran_synced", .moment,
                "When this row's state became known; a fact of the row, not of the export."),
        ])

    package static let dispute = WarehouseTable(
        .stripe, "dispute", day: "created",
        key: ["id"], sums: [.init("amount", by: "currency")],
        about: "Every dispute that a webhook told of, in its last telling.",
        columns: [
            .required("dt", .day, "The UTC day that the row belongs to; the partition."),
            .required("id", .text, from: .member("id"), "Stripe's id."),
            .required("charge_id", .text, from: .id("charge"), "The charge."),
            .required("amount", .integer, from: .member("amount"), "Above zero, minor units."),
            .required("currency", .text, from: .member("currency"), "Lower case."),
            .required("created", .moment, from: .member("created"), "When it was opened."),
            .optional(
                "reason", .text, from: .member("reason"),
                "`fraudulent`, `product_not_received` and so on."),
            .required(
                "status", .text, from: .member("status"),
                "`won`, `lost`, `under_review`, `needs_response`, `warning_...`."),
            .required("livemode", .flag, from: .member("livemode"), "Real money or not."),
            .optional(
                "balance_transaction", .text, from: .firstBalanceTransaction,
                "The first of its balance transactions, where the event lists them."),
            .optional(
                "connected_account_id", .text, from: .account,
                "The event's account; null is the own."),
            .optional(
                "is_charge_refundable", .flag, from: .member("is_charge_refundable"),
                "Whether the charge can still be refunded instead."),
            .optional("metadata", .text, from: .member("metadata"), "JSON text."),
            .optional(
                "evidence_due_by", .moment, from: .member("evidence_details.due_by"),
                "Until when evidence is taken."),
            .required(
                "_fivetran_synced", .moment,
                "When this row's state became known; a fact of the row, not of the export."),
        ])

    package static let payout = WarehouseTable(
        .stripe, "payout", day: "created",
        key: ["id"], sums: [.init("amount", by: "currency")],
        about: "Every payout that a webhook told of, in its last telling.",
        columns: [
            .required("dt", .day, "The UTC day that the row belongs to; the partition."),
            .required("id", .text, from: .member("id"), "Stripe's id."),
            .required(
                "amount", .integer, from: .member("amount"),
                "Above zero, minor units; below zero where Stripe debits the bank."),
            .required(
                "automatic", .flag, from: .member("automatic"),
                "Made by Stripe's schedule; Stripe's own value, false where it names none."),
            .required(
                "arrival_date", .moment, from: .member("arrival_date"), "When the bank has it."),
            .required("created", .moment, from: .member("created"), "When it was made."),
            .required("currency", .text, from: .member("currency"), "Lower case."),
            .required(
                "status", .text, from: .member("status"),
                "`pending`, `in_transit`, `paid`, `failed`, `canceled`."),
            .required("type", .text, from: .member("type"), "`bank_account` or `card`."),
            .optional("description", .text, from: .member("description"), "As Stripe has it."),
            .optional(
                "destination_bank_account_id", .text, from: .bankDestination,
                "The destination, where it is a bank account."),
            .optional(
                "destination_card_id", .text, from: .cardDestination,
                "The destination, where it is a card."),
            .optional(
                "balance_transaction_id", .text, from: .id("balance_transaction"),
                """
                The original (withdrawing) line, for failed ones too; from the event, else \
                from the statement; null until either told it.
                """),
            .required("livemode", .flag, from: .member("livemode"), "Real money or not."),
            .optional("method", .text, from: .member("method"), "`standard` or `instant`."),
            .optional(
                "source_type", .text, from: .member("source_type"), "`card`, `bank_account`."),
            .optional("metadata", .text, from: .member("metadata"), "JSON text."),
            .optional(
                "failure_balance_transaction_id", .text, from: .id("failure_balance_transaction"),
                "The line that gave it back."),
            .optional("failure_code", .text, from: .member("failure_code"), "Why it failed."),
            .optional(
                "connected_account_id", .text, from: .account,
                "The event's account; null is the own."),
            .required(
                "_fivetran_synced", .moment,
                "When this row's state became known; a fact of the row, not of the export."),
        ])

    package static let payoutBalanceTransaction = WarehouseTable(
        .stripe, "payout_balance_transaction", day: "created",
        key: ["payout_id", "balance_transaction_id"],
        about: """
            The lines of the statement that an automatic payout paid out, the payout's own \
            included, as Stripe lists them. The day is the payout's.
            """,
        columns: [
            .required("dt", .day, "The UTC day that the row belongs to; the partition."),
            .required("payout_id", .text, "Stripe's id of the payout."),
            .required("balance_transaction_id", .text, "Stripe's id of the line."),
            .required(
                "_fivetran_synced", .moment,
                "When this row's state became known; a fact of the row, not of the export."),
        ])

    package static let transfer = WarehouseTable(
        .stripe, "transfer", day: "created",
        key: ["id"], sums: [.init("amount", by: "currency")],
        about: "Every transfer to a connected account that a webhook told of.",
        columns: [
            .required("dt", .day, "The UTC day that the row belongs to; the partition."),
            .required("id", .text, from: .member("id"), "Stripe's id."),
            .optional(
                "balance_transaction_id", .text, from: .id("balance_transaction"),
                "From the event, else from the statement."),
            .required("livemode", .flag, from: .member("livemode"), "Real money or not."),
            .required("amount", .integer, from: .member("amount"), "Above zero, minor units."),
            .optional(
                "amount_reversed", .integer, from: .member("amount_reversed"),
                "Taken back so far."),
            .required("created", .moment, from: .member("created"), "When it was made."),
            .required("currency", .text, from: .member("currency"), "Lower case."),
            .optional(
                "description", .text, from: .member("description"), "As the platform wrote it."),
            .optional("destination", .text, from: .id("destination"), "The connected account."),
            .optional(
                "destination_payment_id", .text, from: .id("destination_payment"),
                "The seller's payment."),
            .optional("reversed", .flag, from: .member("reversed"), "In full."),
            .optional(
                "source_transaction_id", .text, from: .id("source_transaction"),
                "The charge that it is made of."),
            .optional(
                "source_type", .text, from: .member("source_type"), "`card`, `bank_account`."),
            .optional(
                "transfer_group", .text, from: .member("transfer_group"),
                "As the platform wrote it."),
            .optional("metadata", .text, from: .member("metadata"), "JSON text."),
            .required(
                "_fivetran_synced", .moment,
                "When this row's state became known; a fact of the row, not of the export."),
        ])
}
