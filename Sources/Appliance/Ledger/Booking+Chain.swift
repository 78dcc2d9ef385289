import Vocabulary

/// From a posting to a transaction of the chain.
extension Booking {
    /// Books a posting unless its movement stands in the ledger; one look into the index serves
    /// for both. Nothing may be pending.
    /// - Returns: whether it was booked.
    func bookFirst(
        _ posting: Posting, _ standing: Standing, _ merchant: MerchantID, _ index: Int
    ) throws -> Bool {
        guard try append(posting, standing, merchant, index) else {
            // A movement that is booked needs no room for its amount.
            if try rows.isBooked(posting.movement) { return false }
            throw PostingRefusal.balanceOverflow
        }
        let isBooked = try storePending(opensReviews: true) == 1
        if !isBooked { takeBackPending() }
        pending.removeAll(keepingCapacity: true)
        return isBooked
    }

    /// Books postings whose movements the rules know to be new: all of them, or a refusal. Nothing
    /// may be pending.
    func book(_ postings: [Posting], _ standing: Standing, _ index: Int) throws {
        for posting in postings {
            guard try append(posting, standing, nil, index) else {
                takeBackPending()
                pending.removeAll(keepingCapacity: true)
                throw PostingRefusal.balanceOverflow
            }
        }
        let stored = try storePending(opensReviews: false)
        pending.removeAll(keepingCapacity: true)
        guard stored == postings.count else {
            throw LedgerError.invariant(
                code: 0,
                detail: "\(postings[stored].movement) is booked, against the rules' knowledge")
        }
    }

    /// Makes a posting the next of the chain, to be stored later.
    /// - Parameter merchant: given where a repetition is to be recognised by it.
    /// - Returns: false, with nothing changed, when a balance would overflow.
    func append(
        _ posting: Posting, _ standing: Standing, _ merchant: MerchantID?, _ index: Int
    ) throws -> Bool {
        guard let last = head else { preconditionFailure("a batch has begun without its head") }
        guard let indexes = try accounts.add(posting.entries, in: rows) else { return false }
        let id = last.id + 1
        let hash = canonical.hash(after: last.hash, id: TransactionID(id), posting)
        pending.append(
            PendingTransaction(
                id: id, posting: posting, standing: standing, previous: last.hash, hash: hash,
                accounts: indexes, input: index))
        head = ChainHead(id: id, hash: hash)
        if let merchant { recent.add(posting, standing, merchant) }
        return true
    }

    /// Undoes `append` of everything that is pending.
    private func takeBackPending() {
        if let first = pending.first { head = ChainHead(id: first.id - 1, hash: first.previous) }
        for row in pending { takeBack(row) }
    }

    func takeBack(_ row: PendingTransaction) {
        accounts.take(back: row.posting.entries, row.accounts)
        recent.remove(row.posting.movement)
    }

    /// - Parameter opensReviews: of payments that are held by their own scoring; where more is
    ///   known of a payment, its state decides.
    /// - Returns: how many of the pending transactions are stored; see `LedgerRows.insert`.
    func storePending(opensReviews: Bool) throws -> Int {
        if pending.isEmpty { return 0 }
        let count = try insertPending()
        for number in 0..<count {
            let row = pending[number]
            try insertEntries(of: row)
            let transaction = PostedTransaction(
                id: TransactionID(row.id), posting: row.posting,
                postedAtMilliseconds: try stamp(of: row), hash: row.hash)
            try original?.confirm(transaction)
            posted.append(transaction)
            if opensReviews, row.posting.kind == .payment, row.standing.place == .held {
                try openReview(of: row)
            }
        }
        return count
    }

    /// - Returns: how many are stored.
    private func insertPending() throws -> Int {
        guard stamps != nil else { return try rows.insert(pending, postedAt: postedAt) }
        var count = 0
        while count < pending.count {
            let postedAt = try stamp(of: pending[count])
            let run = try pending[count...].prefix { try stamp(of: $0) == postedAt }
            let stored = try rows.insert(Array(run), postedAt: postedAt)
            count += stored
            guard stored == run.count else { break }
        }
        return count
    }

    /// When a transaction was booked: now, or when it was for the first time.
    private func stamp(of row: PendingTransaction) throws -> Int64 {
        try stamps?.stamp(ofTransaction: row.id) ?? postedAt
    }

    private func openReview(of row: PendingTransaction) throws {
        guard case .scored(let scored) = inputs[row.input] else { return }
        try keep(row.posting.movement) {
            .opened(scored, ReviewFinding(scored), id: $0, postedAt: $1)
        }
    }

    private func insertEntries(of row: PendingTransaction) throws {
        for (number, entry) in row.posting.entries.enumerated() {
            try rows.insert(
                PendingEntry(
                    transaction: row.id, currency: entry.currency, sequence: Int64(number + 1),
                    account: try accounts.id(at: row.accounts[number], of: entry, in: rows),
                    amount: entry.amount.rawValue))
        }
    }
}
