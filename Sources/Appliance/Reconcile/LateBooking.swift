import AppendLog
import Appliance
import Vocabulary

extension ReconciliationRun {
    /// Books rows that could not be booked as they were read: what they take back may have reached
    /// the ledger since, or only their source says what to book. Their bytes were not kept, so
    /// Stripe is asked for them again.
    func book(_ settlements: [Settlement], for id: Int64) async throws {
        guard let records else { return }
        let (run, due) = (try await record(id), dueBefore)
        var parts = TakenParts()
        for settlement in settlements {
            try Task.checkCancellation()
            guard let (read, body) = try await line(of: settlement) else { continue }
            let before = parts
            let (claimed, drafts, taken) = try await blocking {
                [ledger, store] () throws(LedgerError) in
                var booked = try ledger.movements(SettlementMatcher.keys(of: read))
                let matcher = SettlementMatcher(
                    booked: booked, account: settlement.account, dueBefore: due)
                var claimed = matcher.match(read, earlier: settlement)
                var taken = before
                try taken.take(
                    for: &claimed, rate: ConvertedLines.rate(in: body[...]), &booked, store, ledger)
                // What got no part is asked for again: its fee alone does not claim it.
                if claimed.isForUsToBook, claimed.finding != .duplicate {
                    claimed.bookedBy = id
                    claimed.isBookedWhole = claimed.finding == .unbooked
                }
                let drafts = OwnRecords.drafts(
                    of: claimed, source: body[...], livemode: run.livemode ?? false,
                    booked: booked, hasSource: true)
                return (claimed, drafts, taken)
            }
            parts = taken
            // Appended before it is claimed: nobody takes up again what a crash left claimed.
            try await records.append(drafts)
            try await blocking { [store] () throws(LedgerError) in
                try store.store([claimed], run: id, done: nil)
            }
        }
    }

    /// The parts of movements that this booking has given to lines, and the ledger not booked yet.
    private struct TakenParts: Sendable {
        private var parts: [Int64: [String: MinorUnits]] = [:]

        /// Gives a line that is one of several its part, as if the ledger held no more; or none,
        /// where nothing is left, or others of an earlier booking are still under way.
        mutating func take(
            for line: inout Settlement, rate: Double?, _ booked: inout [String: LedgerMovement],
            _ store: StatementStore, _ ledger: LedgerMoment
        ) throws(LedgerError) {
            guard line.finding == .unconverted, let transaction = line.transaction,
                case .movement(let key, _, _) = line.statement.meaning, var movement = booked[key]
            else { return }
            let lines = try store.lines(of: transaction)
            guard lines.contains(where: { $0.id != line.statement.id }) else { return }
            let others = lines.filter { $0.id != line.statement.id && $0.isUnderWay }
            guard others.isEmpty || parts[transaction] != nil else {
                return line.finding = .duplicate
            }
            let left = try ConvertedLines.left(
                of: movement, lines: lines.map(\.id), parts: parts[transaction] ?? [:], ledger)
            let part = ConvertedLines.part(of: line.statement, rate: rate, left, of: movement)
            guard part != .zero else { return line.finding = .duplicate }
            parts[transaction, default: [:]][line.statement.id] = part
            movement.amount = part
            booked[key] = movement
        }
    }

    /// A balance transaction as Stripe writes it now, with its source in full where that is needed;
    /// nil where it is another than was read, or gone: the next reading of its period sees that.
    func line(
        of settlement: Settlement, withSource: Bool = false
    ) async throws -> (read: BalanceTransaction, body: [UInt8])? {
        let statement = settlement.statement
        let expand = withSource || settlement.needsSource ? statement.expansion : []
        let query = StripeClient.encoded(expand.map { ("expand[]", $0) })
        let path = "\(Self.statement)/\(StripeClient.encoded(statement.id))"
        do throws(StripeError) {
            var (read, body) = try await client.reading(settlement.account).bytes(
                query.isEmpty ? path : path + "?" + query
            ) { (json) throws(RecordCodecError) in try BalanceTransaction(json: json) }
            read.payment = read.payment ?? statement.payment
            var plain = read
            plain.payment = statement.payment
            return plain == statement ? (read, body) : nil
        } catch {
            if case .notFound = error { return nil }
            throw error
        }
    }
}

extension BalanceTransaction {
    /// What has to be written out of its source, for it to say all that the webhook would.
    fileprivate var expansion: [String] {
        switch BalanceTransactionType(rawValue: type) {
        case .transferRefund: ["source", "source.transfer"]
        case .applicationFeeRefund: ["source", "source.fee"]
        default: ["source"]
        }
    }
}
