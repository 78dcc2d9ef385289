internal import Bridges
import Vocabulary

/// Writes a batch, one statement a table, each row in arrays: parents before their children, and
/// what a rule looks at before what it allows.
struct PostgresWrites {
    private let connection: PostgresConnection

    init(_ connection: PostgresConnection) { self.connection = connection }

    func write(_ batch: PostgresBatch) throws {
        try writeAccounts(batch.newAccounts)
        try writeTransactions(batch.newTransactions, postedAt: batch.postedAt)
        try writeEntries(batch.newEntries)
        try writeStates(batch.states)
        try writeCaptures(batch.captures)
        try writeRefunds(batch.newRefunds)
        try writeWaitingDecisions(batch)
        try writeReviews(batch)
        try writeDecisions(batch.placed)
        try writeNotes(batch)
        try writeReleases(batch)
    }

    /// - Returns: how many rows were written.
    @discardableResult
    private func run(_ sql: String, _ values: [PostgresValue]) throws -> Int {
        try connection.query(sql, values, kept: true).changedCount
    }

    /// - Throws: unless exactly `count` rows were written.
    private func run(_ sql: String, _ values: [PostgresValue], count: Int, _ what: String) throws {
        let written = try run(sql, values)
        guard written == count else {
            throw LedgerError.invariant(
                code: 0, detail: "\(written) of \(count) rows of \(what) were written")
        }
    }

    // MARK: The chain

    private func writeAccounts(
        _ accounts: [(id: Int64, key: PostgresBatch.AccountKey)]
    ) throws {
        guard !accounts.isEmpty else { return }
        try run(
            """
            INSERT INTO accounts (id, name, currency)
            SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[])
            """,
            [
                .integers(accounts.map(\.id)), .texts(accounts.map(\.key.name.rawValue)),
                .texts(accounts.map(\.key.currency.code)),
            ])
    }

    private func writeTransactions(_ rows: [PendingTransaction], postedAt: [Int64]) throws {
        guard !rows.isEmpty else { return }
        try run(
            """
            INSERT INTO transactions
                SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[],
                $5::bigint[], $6::bigint[], $7::bigint[], $8::bytea[])
            """,
            [
                .integers(rows.map(\.id)), .texts(rows.map(\.posting.movement.rawValue)),
                .texts(rows.map(\.posting.eventID.rawValue)),
                .integers(rows.map { Int64($0.posting.kind.rawValue) }),
                .integers(rows.map(\.posting.effectiveAt.seconds)),
                .integers(postedAt), .integers(rows.map(\.standing.rawValue)),
                .byteArrays(rows.map(\.hash)),
            ])
    }

    private func writeEntries(_ rows: [PendingEntry]) throws {
        guard !rows.isEmpty else { return }
        try run(
            """
            INSERT INTO entries SELECT * FROM
                unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[])
            """,
            [
                .integers(rows.map(\.transaction)), .texts(rows.map(\.currency.code)),
                .integers(rows.map(\.sequence)), .integers(rows.map(\.account)),
                .integers(rows.map(\.amount)),
            ])
    }

    // MARK: Charges

    private func writeStates(
        _ states: [Int64: (state: PostgresLookups.Stored.State, isNew: Bool)]
    ) throws {
        for isNew in [true, false] {
            let rows = states.filter { $0.value.isNew == isNew }.sorted { $0.key < $1.key }
            guard !rows.isEmpty else { continue }
            let source = """
                unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[],
                    $6::bigint[]) AS new (id, standing, place, decision, decided_at, moves)
                """
            try run(
                isNew
                    ? "INSERT INTO payment_states SELECT * FROM \(source)"
                    : """
                    UPDATE payment_states s SET standing = new.standing, place = new.place,
                        decision = new.decision, decided_at = new.decided_at, moves = new.moves
                    FROM \(source) WHERE s.transaction_id = new.id
                    """,
                [
                    .integers(rows.map(\.key)),
                    .integers(rows.map(\.value.state.standing.rawValue)),
                    .integers(rows.map { Int64($0.value.state.place.rawValue) }),
                    .integers(rows.map { Int64($0.value.state.decision?.decision.rawValue ?? 0) }),
                    .integers(rows.map { $0.value.state.decision?.at.seconds ?? 0 }),
                    .integers(rows.map(\.value.state.moves)),
                ], count: rows.count, "payment_states")
        }
    }

    private func writeCaptures(
        _ captures: [Int64: (capture: PostgresLookups.Stored.Capture, isNew: Bool)]
    ) throws {
        for isNew in [true, false] {
            let rows = captures.filter { $0.value.isNew == isNew }.sorted { $0.key < $1.key }
            guard !rows.isEmpty else { continue }
            let source = """
                unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS new (id, total, reversed)
                """
            try run(
                isNew
                    ? "INSERT INTO captures SELECT * FROM \(source)"
                    : """
                    UPDATE captures c SET total = new.total, reversed = new.reversed
                    FROM \(source) WHERE c.transaction_id = new.id
                    """,
                [
                    .integers(rows.map(\.key)),
                    .integers(rows.map(\.value.capture.total.rawValue)),
                    .integers(rows.map(\.value.capture.reversed.rawValue)),
                ], count: rows.count, "captures")
        }
    }

    private func writeRefunds(_ refunds: [(charge: String, id: Int64)]) throws {
        guard !refunds.isEmpty else { return }
        try run(
            "INSERT INTO refunds SELECT * FROM unnest($1::text[], $2::bigint[])",
            [.texts(refunds.map(\.charge)), .integers(refunds.map(\.id))])
    }

    private func writeWaitingDecisions(_ batch: PostgresBatch) throws {
        var dropped: [String] = []
        var changed: [Bool: [(String, DatedDecision)]] = [:]
        for (movement, before) in batch.decisionsBefore {
            if let now = batch.decisions[movement] ?? nil {
                changed[before == nil, default: []].append((movement.rawValue, now))
            } else if before != nil {
                dropped.append(movement.rawValue)
            }
        }
        if !dropped.isEmpty {
            try run(
                "DELETE FROM waiting_decisions WHERE movement = ANY ($1)", [.texts(dropped)],
                count: dropped.count, "waiting_decisions")
        }
        for (isNew, rows) in changed {
            let source = """
                unnest($1::text[], $2::bigint[], $3::bigint[]) AS new (movement, decision, at)
                """
            try run(
                isNew
                    ? "INSERT INTO waiting_decisions SELECT * FROM \(source)"
                    : """
                    UPDATE waiting_decisions w SET decision = new.decision, decided_at = new.at
                    FROM \(source) WHERE w.movement = new.movement
                    """,
                [
                    .texts(rows.map(\.0)), .integers(rows.map { Int64($0.1.decision.rawValue) }),
                    .integers(rows.map(\.1.at.seconds)),
                ], count: rows.count, "waiting_decisions")
        }
    }

    // MARK: Reviews

    /// One statement for all rows, but that a row which closes what the same statement opens would
    /// be refused: from there on another one begins.
    private func writeReviews(_ batch: PostgresBatch) throws {
        var rest = batch.newReviews[...]
        while !rest.isEmpty {
            var opened: Set<Int64> = []
            let run = rest.prefix { row in
                if !row.wasOpen { opened.insert(row.transaction) }
                return row.isOpen || !opened.contains(row.transaction)
            }
            rest = rest.dropFirst(run.count)
            try append(Array(run))
            try writeOpenReviews(Array(run))
        }
        try close(batch.decided.sorted())
    }

    private func append(_ reviews: [PostgresBatch.NewReview]) throws {
        let changes = reviews.map(\.change)
        try run(
            """
            INSERT INTO reviews SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[],
                $4::text[], $5::bigint[], $6::bigint[], $7::double precision[], $8::text[],
                $9::text[])
            """,
            [
                .integers(changes.map(\.id)), .integers(reviews.map(\.transaction)),
                .texts(changes.map(\.record.state.rawValue)),
                .texts(changes.map(\.eventID.rawValue)),
                .integers(changes.map(\.record.at.seconds)),
                .integers(changes.map(\.postedAtMilliseconds)),
                .doubles(changes.map(\.record.score)),
                .texts(changes.map { ReviewReasons.text($0.record.reasons) }),
                .texts(changes.map(\.record.note)),
            ])
    }

    /// What was closed goes, and opens anew where it does; what was renewed names its last row.
    private func writeOpenReviews(_ reviews: [PostgresBatch.NewReview]) throws {
        var wasOpen: [Int64: Bool] = [:]
        var (closed, last): (Set<Int64>, [Int64: PostgresBatch.NewReview]) = ([], [:])
        for row in reviews {
            wasOpen[row.transaction] = wasOpen[row.transaction] ?? row.wasOpen
            if !row.isOpen { closed.insert(row.transaction) }
            last[row.transaction] = row
        }
        try close(closed.sorted())
        let open = last.values.filter(\.isOpen).sorted { $0.transaction < $1.transaction }
        func isRenewed(_ row: PostgresBatch.NewReview) -> Bool {
            wasOpen[row.transaction] == true && !closed.contains(row.transaction)
        }
        let new = open.filter { !isRenewed($0) }
        if !new.isEmpty {
            try run(
                "INSERT INTO open_reviews SELECT * FROM unnest($1::bigint[], $2::bigint[])",
                [.integers(new.map(\.transaction)), .integers(new.map(\.change.id))])
        }
        let renewed = open.filter(isRenewed)
        guard !renewed.isEmpty else { return }
        try run(
            """
            UPDATE open_reviews o SET review = new.review
            FROM unnest($1::bigint[], $2::bigint[]) AS new (id, review)
            WHERE o.transaction_id = new.id
            """,
            [.integers(renewed.map(\.transaction)), .integers(renewed.map(\.change.id))],
            count: renewed.count, "open_reviews")
    }

    private func close(_ transactions: [Int64]) throws {
        guard !transactions.isEmpty else { return }
        try run(
            "DELETE FROM open_reviews WHERE transaction_id = ANY ($1)",
            [.integers(transactions)], count: transactions.count, "open_reviews")
    }

    private func writeDecisions(_ decisions: [PlacedDecision]) throws {
        guard !decisions.isEmpty else { return }
        let (places, records) = (decisions.map(\.place), decisions.map(\.record))
        try run(
            """
            INSERT INTO decisions SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[],
                $4::text[], $5::text[], $6::text[], $7::bigint[], $8::text[], $9::bigint[])
            """,
            [
                .integers(places.map { Int64($0.partition) }), .integers(places.map(\.decision)),
                .integers(places.map(\.scoredNext)), .texts(records.map(\.movement.rawValue)),
                .texts(records.map(\.state.rawValue)), .texts(records.map(\.by)),
                .integers(records.map(\.at.seconds)), .texts(records.map(\.note)),
                .integers(decisions.map { $0.tookEffect ? 1 : 0 }),
            ])
    }

    // MARK: Notes

    private func writeNotes(_ batch: PostgresBatch) throws {
        for isNew in [true, false] {
            let rows = batch.changedNotes.filter { $0.value == isNew }
                .compactMap { batch.notes[$0.key] ?? nil }
                .sorted { $0.key.rawValue < $1.key.rawValue }
            guard !rows.isEmpty else { continue }
            let source = """
                unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
                    $7::bigint[], $8::text[], $9::bigint[], $10::bigint[], $11::bigint[])
                    AS new (\(WaitingRow.columns))
                """
            try run(
                isNew
                    ? "INSERT INTO waiting (\(WaitingRow.columns)) SELECT * FROM \(source)"
                    : """
                    UPDATE waiting w SET charge = new.charge, account = new.account,
                        merchant = new.merchant, currency = new.currency, amount = new.amount,
                        event_id = new.event_id, since = new.since, said = new.said,
                        state = new.state
                    FROM \(source) WHERE w.key = new.key AND w.kind = new.kind
                    """, values(of: rows), count: rows.count, "waiting")
        }
    }

    private func values(of rows: [WaitingMovement]) -> [PostgresValue] {
        [
            .texts(rows.map(\.key.rawValue)), .texts(rows.map(\.kind.rawValue)),
            .texts(rows.map(\.charge)), .texts(rows.map { $0.account ?? "" }),
            .texts(rows.map(\.merchant.rawValue)), .texts(rows.map(\.currency.code)),
            .integers(rows.map(\.amount.rawValue)), .texts(rows.map(\.eventID.rawValue)),
            .integers(rows.map(\.since.seconds)), .integers(rows.map(\.said.weight)),
            .integers(rows.map(\.state.rawValue)),
        ]
    }

    private func writeReleases(_ batch: PostgresBatch) throws {
        for isNew in [true, false] {
            let rows = batch.changedReleases.filter { $0.value == isNew }.map(\.key).sorted()
                .compactMap { charge in
                    (batch.releases[charge] ?? nil).map { (charge: charge, release: $0) }
                }
            guard !rows.isEmpty else { continue }
            let source = """
                unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::bigint[])
                    AS new (charge, currency, amount, refund, moves)
                """
            try run(
                isNew
                    ? "INSERT INTO releases SELECT * FROM \(source)"
                    : """
                    UPDATE releases r SET amount = new.amount, refund = new.refund,
                        moves = new.moves
                    FROM \(source) WHERE r.charge = new.charge AND r.currency = new.currency
                    """,
                [
                    .texts(rows.map(\.charge)), .texts(rows.map(\.release.currency.code)),
                    .integers(rows.map(\.release.amount.rawValue)),
                    .texts(rows.map { $0.release.refund ?? "" }),
                    .integers(rows.map(\.release.moves)),
                ], count: rows.count, "releases")
        }
    }

    // MARK: Positions

    /// Each from the value that it was read with: another one there is another's hand.
    func write(positions: [(position: ConsumerPosition, from: Int64?)]) throws {
        for isNew in [true, false] {
            let rows = positions.filter { ($0.from == nil) == isNew }
            guard !rows.isEmpty else { continue }
            let values: [PostgresValue] = [
                .texts(rows.map(\.position.topic)),
                .integers(rows.map { Int64($0.position.partition) }),
                .integers(rows.map(\.position.nextOffset)),
            ]
            if isNew {
                try run(
                    """
                    INSERT INTO positions SELECT * FROM
                        unnest($1::text[], $2::bigint[], $3::bigint[])
                    """, values, count: rows.count, "positions")
            } else {
                try run(
                    """
                    UPDATE positions p SET next_offset = new.next
                    FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[])
                        AS new (topic, partition, next, expected)
                    WHERE p.topic = new.topic AND p.partition = new.partition
                        AND p.next_offset = new.expected
                    """, values + [.integers(rows.map { $0.from ?? 0 })], count: rows.count,
                    "positions")
            }
        }
    }
}
