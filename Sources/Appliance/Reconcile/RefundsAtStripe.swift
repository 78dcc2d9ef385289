import AppendLog
import Appliance
import Logging
import Vocabulary

/// What Stripe is asked about single refunds, where neither an event nor a line of the statement
/// alone tells what they are: the release of an authorisation, or money that went back.
extension ReconciliationRun {
    /// Settles refunds that stand open in the statement or wait in the ledger.
    ///
    /// - Parameter open: rows of refunds and failures that do not agree.
    /// - Returns: whether rows have to be judged again.
    func settleRefunds(_ open: [Settlement], _ run: RunRecord) async throws -> Bool {
        let refunds = try await learnPayments(open)
        var hasChanged = refunds != open
        if try await joinReleases(refunds) { hasChanged = true }
        let waiting = try await blocking { [ledger] () throws(LedgerError) in
            try ledger.waiting()
        }
        for wait in waiting.prefix(limits.confirmCountMax) {
            try Task.checkCancellation()
            do {
                try await settle(wait, run)
                hasChanged = true
            } catch let error as StripeError where error.isOfAccount {
                logger.warning("a refund that waits cannot be looked up", metadata: [
                    "refund": "\(wait.key)", "error": "\(error)",
                ])
            }
        }
        return hasChanged
    }

    /// Asks for the charges of refunds and failures where the row does not say.
    ///
    /// - Returns: the same rows with what is known now.
    private func learnPayments(_ open: [Settlement]) async throws -> [Settlement] {
        var rows = open
        var learnt: [Settlement] = []
        for index in rows.indices where rows[index].statement.payment == nil {
            try Task.checkCancellation()
            guard let read = try await line(of: rows[index], withSource: true)?.read,
                let payment = read.payment
            else { continue }
            rows[index].statement.payment = payment
            learnt.append(rows[index])
        }
        let found = learnt
        try await blocking { [store] () throws(LedgerError) in try store.judge(found) }
        return rows
    }

    /// A capture of a part may stand in the statement as the whole and a refund of the rest: the
    /// ledger holds what was captured, and the two lines settle that together.
    ///
    /// - Returns: whether there was such a one.
    private func joinReleases(_ open: [Settlement]) async throws -> Bool {
        let refunds = open.filter { $0.isRefund && $0.statement.payment != nil }
        return try await blocking { [store, ledger] () throws(LedgerError) in
            var hasJoined = false
            for var refund in refunds {
                let isTakenBack = try Self.isTakenBack(refund, ledger)
                guard refund.finding == .missing || isTakenBack else { continue }
                let statement = refund.statement
                let key = "charge:\(statement.payment ?? "")"
                guard let held = try ledger.movements([key])[key], held.account == refund.account,
                    held.currency == statement.currency
                else { continue }
                let listed = try store.settledAmount(of: held.transaction).sum
                guard listed != held.amount, listed &+ statement.amount == held.amount else {
                    continue
                }
                refund.transaction = held.transaction
                refund.held = held.amount
                refund.finding = .none
                try store.judge([refund])
                hasJoined = true
            }
            return hasJoined
        }
    }

    /// Whether the ledger has taken a refund back since it booked it.
    private static func isTakenBack(
        _ refund: Settlement, _ ledger: LedgerMoment
    ) throws(LedgerError) -> Bool {
        let key = "refund:\(refund.statement.source)"
        guard refund.finding == .otherAmount else { return false }
        return try ledger.movements([key])[key]?.amount == .zero
    }
}

// MARK: - What waits in the ledger

extension ReconciliationRun {
    /// Books a refund that waits by its line, or ends its waiting where the statement has passed
    /// its time and shows none.
    private func settle(_ wait: WaitingMovement, _ run: RunRecord) async throws {
        let account = StripeAccount(wait.account ?? "")
        let isOfCharge = wait.kind == .refundsOfCharge
        let refunds =
            isOfCharge
            ? try await refunds(of: wait.charge, account)
            : [String(wait.key.rawValue.dropFirst("refund:".count))]
        var lines: [BalanceTransaction] = []
        for refund in refunds { lines += try await self.lines(of: refund, account) }
        guard lines.isEmpty else { return try await book(lines, of: wait, account, run) }
        guard try await hasPassed(wait.since, account) else { return }
        try await release(wait, account, run)
    }

    private func refunds(of charge: String, _ account: StripeAccount) async throws -> [String] {
        var refunds: [String] = []
        var place = StripePlace(in: "/v1/refunds")
        while place.hasMore {
            let page = try await client.reading(account).page(
                place.path, [("charge", charge)], after: place.cursor
            ) { (json) throws(RecordCodecError) in try json.requiredString("id") }
            try place.move(behind: page.items.last, hasMore: page.hasMore)
            refunds += page.items
        }
        return refunds
    }

    private func lines(
        of source: String, _ account: StripeAccount
    ) async throws -> [BalanceTransaction] {
        do throws(StripeError) {
            return try await client.reading(account).page(
                Self.statement, [("source", source)], after: nil
            ) { (json) throws(RecordCodecError) in try BalanceTransaction(json: json) }.items
        } catch {
            if case .notFound = error { return [] }
            throw error
        }
    }

    /// Appends what the lines tell, unless they belong to a capture of a part: then the waiting
    /// ends as the release that it was.
    private func book(
        _ lines: [BalanceTransaction], of wait: WaitingMovement, _ account: StripeAccount,
        _ run: RunRecord
    ) async throws {
        let key = "charge:\(wait.charge)"
        for found in lines where found.amount < .zero {
            let settlement = Settlement(statement: found, account: account)
            let (isBooked, isJoined) = try await blocking {
                [ledger, store] () throws(LedgerError) in
                let booked = try ledger.movements([key, "refund:\(found.source)"])
                let row = try store.transaction(of: found)
                return (
                    booked["refund:\(found.source)"] != nil,
                    row != nil && row == booked[key]?.transaction
                )
            }
            if isJoined { return try await release(wait, account, run) }
            guard !isBooked,
                let (_, body) = try await line(of: settlement, withSource: true)
            else { continue }
            // A dry run notes in its scratch what it would book.
            try await records?.append([
                OwnRecords.settlement(
                    of: settlement, source: body[...], livemode: run.livemode ?? false)
            ])
            try await claim(settlement, for: run)
        }
    }

    /// Notes who has booked a row, so that the run waits until the ledger has it.
    private func claim(_ settlement: Settlement, for run: RunRecord) async throws {
        try await blocking { [ledger, store] () throws(LedgerError) in
            let booked = try ledger.movements(SettlementMatcher.keys(of: settlement.statement))
            var earlier = settlement
            (earlier.bookedBy, earlier.isBookedWhole) = (run.id, true)
            let matcher = SettlementMatcher(booked: booked, account: settlement.account)
            try store.store(
                [matcher.match(settlement.statement, earlier: earlier)], run: run.id, done: nil)
        }
    }

    /// Whether the statement of an account is written beyond a moment and the time that a line may
    /// take: by Stripe's own times, so that no clock of ours ends a waiting too early.
    private func hasPassed(_ moment: Instant, _ account: StripeAccount) async throws -> Bool {
        let newest = try await blocking { [store] () throws(LedgerError) in
            try store.newest(of: account)
        }
        return newest.map { $0.seconds >= moment.seconds + limits.graceSeconds } ?? false
    }

    private func release(
        _ wait: WaitingMovement, _ account: StripeAccount, _ run: RunRecord
    ) async throws {
        guard let records else { return }
        let isOfCharge = wait.kind == .refundsOfCharge
        let id = String(wait.key.rawValue.drop { $0 != ":" }.dropFirst())
        let path = (isOfCharge ? "/v1/charges/" : "/v1/refunds/") + StripeClient.encoded(id)
        let (isUnderWay, body) = try await client.reading(account).bytes(path) {
            (json) throws(RecordCodecError) in
            let status = try json.optionalString("status")
            return !isOfCharge && (status == "pending" || status == "requires_action")
        }
        // The bank has not answered yet: its line may still come.
        guard !isUnderWay else { return }
        try await records.append([
            OwnRecords.released(
                id, account, source: body[...], at: wait.since, livemode: run.livemode ?? false)
        ])
        logger.info("a refund that was told has moved no money: it was a release", metadata: [
            "refund": "\(wait.key)", "charge": "\(wait.charge)",
            "why": "the statement has passed its time and shows no line of it",
        ])
    }
}

extension Settlement {
    /// Whether Stripe may know more of it than the line says: whose refund it is.
    var asksForPayment: Bool {
        guard finding == .missing || finding == .otherAmount else { return false }
        if case .failedPayment(nil, _) = statement.meaning { return true }
        return isRefund
    }

    fileprivate var isRefund: Bool {
        let type = BalanceTransactionType(rawValue: statement.type)
        return (type == .refund || type == .paymentRefund) && statement.amount < .zero
    }
}
