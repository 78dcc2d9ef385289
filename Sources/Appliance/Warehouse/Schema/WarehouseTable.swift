import Vocabulary

/// A column of a table, in BigQuery's types (docs/WAREHOUSE.md).
package struct WarehouseColumn: Sendable {
    package enum Kind: String, Sendable {
        case text = "STRING"
        case integer = "INT64"
        case number = "FLOAT64"
        case flag = "BOOL"
        /// UTC, `2026-11-26T09:30:00Z`, with milliseconds where they are known.
        case moment = "TIMESTAMP"
        /// `2026-11-26`, UTC.
        case day = "DATE"
    }

    /// Where the value stands in an object of Stripe's.
    enum Source: Sendable {
        /// A member, or one of a member: `billing_details.name`.
        case member(String)
        /// The id of what a member names, as an id or as the object itself.
        case id(String)
        /// The Stripe account of the event.
        case account
        /// The first of a dispute's balance transactions.
        case firstBalanceTransaction
        /// A payout's destination, where it is that.
        case bankDestination
        case cardDestination
        /// The legacy source of a charge, where it is a card.
        case cardSource
        /// Whether the event tells that the object is gone.
        case deleted
    }

    package let name: String
    package let kind: Kind
    /// Whether every row has a value.
    package let isRequired: Bool
    package let about: String
    /// nil where it does not come from an object of Stripe's.
    let source: Source?

    /// Members that look like words and are none: masking one would lose a key, or a number that
    /// somebody else gives out.
    private static let givenOut: Set<String> = [
        "id", "phone", "shipping.phone", "billing_details.phone", "shipping.tracking_number",
    ]

    /// Whether a person may have typed what stands in it, and a card number with it.
    var isFreeText: Bool {
        guard kind == .text, case .member(let path)? = source else { return false }
        return !Self.givenOut.contains(path)
    }

    static func required(
        _ name: String, _ kind: Kind, from source: Source? = nil, _ about: String
    ) -> Self {
        Self(name: name, kind: kind, isRequired: true, about: about, source: source)
    }

    static func optional(
        _ name: String, _ kind: Kind, from source: Source? = nil, _ about: String
    ) -> Self {
        Self(name: name, kind: kind, isRequired: false, about: about, source: source)
    }
}

/// A table of the warehouse: what its rows are and in which files they stand.
package struct WarehouseTable: Sendable {
    /// Whose shape it has.
    package enum Dataset: String, Sendable {
        case tillbox
        /// As Fivetran's Stripe source lays it out.
        case stripe
    }

    /// A money column that the manifest sums, and the column that names its currency.
    package struct Sum: Sendable {
        package let column: String
        package let currency: String

        init(_ column: String, by currency: String) {
            (self.column, self.currency) = (column, currency)
        }
    }

    package let dataset: Dataset
    package let name: String
    /// The column whose UTC day a row belongs to; `1970-01-01` where rows have no day.
    package let day: String
    /// The columns that name a row.
    package let key: [String]
    package let sums: [Sum]
    package let about: String
    package let columns: [WarehouseColumn]

    init(
        _ dataset: Dataset, _ name: String, day: String, key: [String], sums: [Sum] = [],
        about: String, columns: [WarehouseColumn]
    ) {
        self.dataset = dataset
        self.name = name
        self.day = day
        self.key = key
        self.sums = sums
        self.about = about
        self.columns = columns
    }

    /// The folder of its days, from the export's own on.
    package var path: String { dataset == .tillbox ? name : "\(dataset.rawValue)/\(name)" }

    /// Raised with every change to a table's columns or to what stands in them.
    package static let schemaVersion: Int64 = 1

    /// Every table, in the order of docs/WAREHOUSE.md.
    package static let all: [WarehouseTable] = [
        .payments, .ledgerEntries, .settlements, .reconciliationBreaks, .reviews,
        .account, .balanceTransaction, .fee, .charge, .refund, .dispute, .payout,
        .payoutBalanceTransaction, .customer, .card, .paymentIntent, .paymentMethod,
        .paymentMethodCard, .transfer,
    ]
}

/// `deploy/warehouse/schema.json`: the tables for other programs.
package enum WarehouseSchema {
    package static let format: StaticString = "tillbox-warehouse-schema/1"

    /// One JSON document.
    package static func document() -> [UInt8] {
        var writer = JSONWriter(capacity: 1 << 16)
        writer.beginObject()
        writer.member("format", format.description)
        writer.member("schema_version", WarehouseTable.schemaVersion)
        writer.key("tables")
        writer.beginObject()
        for table in WarehouseTable.all {
            writer.key(named: table.name)
            encode(table, into: &writer)
        }
        writer.endObject()
        writer.endObject()
        return writer.bytes
    }

    private static func encode(_ table: WarehouseTable, into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("dataset", table.dataset.rawValue)
        writer.member("path", table.path)
        writer.member("description", table.about)
        writer.key("partition")
        writer.beginObject()
        writer.member("column", "dt")
        writer.member("type", "DAY")
        writer.member("from", table.day)
        writer.endObject()
        writer.key("key")
        writer.beginArray()
        for name in table.key { writer.string(name) }
        writer.endArray()
        writer.key("sums")
        writer.beginArray()
        for sum in table.sums {
            writer.beginObject()
            writer.member("column", sum.column)
            writer.member("currency", sum.currency)
            writer.endObject()
        }
        writer.endArray()
        writer.key("columns")
        writer.beginArray()
        for column in table.columns { encode(column, into: &writer) }
        writer.endArray()
        writer.endObject()
    }

    private static func encode(_ column: WarehouseColumn, into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("name", column.name)
        writer.member("type", column.kind.rawValue)
        writer.member("mode", column.isRequired ? "REQUIRED" : "NULLABLE")
        writer.member("description", column.about)
        writer.endObject()
    }
}
