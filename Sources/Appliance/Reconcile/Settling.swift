import Appliance
import Logging
import Vocabulary

extension ReconciliationRun {
    /// Waits, within bounds, until the ledger holds what the run appended, and looks again at every
    /// row that is open, also those of earlier runs.
    func settle(_ id: Int64) async throws {
        guard try await record(id).state == .settling else { return }
        var left = try await judgeOpen(id)
        if try await settleRefunds(left.refunds, try await record(id)) {
            left = try await judgeOpen(id)
        }
        while records != nil, !left.unclaimed.isEmpty {
            let before = Set(left.unclaimed.map(\.statement.id))
            try await book(left.unclaimed, for: id)
            left = try await judgeOpen(id)
            // What cannot be booked stays; the same rows again would be asked for without end.
            if left.unclaimed.allSatisfy({ before.contains($0.statement.id) }) { break }
        }
        var hasCome = true
        while records != nil, hasCome, let last = left.last {
            hasCome = try await isBooked(last, oneOf: left.count)
            let before = left.count
            left = try await judgeOpen(id)
            if left.count == before { hasCome = false }
        }
        if left.count > 0, records != nil {
            logger.warning("the ledger has not booked all that reconciliation appended", metadata: [
                "run": "\(id)", "left": "\(left.count)",
            ])
        }
        try await set(.comparing, of: id)
    }

    /// Rows that wait for the ledger to book what this run appended.
    private struct Awaited: Sendable {
        var count = 0
        /// The oldest: it was appended last, so the ledger books it last.
        var last: Settlement?
        /// Rows that could be booked, and that no run has appended.
        var unclaimed: [Settlement] = []
        /// Refunds and failures that do not agree, of which Stripe may know more.
        var refunds: [Settlement] = []

        mutating func add(_ settlement: Settlement) {
            count += 1
            guard let last, last.place <= settlement.place else { return self.last = settlement }
        }
    }

    /// Waits until the ledger holds what was appended for one row: a look at all rows costs too
    /// much to be repeated meanwhile.
    ///
    /// - Parameter count: how many are waited for; the pipeline has a second for a hundred, from
    ///   when it has booked anything last.
    /// - Returns: false when it did not come in time.
    private func isBooked(_ settlement: Settlement, oneOf count: Int) async throws -> Bool {
        let seconds = max(limits.settleSecondsMax, Int64(count / 100))
        let begin = ContinuousClock.now
        var end = begin + .seconds(seconds)
        let key = settlement.awaitedKey
        var milliseconds: Int64 = 10
        let last = begin + .seconds(limits.settleWholeSecondsMax)
        var reached: Int64 = 0
        while ContinuousClock.now < end {
            let (found, head) = try await blocking { [ledger] () throws(LedgerError) in
                (try ledger.movements([key]), try ledger.head())
            }
            if !found.isEmpty { return true }
            // Traffic stands before what was appended: it comes, as long as anything is booked.
            if head > reached { (reached, end) = (head, min(last, .now + .seconds(seconds))) }
            try await Task.sleep(for: .milliseconds(milliseconds))
            milliseconds = min(milliseconds * 2, 500)
        }
        return false
    }

    /// Judges every open row by the ledger as this run sees it now.
    func judgeAgain(_ id: Int64) async throws { _ = try await judgeOpen(id) }

    private func judgeOpen(_ id: Int64) async throws -> Awaited {
        var place = OpenPlace()
        var awaited = Awaited()
        var isMore = true
        while isMore {
            try Task.checkCancellation()
            let from = place
            let due = dueBefore
            let chunk = try await blocking { [store, ledger] () throws(LedgerError) in
                try Self.judgeChunk(from, due, store, ledger)
            }
            for settlement in chunk where settlement.isForUsToBook {
                if settlement.bookedBy == id {
                    awaited.add(settlement)
                } else if settlement.bookedBy == nil,
                    awaited.unclaimed.count < limits.confirmCountMax
                {
                    awaited.unclaimed.append(settlement)
                }
            }
            let room = limits.confirmCountMax - awaited.refunds.count
            awaited.refunds += chunk.filter(\.asksForPayment).prefix(max(0, room))
            if let last = chunk.last { place = OpenPlace(last) }
            isMore = chunk.count == ReconciliationLimits.chunkCount
        }
        return awaited
    }

    private static func judgeChunk(
        _ place: OpenPlace, _ due: Instant, _ store: StatementStore,
        _ ledger: LedgerMoment
    ) throws(LedgerError) -> [Settlement] {
        let open = try store.open(after: place, limit: ReconciliationLimits.chunkCount)
        let booked = try ledger.movements(
            open.flatMap { SettlementMatcher.keys(of: $0.statement) })
        var matcher = SettlementMatcher(booked: booked, dueBefore: due)
        var judged: [Settlement] = []
        var changed: [Settlement] = []
        for settlement in open {
            matcher.account = settlement.account
            var again = matcher.match(settlement.statement, earlier: settlement)
            if try isConvertedWithout(again, booked, store, ledger) { again.finding = .duplicate }
            // It was seen to be undone before, and is open for its fee alone.
            let isUndone = settlement.finding == .none && settlement.transaction == nil
            if again.finding == .missing, isUndone {
                again.finding = .none
            } else if let other = try undone(again, booked, store) {
                again.finding = .none
                changed.append(other)
            }
            // Beside others that settle the same movement it may be right after all.
            if again.finding == .otherAmount || !again.agrees(with: settlement) {
                changed.append(again)
            }
            judged.append(again)
        }
        if !changed.isEmpty { try store.judge(changed) }
        return judged
    }

    /// The other half where a payment that the ledger never knew and its failure cancel each
    /// other; it is settled by that too.
    private static func undone(
        _ settlement: Settlement, _ booked: [String: LedgerMovement], _ store: StatementStore
    ) throws(LedgerError) -> Settlement? {
        let statement = settlement.statement
        guard settlement.finding == .missing, booked["charge:\(statement.source)"] == nil,
            statement.isAnnouncement
        else { return nil }
        switch statement.meaning {
        case .failedPayment: break
        case .movement(let key, _, _) where key == "charge:\(statement.source)": break
        default: return nil
        }
        var other = try store.open(source: statement.source).first { other in
            other.finding == .missing && other.statement.isAnnouncement
                && other.statement.currency == statement.currency
                && other.statement.amount == -statement.amount
        }
        other?.finding = .none
        return other
    }
}

extension BalanceTransaction {
    /// Whether it may be of a payment that never came about. A card's is not listed before it has
    /// succeeded.
    fileprivate var isAnnouncement: Bool { type != BalanceTransactionType.charge.rawValue }
}

extension Settlement {
    /// A movement that the ledger holds once it has booked what was appended for this row.
    fileprivate var awaitedKey: String {
        if feeState == .unbooked { return ReconciledRecord.feeKey(statement.id) }
        if finding != .unbooked { return ReconciledRecord.exchangeInKey(statement.id) }
        return wholeKey ?? ReconciledRecord.feeKey(statement.id)
    }

    /// Its place in the statement, oldest first.
    fileprivate var place: Place {
        Place(created: statement.created.seconds, id: statement.id)
    }

    fileprivate struct Place: Comparable {
        var created: Int64
        var id: String

        static func < (left: Self, right: Self) -> Bool {
            (left.created, left.id) < (right.created, right.id)
        }
    }
}

extension OpenPlace {
    init(_ settlement: Settlement) {
        self.init(
            source: settlement.statement.source, created: settlement.statement.created.seconds,
            id: settlement.statement.id)
    }
}
