package import Appliance
package import Reconcile
package import Vocabulary

/// What an export reads, in whichever plane.
package struct WarehouseSource {
    /// Of the log: an export of another one begins anew.
    package var name: String
    /// Stripe's objects are exported of one mode.
    package var livemode: Bool
    /// The partitions of a topic, in their order.
    package var lanes: (TopicID) throws -> [TopicReader]
    package var ledger: any LedgerSQL
    package var statement: StatementStore
    /// nil without an API key: what payouts are made of stays unknown.
    package var members: PayoutMembers?

    package init(
        name: String, livemode: Bool, lanes: @escaping (TopicID) throws -> [TopicReader],
        ledger: any LedgerSQL, statement: StatementStore, members: PayoutMembers?
    ) {
        self.name = name
        self.livemode = livemode
        self.lanes = lanes
        self.ledger = ledger
        self.statement = statement
        self.members = members
    }
}

/// What an export did.
package struct WarehouseReport: Hashable, Sendable {
    package struct Table: Hashable, Sendable {
        package var dataset: String
        package var name: String
        /// Days that were looked at.
        package var days: Int64 = 0
        package var written: Int64 = 0
        package var corrected: Int64 = 0
        /// Rows of the files that were written or corrected.
        package var rows: Int64 = 0
    }

    package var tables: [Table] = []
    /// Objects of Stripe's that lack what a row has, in what was read this time.
    package var unreadable: Int64 = 0
    /// Automatic payouts whose lines are not known.
    package var unknownPayouts: Int64 = 0

    package func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("tables")
        writer.beginArray()
        for table in tables {
            writer.beginObject()
            writer.member("dataset", table.dataset)
            writer.member("table", table.name)
            writer.member("days", table.days)
            writer.member("written", table.written)
            writer.member("corrected", table.corrected)
            writer.member("rows", table.rows)
            writer.endObject()
        }
        writer.endArray()
        writer.member("unreadable_objects", unreadable)
        writer.member("payouts_without_parts", unknownPayouts)
        writer.endObject()
    }
}
