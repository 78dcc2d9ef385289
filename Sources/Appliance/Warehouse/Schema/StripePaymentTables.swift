/// Stripe's objects of payments, as Fivetran lays them out.
extension WarehouseTable {
    package static let charge = WarehouseTable(
        .stripe, "charge", day: "created",
        key: ["id"], sums: [.init("amount", by: "currency")],
        about: "Every charge that a webhook told of, in its last telling.",
        columns: [
            .required("dt", .day, "The UTC day that the row belongs to; the partition."),
            .required("id", .text, from: .member("id"), "Stripe's id."),
            .required(
                "amount", .integer, from: .member("amount"), "Presentment amount, minor units."),
            .optional(
                "amount_refunded", .integer, from: .member("amount_refunded"), "Refunded so far."),
            .optional(
                "application_fee_amount", .integer, from: .member("application_fee_amount"),
                "The platform's fee."),
            .optional(
                "balance_transaction_id", .text, from: .id("balance_transaction"),
                "From the event, else from the statement; null if failed or not captured."),
            .required(
                "captured", .flag, from: .member("captured"),
                "False for a failed or uncaptured one."),
            .optional("card_id", .text, from: .cardSource, "Legacy source, where it is a card."),
            .optional(
                "connected_account_id", .text, from: .account,
                "The event's account; null is the own."),
            .required("created", .moment, from: .member("created"), "When it was made."),
            .required("currency", .text, from: .member("currency"), "Lower case."),
            .optional("customer_id", .text, from: .id("customer"), "Stripe's id."),
            .optional(
                "description", .text, from: .member("description"), "As the merchant wrote it."),
            .optional("failure_code", .text, from: .member("failure_code"), "Why it failed."),
            .optional(
                "failure_message", .text, from: .member("failure_message"), "The same in words."),
            .optional("invoice_id", .text, from: .id("invoice"), "Stripe's id."),
            .required(
                "livemode", .flag, from: .member("livemode"),
                "Real money or not; one mode an export."),
            .optional("metadata", .text, from: .member("metadata"), "JSON text."),
            .optional("paid", .flag, from: .member("paid"), "Succeeded, or authorised."),
            .optional("payment_intent_id", .text, from: .id("payment_intent"), "Stripe's id."),
            .optional("payment_method_id", .text, from: .id("payment_method"), "Stripe's id."),
            .optional(
                "receipt_email", .text, from: .member("receipt_email"), "Where the receipt went."),
            .optional("receipt_number", .text, from: .member("receipt_number"), "Of the receipt."),
            .optional("refunded", .flag, from: .member("refunded"), "In full."),
            .optional(
                "statement_descriptor", .text, from: .member("statement_descriptor"),
                "What the payer's bank shows."),
            .optional(
                "calculated_statement_descriptor", .text,
                from: .member("calculated_statement_descriptor"),
                "The same, whole."),
            .optional(
                "status", .text, from: .member("status"), "`succeeded`, `pending`, `failed`."),
            .optional(
                "shipping_address_line_1", .text, from: .member("shipping.address.line1"),
                "shipping.address.line1, as Stripe has it."),
            .optional(
                "shipping_address_line_2", .text, from: .member("shipping.address.line2"),
                "shipping.address.line2, as Stripe has it."),
            .optional(
                "shipping_address_city", .text, from: .member("shipping.address.city"),
                "shipping.address.city, as Stripe has it."),
            .optional(
                "shipping_address_state", .text, from: .member("shipping.address.state"),
                "shipping.address.state, as Stripe has it."),
            .optional(
                "shipping_address_postal_code", .text,
                from: .member("shipping.address.postal_code"),
                "shipping.address.postal_code, as Stripe has it."),
            .optional(
                "shipping_address_country", .text, from: .member("shipping.address.country"),
                "shipping.address.country, as Stripe has it."),
            .optional(
                "shipping_name", .text, from: .member("shipping.name"),
                "shipping.name, as Stripe has it."),
            .optional(
                "shipping_phone", .text, from: .member("shipping.phone"),
                "shipping.phone, as Stripe has it."),
            .optional(
                "shipping_carrier", .text, from: .member("shipping.carrier"),
                "shipping.carrier, as Stripe has it."),
            .optional(
                "shipping_tracking_number", .text, from: .member("shipping.tracking_number"),
                "shipping.tracking_number, as Stripe has it."),
            .optional(
                "billing_detail_name", .text, from: .member("billing_details.name"),
                "billing_details.name, as Stripe has it."),
            .optional(
                "billing_detail_email", .text, from: .member("billing_details.email"),
                "billing_details.email, as Stripe has it."),
            .optional(
                "billing_detail_phone", .text, from: .member("billing_details.phone"),
                "billing_details.phone, as Stripe has it."),
            .optional(
                "billing_detail_address_line1", .text,
                from: .member("billing_details.address.line1"),
                "billing_details.address.line1, as Stripe has it."),
            .optional(
                "billing_detail_address_line2", .text,
                from: .member("billing_details.address.line2"),
                "billing_details.address.line2, as Stripe has it."),
            .optional(
                "billing_detail_address_city", .text, from: .member("billing_details.address.city"),
                "billing_details.address.city, as Stripe has it."),
            .optional(
                "billing_detail_address_state", .text,
                from: .member("billing_details.address.state"),
                "billing_details.address.state, as Stripe has it."),
            .optional(
                "billing_detail_address_postal_code", .text,
                from: .member("billing_details.address.postal_code"),
                "billing_details.address.postal_code, as Stripe has it."),
            .optional(
                "billing_detail_address_country", .text,
                from: .member("billing_details.address.country"),
                "billing_details.address.country, as Stripe has it."),
            .optional("source_id", .text, from: .id("source"), "Legacy source."),
            .optional("source_transfer", .text, from: .id("source_transfer"), "Stripe's id."),
            .required(
                "_fivetran_synced", .moment,
                "When this row's state became known; a fact of the row, not of the export."),
        ])

    package static let customer = WarehouseTable(
        .stripe, "customer", day: "created",
        key: ["id"],
        about: """
            Every customer that a webhook told of; of those that only a charge named, the id \
            and when it was first seen.
            """,
        columns: [
            .required("dt", .day, "The UTC day that the row belongs to; the partition."),
            .required("id", .text, from: .member("id"), "Stripe's id."),
            .required("livemode", .flag, from: .member("livemode"), "Real or not."),
            .required(
                "created", .moment, from: .member("created"),
                "When it was made; where only a charge named it, when that was made."),
            .optional("email", .text, from: .member("email"), "The address."),
            .optional("name", .text, from: .member("name"), "The name."),
            .optional(
                "description", .text, from: .member("description"), "As the merchant wrote it."),
            .optional("phone", .text, from: .member("phone"), "The number."),
            .optional("currency", .text, from: .member("currency"), "Lower case."),
            .optional("balance", .integer, from: .member("balance"), "Minor units."),
            .optional(
                "account_balance", .integer, from: .member("account_balance"),
                "The same before API 2019-10-17."),
            .optional(
                "delinquent", .flag, from: .member("delinquent"), "Whether an invoice is overdue."),
            .optional(
                "is_deleted", .flag, from: .deleted, "Whether Stripe told that it was deleted."),
            .optional(
                "default_card_id", .text, from: .id("default_source"), "Legacy default source."),
            .optional("bank_account_id", .text, "Always null."),
            .optional(
                "address_line_1", .text, from: .member("address.line1"),
                "address.line1, as Stripe has it."),
            .optional(
                "address_line_2", .text, from: .member("address.line2"),
                "address.line2, as Stripe has it."),
            .optional(
                "address_city", .text, from: .member("address.city"),
                "address.city, as Stripe has it."),
            .optional(
                "address_state", .text, from: .member("address.state"),
                "address.state, as Stripe has it."),
            .optional(
                "address_postal_code", .text, from: .member("address.postal_code"),
                "address.postal_code, as Stripe has it."),
            .optional(
                "address_country", .text, from: .member("address.country"),
                "address.country, as Stripe has it."),
            .optional(
                "shipping_address_line_1", .text, from: .member("shipping.address.line1"),
                "shipping.address.line1, as Stripe has it."),
            .optional(
                "shipping_address_line_2", .text, from: .member("shipping.address.line2"),
                "shipping.address.line2, as Stripe has it."),
            .optional(
                "shipping_address_city", .text, from: .member("shipping.address.city"),
                "shipping.address.city, as Stripe has it."),
            .optional(
                "shipping_address_state", .text, from: .member("shipping.address.state"),
                "shipping.address.state, as Stripe has it."),
            .optional(
                "shipping_address_postal_code", .text,
                from: .member("shipping.address.postal_code"),
                "shipping.address.postal_code, as Stripe has it."),
            .optional(
                "shipping_address_country", .text, from: .member("shipping.address.country"),
                "shipping.address.country, as Stripe has it."),
            .optional(
                "shipping_name", .text, from: .member("shipping.name"),
                "shipping.name, as Stripe has it."),
            .optional(
                "shipping_phone", .text, from: .member("shipping.phone"),
                "shipping.phone, as Stripe has it."),
            .optional("metadata", .text, from: .member("metadata"), "JSON text."),
            .required(
                "_fivetran_synced", .moment,
                "When this row's state became known; a fact of the row, not of the export."),
        ])

    package static let card = WarehouseTable(
        .stripe, "card", day: "1970-01-01",
        key: ["id"],
        about: """
            Always empty: cards of the Sources API are not followed. The package wants the \
            table.
            """,
        columns: [
            .required("dt", .day, "The UTC day that the row belongs to; the partition."),
            .required("id", .text, "Stripe's id."),
            .optional("brand", .text, "The network."),
            .optional("funding", .text, "`credit`, `debit`, `prepaid`."),
            .optional("country", .text, "ISO 3166 alpha-2."),
            .required(
                "_fivetran_synced", .moment,
                "When this row's state became known; a fact of the row, not of the export."),
        ])

    package static let paymentIntent = WarehouseTable(
        .stripe, "payment_intent", day: "created",
        key: ["id"], sums: [.init("amount", by: "currency")],
        about: "Every payment intent that a webhook told of, in its last telling.",
        columns: [
            .required("dt", .day, "The UTC day that the row belongs to; the partition."),
            .required("id", .text, from: .member("id"), "Stripe's id."),
            .required("livemode", .flag, from: .member("livemode"), "Real money or not."),
            .required("amount", .integer, from: .member("amount"), "Minor units."),
            .optional(
                "amount_capturable", .integer, from: .member("amount_capturable"),
                "Authorised and not captured."),
            .optional("amount_received", .integer, from: .member("amount_received"), "Captured."),
            .optional(
                "application_fee_amount", .integer, from: .member("application_fee_amount"),
                "The platform's fee."),
            .required("created", .moment, from: .member("created"), "When it was made."),
            .optional(
                "canceled_at", .moment, from: .member("canceled_at"), "When it was canceled."),
            .required("currency", .text, from: .member("currency"), "Lower case."),
            .optional("customer_id", .text, from: .id("customer"), "Stripe's id."),
            .optional("payment_method_id", .text, from: .id("payment_method"), "Stripe's id."),
            .optional(
                "capture_method", .text, from: .member("capture_method"), "`automatic`, `manual`."),
            .optional(
                "confirmation_method", .text, from: .member("confirmation_method"),
                "`automatic`, `manual`."),
            .optional(
                "cancellation_reason", .text, from: .member("cancellation_reason"),
                "Why it was canceled."),
            .optional("status", .text, from: .member("status"), "Stripe's word."),
            .optional(
                "description", .text, from: .member("description"), "As the merchant wrote it."),
            .optional(
                "receipt_email", .text, from: .member("receipt_email"), "Where the receipt went."),
            .optional(
                "statement_descriptor", .text, from: .member("statement_descriptor"),
                "What the payer's bank shows."),
            .optional("application", .text, from: .id("application"), "Stripe's id."),
            .optional("metadata", .text, from: .member("metadata"), "JSON text."),
            .optional(
                "connected_account_id", .text, from: .account,
                "The event's account; null is the own."),
            .required(
                "_fivetran_synced", .moment,
                "When this row's state became known; a fact of the row, not of the export."),
        ])

    package static let paymentMethod = WarehouseTable(
        .stripe, "payment_method", day: "created",
        key: ["id"],
        about: "Every payment method that a webhook or a charge told of.",
        columns: [
            .required("dt", .day, "The UTC day that the row belongs to; the partition."),
            .required("id", .text, from: .member("id"), "Stripe's id."),
            .required("type", .text, from: .member("type"), "`card`, `sepa_debit` and so on."),
            .required("livemode", .flag, from: .member("livemode"), "Real or not."),
            .required(
                "created", .moment, from: .member("created"),
                "When it was made; where only a charge told of it, when that was made."),
            .optional("customer_id", .text, from: .id("customer"), "Stripe's id."),
            .optional("metadata", .text, from: .member("metadata"), "JSON text."),
            .required(
                "_fivetran_synced", .moment,
                "When this row's state became known; a fact of the row, not of the export."),
        ])

    package static let paymentMethodCard = WarehouseTable(
        .stripe, "payment_method_card", day: "created",
        key: ["payment_method_id"],
        about: "The card of each payment method of type card. The day is the payment method's.",
        columns: [
            .required("dt", .day, "The UTC day that the row belongs to; the partition."),
            .required("payment_method_id", .text, from: .member("id"), "Stripe's id."),
            .optional("brand", .text, from: .member("card.brand"), "The network."),
            .optional(
                "funding", .text, from: .member("card.funding"), "`credit`, `debit`, `prepaid`."),
            .optional("type", .text, from: .member("type"), "Always `card`."),
            .optional(
                "wallet_type", .text, from: .member("card.wallet.type"),
                "`apple_pay`, `google_pay` and so on."),
            .optional(
                "country", .text, from: .member("card.country"), "ISO 3166 alpha-2 of the issuer."),
            .optional("last_4", .text, from: .member("card.last4"), "The last four digits."),
            .required(
                "_fivetran_synced", .moment,
                "When this row's state became known; a fact of the row, not of the export."),
        ])
}
