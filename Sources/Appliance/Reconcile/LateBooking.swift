extension ReconciliationRun {
    /// Books rows that were read before they could be: the payment whose failure one is may have
    /// reached the ledger since. Their bytes were not kept, so Stripe is asked for them again.
    func book(_ settlements: [Settlement], for id: Int64) async throws {
        guard let records else { return }
        let run = try await record(id)
        for settlement in settlements {
            try Task.checkCancellation()
            guard let body = try await body(of: settlement.statement) else { continue }
            let (claimed, drafts) = try await blocking { [ledger] () throws(LedgerError) in
                let statement = settlement.statement
                let booked = try ledger.movements(SettlementMatcher.keys(of: statement))
                var claimed = SettlementMatcher(booked: booked).match(statement)
                if claimed.isForUsToBook { claimed.bookedBy = id }
                let drafts = OwnRecords.drafts(
                    of: claimed, source: body[...], livemode: run.livemode ?? false,
                    booked: booked)
                return (claimed, drafts)
            }
            // Appended before it is claimed: nobody takes up again what a crash left claimed.
            try await records.append(drafts)
            try await blocking { [store] () throws(LedgerError) in
                try store.store([claimed], run: id, done: nil)
            }
        }
    }

    /// A balance transaction as Stripe writes it now; nil where it is another than was read, or
    /// gone: the next reading of its period sees that.
    private func body(of statement: BalanceTransaction) async throws -> [UInt8]? {
        do throws(StripeError) {
            let path = "\(Self.statement)/\(StripeClient.encoded(statement.id))"
            let (read, body) = try await client.bytes(path) {
                (json) throws(RecordCodecError) in try BalanceTransaction(json: json)
            }
            return read == statement ? body : nil
        } catch {
            if case .notFound = error { return nil }
            throw error
        }
    }
}
