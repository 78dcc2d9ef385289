package import AppendLog
import GRDB
package import Vocabulary

/// A record that is about a payment.
package struct TrailStep: Hashable, Sendable {
    package var topic: TopicID
    /// nil in a log whose topics have one.
    package var partition: Int32?
    package var offset: Offset
    package var at: Timestamp
    /// A webhook's type, a movement's kind, a verdict, a review's state, the kind of a transaction,
    /// a dead letter's reason, or `redrive`.
    package var word: String

    var lane: SourceLane { SourceLane(topic: topic, partition: partition ?? 0) }
}

extension PaymentIndex {
    /// A payment by any movement of it or that the ledger made of one, by its id, or by that of a
    /// refund, a dispute, an event or a payment intent of it; nil where there is none. Blocking.
    package func payment(_ words: String) throws(StoreFailure) -> PaymentRow? {
        let origin = RecordLooker.origin(of: words)
        let name = RecordLooker.charge(in: origin) ?? origin
        return try reading { database in
            try Row.fetchOne(
                database,
                sql: """
                    SELECT payments.* FROM names JOIN payments ON payments.id = names.payment
                    WHERE names.name = ? AND payments.created IS NOT NULL
                    ORDER BY payments.id LIMIT 1
                    """, arguments: [name]
            ).map { PaymentRow($0) }
        }
    }

    /// Every record about a payment, at most `limit`, in the order of time and, at one moment, of
    /// the topics. Blocking.
    package func trail(of row: PaymentRow, limit: Int) throws(StoreFailure) -> [TrailStep] {
        try reading { database in
            let rows = try Row.fetchAll(
                database,
                sql: """
                    SELECT topic, partition, offset, at, word FROM trail WHERE payment = ?
                    ORDER BY at, topic, partition, offset LIMIT ?
                    """, arguments: [row.id, limit])
            return rows.compactMap { row in
                TopicID(number: row["topic"]).map { topic in
                    TrailStep(
                        topic: topic, partition: hasPartitions ? (row["partition"] as Int32) : nil,
                        offset: Offset(row["offset"]),
                        at: Timestamp(milliseconds: row["at"]), word: row["word"])
                }
            }
        }
    }

    /// Where the vectors of the customer's payments before this one lie in `payment.features`, the
    /// newest first, of each payment its newest; none for a payment without a customer. Blocking.
    package func earlierVectors(
        of row: PaymentRow, limit: Int
    ) throws(StoreFailure) -> [SourcePlace] {
        guard let told = row.told, let customer = told.customer else { return [] }
        // Where tellings of a payment went to several partitions, that of the last of them.
        func newest(_ column: String) -> String {
            """
            (SELECT t.\(column) FROM trail t WHERE t.payment = p.id AND t.topic = ?
                ORDER BY t.partition DESC, t.offset DESC LIMIT 1)
            """
        }
        let features = TopicID.paymentFeatures
        return try reading { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT \(newest("partition")) AS partition, \(newest("offset")) AS newest
                    FROM payments p INDEXED BY payments_customer
                    WHERE p.customer = ? AND p.created <= ?
                        AND (p.created < ? OR p.id < ?) AND newest IS NOT NULL
                    ORDER BY p.created DESC, p.id DESC LIMIT ?
                    """,
                arguments: [
                    features.number, features.number, customer, told.created.seconds,
                    told.created.seconds, row.id, limit,
                ]
            ).map {
                SourcePlace(
                    topic: features, partition: $0["partition"], offset: Offset($0["newest"]))
            }
        }
    }
}

extension TopicID {
    init?(number: Int64) {
        guard let topic = TopicID.allCases.first(where: { $0.number == number }) else { return nil }
        self = topic
    }
}

/// How many there were of something on a day, and their sum in minor units.
package struct DaySum: Hashable, Sendable {
    /// Days since 1970-01-01, UTC.
    package var day: Int64
    /// `usd`
    package var currency: String
    /// What there was: `fees`, `booked:` with a posting's kind, `verdict:` with a verdict,
    /// `review:` with a state.
    package var word: String
    package var count: Int64
    /// Minor units.
    package var amount: Int64
}

extension PaymentIndex {
    /// Sums of the days from `from` to `to`, both included, by day and currency. Blocking.
    package func sums(
        of words: [String], from: Instant, to: Instant
    ) throws(StoreFailure) -> [DaySum] {
        let marks = words.map { _ in "?" }.joined(separator: ", ")
        return try reading { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT * FROM days WHERE day BETWEEN ? AND ? AND word IN (\(marks))
                    ORDER BY day, currency, word
                    """,
                arguments: [from.utcDay, to.utcDay] + StatementArguments(words)
            ).map {
                DaySum(
                    day: $0["day"], currency: $0["currency"], word: $0["word"],
                    count: $0["count"], amount: $0["amount"])
            }
        }
    }
}
