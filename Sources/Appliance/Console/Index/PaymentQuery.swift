import GRDB
package import Vocabulary

/// A place in the list of payments, newest first: behind it the next page begins. Neither what is
/// added nor what changes moves a payment, so that paging neither skips nor repeats one.
package struct PaymentPlace: Hashable, Sendable {
    /// When the payment was made, in seconds since 1970, and its row.
    var created: Int64
    var id: Int64

    init(created: Int64, id: Int64) {
        (self.created, self.id) = (created, id)
    }

    /// As a page names it: `1767225600.42`.
    package init?(_ token: String) {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, let created = Int64(parts[0]), let id = Int64(parts[1]), id > 0
        else { return nil }
        self.init(created: created, id: id)
    }

    package var token: String { "\(created).\(id)" }
}

/// What payments are asked for: all that is given must hold.
package struct PaymentQuery: Hashable, Sendable {
    /// The beginning of an id: of a charge, a payment intent, an event, a refund or a dispute.
    package var name: String?
    /// Exactly this charge.
    package var charge: String?
    /// A movement that is of the payment: a refund's, a dispute's, a note's.
    package var movement: String?
    package var customer: String?
    /// Minor units, in whichever currency.
    package var amount: Int64?
    /// Thousandths of the major unit, in whichever currency.
    package var thousandths: Int64?
    package var lastFour: String?
    /// One of these; any where it is empty.
    package var verdicts: [Verdict] = []
    package var places: [MoneyPlace] = []
    package var review: ReviewState?
    package var currency: Currency?
    package var merchant: String?
    package var account: String?
    /// When it was made, both included.
    package var from: Instant?
    package var to: Instant?
    /// Milliseconds since 1970: when its first webhook was kept, included.
    package var seenFrom: Int64?
    /// Minor units, both included.
    package var amountFrom: Int64?
    package var amountTo: Int64?
    package var after: PaymentPlace?
    /// Rows of a page: at least 1.
    package var limit = 100

    package init() {}

    /// The one verdict that is asked for.
    package var verdict: Verdict? {
        get { verdicts.count == 1 ? verdicts[0] : nil }
        set { verdicts = newValue.map { [$0] } ?? [] }
    }

    /// The one place that is asked for.
    package var place: MoneyPlace? {
        get { places.count == 1 ? places[0] : nil }
        set { places = newValue.map { [$0] } ?? [] }
    }

    /// The same as queries of one verdict and one place at most, no two of which pick the same.
    var single: [PaymentQuery] {
        guard verdicts.count > 1 || places.count > 1 else { return [self] }
        func each<Word>(_ words: [Word]) -> [[Word]] {
            words.count > 1 ? words.map { [$0] } : [words]
        }
        return each(verdicts).flatMap { verdict in
            each(places).map { place in
                var query = self
                (query.verdicts, query.places) = (verdict, place)
                return query
            }
        }
    }
}

/// A page of the list.
package struct PaymentPage: Hashable, Sendable {
    package var rows: [PaymentRow]
    /// nil at the end.
    package var next: PaymentPlace?
}

/// More payments begin so than are looked at.
package struct TooManyNames: Error, Hashable {
    package var most: Int
}

extension PaymentIndex {
    /// Candidates up to which an index that does not have the order of the list is read and sorted.
    package static let sortedCountMax = 2_000

    /// Payments that a query picks, newest first. Costs what the narrowest of its filters lets
    /// through, at most a page of it where that has the list's order. Blocking.
    ///
    /// - Throws: ``TooManyNames``, and `StoreFailure`.
    package func payments(_ query: PaymentQuery) throws -> PaymentPage {
        var query = query
        query.limit += 1
        let asked = query
        let found = try reading { database in
            let statement = try Self.statement(asked, database)
            return Result { () throws(TooManyNames) in
                guard let statement else { throw TooManyNames(most: Self.sortedCountMax) }
                return statement
            }.map { statement in
                Result {
                    try Row.fetchAll(
                        database, sql: statement.sql, arguments: statement.arguments
                    ).map { PaymentRow($0) }
                }
            }
        }
        var rows = try found.get().get()
        let isMore = rows.count == query.limit
        if isMore { rows.removeLast() }
        let next = isMore ? rows.last?.listPlace : nil
        return PaymentPage(rows: rows, next: next)
    }

    struct Statement {
        var sql: String
        var arguments: StatementArguments
    }

    /// Of several verdicts or places each is read in the order of the list, a page of it at most,
    /// and the newest of all of them are the page.
    ///
    /// - Returns: nil where too many names match.
    static func statement(_ query: PaymentQuery, _ database: Database) throws -> Statement? {
        let queries = query.single
        if queries.count == 1 { return try one(query, database) }
        var (parts, arguments) = ([String](), StatementArguments())
        for query in queries {
            guard let part = try one(query, database) else { return nil }
            parts.append("SELECT * FROM (\(part.sql))")
            arguments += part.arguments
        }
        return Statement(
            sql: parts.joined(separator: " UNION ALL ")
                + " ORDER BY created DESC, id DESC LIMIT ?",
            arguments: arguments + [query.limit])
    }

    private static func one(
        _ query: PaymentQuery, _ database: Database
    ) throws -> Statement? {
        let equals = query.equals
        var (best, fewest): (String?, Int) = ("payments_created", sortedCountMax)
        for (column, value) in equals {
            let count = try count(
                "payments INDEXED BY payments_\(column) WHERE \(column) = ?", [value], database)
            if count < fewest { (best, fewest) = ("payments_\(column)", count) }
        }
        // Of those that match too often to be counted, the first has the list's order all the same.
        if fewest == sortedCountMax, let first = equals.first {
            best = "payments_\(first.column)"
        }
        if let range = query.amounts {
            let count = try count(
                "payments INDEXED BY payments_amount WHERE amount BETWEEN ? AND ?",
                [range.lowerBound, range.upperBound], database)
            if count < fewest { (best, fewest) = ("payments_amount", count) }
        }
        if let seenFrom = query.seenFrom {
            let count = try count(
                "payments INDEXED BY payments_first_seen WHERE first_seen >= ?", [seenFrom],
                database)
            if count < fewest { (best, fewest) = ("payments_first_seen", count) }
        }
        var names: StatementArguments?
        if let name = query.name {
            let bounds: StatementArguments = [name, name + "\u{10FFFF}"]
            let count = try count("names WHERE name >= ? AND name < ?", bounds, database)
            guard count < sortedCountMax else { return nil }
            (names, best) = (bounds, nil)
        }
        // A charge is one row, which its own index finds.
        if query.movement != nil { best = nil }
        let hint = query.charge == nil ? best.map { "INDEXED BY \($0)" } ?? "NOT INDEXED" : ""
        return query.statement(hint: hint, names: names)
    }

    /// How many there are, as far as that matters.
    private static func count(
        _ rest: String, _ arguments: StatementArguments, _ database: Database
    ) throws -> Int {
        try Int.fetchOne(
            database, sql: "SELECT count(*) FROM (SELECT 1 FROM \(rest) LIMIT \(sortedCountMax))",
            arguments: arguments) ?? 0
    }
}

extension PaymentQuery {
    /// The filters that ask for one value of a column, those that pick least first.
    fileprivate var equals: [(column: String, value: any DatabaseValueConvertible)] {
        let all: [(String, (any DatabaseValueConvertible)?)] = [
            ("customer", customer), ("last_four", lastFour), ("amount", amount),
            ("thousandths", thousandths), ("review", review?.rawValue), ("account", account),
            ("place", place?.rawValue), ("verdict", verdict?.rawValue), ("merchant", merchant),
            ("currency", currency?.code),
        ]
        return all.compactMap { column, value in value.map { (column, $0) } }
    }

    /// nil where amounts are not bounded.
    fileprivate var amounts: (lowerBound: Int64, upperBound: Int64)? {
        guard amountFrom != nil || amountTo != nil else { return nil }
        return (amountFrom ?? 0, amountTo ?? .max)
    }

    fileprivate func statement(
        hint: String, names: StatementArguments?
    ) -> PaymentIndex.Statement {
        // What is no payment yet has no `created`, and so is in no list.
        let newest = min(to?.seconds ?? .max, after?.created ?? .max)
        var conditions = ["created <= ?"]
        var arguments: StatementArguments = [newest]
        func add(_ condition: String, _ values: StatementArguments) {
            conditions.append(condition)
            arguments += values
        }
        if let after {
            add("(created < ? OR id < ?)", [after.created, after.id])
        }
        if let charge { add("charge = ?", [charge]) }
        if let movement {
            add("id IN (SELECT payment FROM names WHERE name = ?)", [movement])
        }
        if let from { add("created >= ?", [from.seconds]) }
        if let seenFrom { add("first_seen >= ?", [seenFrom]) }
        for (column, value) in equals { add("\(column) = ?", [value]) }
        if let amounts { add("amount BETWEEN ? AND ?", [amounts.lowerBound, amounts.upperBound]) }
        if let names {
            add("id IN (SELECT payment FROM names WHERE name >= ? AND name < ?)", names)
        }
        arguments += [limit]
        return PaymentIndex.Statement(
            sql: "SELECT * FROM payments \(hint) WHERE \(conditions.joined(separator: " AND ")) "
                + "ORDER BY created DESC, id DESC LIMIT ?",
            arguments: arguments)
    }
}

extension PaymentQuery {
    /// Asks for the payment that a movement is of, by the movement's key.
    mutating func take(movement key: String) {
        let origin = RecordLooker.origin(of: key)
        charge = RecordLooker.charge(in: origin)
        movement = charge == nil ? origin : nil
    }
}

extension PaymentRow {
    /// nil for what is in no list yet.
    var listPlace: PaymentPlace? {
        told.map { PaymentPlace(created: $0.created.seconds, id: id) }
    }
}
