package import Vocabulary

/// A month of the calendar, in UTC.
package struct CalendarMonth: Hashable, Sendable, CustomStringConvertible {
    package let first: BankDay
    /// The first day of the next one.
    package let end: BankDay
    /// `2026-10`
    package let description: String

    /// - Returns: nil for what is no month from 1970 to 9999 such as `2026-10`.
    package init?(_ text: String) {
        guard text.utf8.count == 7, let first = BankDay("\(text)-01") else { return nil }
        self.first = first
        description = text
        // No month has more than 31 days, so that the 32nd is of the next one.
        guard let end = BankDay((first + 31).description.prefix(7) + "-01") else { return nil }
        self.end = end
    }

    package var from: Instant { first.start }
    package var to: Instant { end.start }
}

/// What changed Stripe's balance in a month: what it held before, what moved it, by kind, and what
/// it held after; beside Stripe's own statement, and with what was on its way to the bank. Pure.
///
/// Money is dated as Stripe's ending-balance report dates it, by the `created` of the balance
/// transaction (docs.stripe.com/reports/balance): where the statement's lines come to what the
/// ledger holds, their days count, else the ledger's own. So what the two differ in is what
/// reconciliation has open, and nothing else.
package struct MonthReport: Hashable, Sendable {
    /// What changed the balance, as an accountant books it.
    package struct Activity: Hashable, Sendable {
        /// The ledger's kind, `payment`; of what Stripe moved by itself the account against it,
        /// `fees`.
        package var kind: String
        package var count: Int64
        /// The change of `processor:stripe`, minor units.
        package var amount: Int64
    }

    /// Stripe's own statement.
    package struct Statement: Hashable, Sendable {
        package var opening: Int64
        package var activity: Int64
        package var payouts: Int64
        package var closing: Int64 { opening &+ activity &+ payouts }
        package var lines: Int64
    }

    package struct Balance: Hashable, Sendable {
        package var account: StripeAccount
        package var currency: Currency
        package var opening: Int64
        /// By kind, payouts last.
        package var activities: [Activity]
        /// nil where no run has read the whole month.
        package var statement: Statement?
        /// What was sent to the bank by the month's end and was not there, in how many movements.
        /// Only of the platform's own account: a connected one has a bank of its own.
        package var inTransit: Int64?
        package var inTransitCount: Int64

        package var closing: Int64 { activities.reduce(opening) { $0 &+ $1.amount } }
        package var payouts: Int64 {
            activities.filter { MonthReport.isPayout($0.kind) }.reduce(0) { $0 &+ $1.amount }
        }
        /// Without payouts.
        package var activity: Int64 { closing &- opening &- payouts }
        /// Whether all four agree with Stripe's statement, to the cent; nil where it is not read.
        package var agrees: Bool? {
            statement.map {
                $0.opening == opening && $0.activity == activity && $0.payouts == payouts
                    && $0.closing == closing
            }
        }
    }

    /// By what it is judged whether money was at the bank.
    package enum TransitBasis: String, Sendable {
        /// The bank's statements, which tell of the month's last day.
        case bank
        /// The day that Stripe said: no statement of the bank's tells so far.
        case due
    }

    package var month: CalendarMonth
    /// Until when Stripe's statement is read without a gap; nil for never.
    package var readUntil: Instant?
    package var basis: TransitBasis
    package var balances: [Balance]

    /// Whether Stripe's statement is read to the month's end.
    package var isCompared: Bool { readUntil.map { $0 >= month.to } ?? false }
    /// Whether every balance agrees with it.
    package var isRight: Bool { balances.allSatisfy { $0.agrees ?? false } && isCompared }

    /// Whether a kind is a payout or one that came back: what Stripe's report sums by itself.
    package static func isPayout(_ kind: String) -> Bool { kind.hasPrefix("payout") }

    /// What one kind moved of a balance; minor units.
    struct KindSum: Hashable, Sendable {
        var account: StripeAccount
        var currency: Currency
        var kind: String
        /// Before the month.
        var opening: Int64
        /// In the month, and by how many movements or lines.
        var amount, count: Int64
        /// Of a dispute's amount, the fee that was taken with it in the month.
        var fee: Int64
    }

    struct Place: Hashable, Sendable {
        var account: StripeAccount
        var currency: Currency
    }

    /// - Parameter statements: nil where they do not reach the month's end.
    init(
        _ month: CalendarMonth, _ sums: [KindSum], _ statements: [Place: Statement]?,
        readUntil: Instant?, basis: TransitBasis,
        inTransit: [Currency: (amount: Int64, count: Int64)]
    ) {
        self.month = month
        self.readUntil = readUntil
        self.basis = basis
        let byPlace = Dictionary(grouping: sums) {
            Place(account: $0.account, currency: $0.currency)
        }
        let places = Set(byPlace.keys).union(statements?.keys.map { $0 } ?? [])
        balances = places.map { place in
            let own = byPlace[place] ?? []
            let isOwn = place.account.id == nil
            return Balance(
                account: place.account, currency: place.currency,
                opening: own.reduce(0) { $0 &+ $1.opening }, activities: Self.activities(own),
                statement: statements.map {
                    $0[place] ?? Statement(opening: 0, activity: 0, payouts: 0, lines: 0)
                },
                inTransit: isOwn ? inTransit[place.currency]?.amount ?? 0 : nil,
                inTransitCount: isOwn ? inTransit[place.currency]?.count ?? 0 : 0)
        }.sorted {
            ($0.account.rawValue, $0.currency.code) < ($1.account.rawValue, $1.currency.code)
        }
    }

    /// In the order of the ledger's kinds, payouts last. A dispute's fee stands among the fees.
    private static func activities(_ sums: [KindSum]) -> [Activity] {
        var activities: [String: Activity] = [:]
        func add(_ kind: String, _ count: Int64, _ amount: Int64) {
            guard count != 0 || amount != 0 else { return }
            var known = activities[kind] ?? Activity(kind: kind, count: 0, amount: 0)
            known.count += count
            known.amount &+= amount
            activities[kind] = known
        }
        for sum in sums {
            add(sum.kind, sum.count, sum.amount &+ sum.fee)
            if sum.fee != 0 { add("fees", sum.count, -sum.fee) }
        }
        return activities.values.sorted { left, right in
            (isPayout(left.kind) ? 1 : 0, rank(left.kind), left.kind)
                < (isPayout(right.kind) ? 1 : 0, rank(right.kind), right.kind)
        }
    }

    /// What most books begin with comes first.
    private static func rank(_ kind: String) -> Int {
        let order = [
            "payment", "capture_grown", "payment_reversed", "refund", "refund_failed",
            "dispute_withdrawn", "dispute_reinstated", "fees",
        ]
        return order.firstIndex(of: kind) ?? order.count
    }
}

extension MonthReport {
    /// What was on its way at the end of a month, by currency.
    ///
    /// - Parameter days: which days the bank's statements tell of, by currency.
    static func inTransit(
        _ settled: [SettledBankMovement], at end: BankDay, basis: TransitBasis,
        _ days: [Currency: ClosedRange<BankDay>]
    ) -> [Currency: (amount: Int64, count: Int64)] {
        var sent = Dictionary(
            settled.map { ($0.movement.key, $0) }, uniquingKeysWith: { first, _ in first })
        // Where Stripe took it back before it was there, both are gone, or it is still on its way.
        for (kind, back) in BankMovement.kinds {
            for (key, one) in sent where key.hasPrefix("\(kind):") && one.entry == nil {
                let other = "\(back):\(one.movement.id)"
                guard let failed = sent[other], failed.entry == nil else { continue }
                sent[other] = nil
                if failed.movement.sent < end {
                    sent[key] = nil
                } else {
                    sent[key]?.movement.due = end
                }
            }
        }
        var sums: [Currency: (amount: Int64, count: Int64)] = [:]
        for one in sent.values where one.movement.sent < end {
            let movement = one.movement
            let isThere =
                if let entry = one.entry {
                    entry.day < end
                } else if basis == .bank {
                    days[movement.currency].map { movement.due < $0.lowerBound } ?? true
                } else {
                    movement.due < end
                }
            guard !isThere else { continue }
            let known = sums[movement.currency] ?? (0, 0)
            sums[movement.currency] = (
                known.amount &+ movement.amount.rawValue, known.count + 1
            )
        }
        return sums
    }
}
