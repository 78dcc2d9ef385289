package import Vocabulary

/// A movement of `bank:{currency}`, and the entry of the bank's that settles it.
package struct SettledBankMovement: Hashable, Sendable {
    package struct Entry: Hashable, Sendable {
        package var day: BankDay
        package var amount: MinorUnits
        package var text: String

        package init(day: BankDay, amount: MinorUnits, text: String) {
            self.day = day
            self.amount = amount
            self.text = text
        }
    }

    package var movement: BankMovement
    package var entry: Entry?

    package init(movement: BankMovement, entry: Entry?) {
        self.movement = movement
        self.entry = entry
    }
}

/// What a bank kept of a movement, and what of that is booked.
struct BankCharge: Hashable, Sendable {
    /// `payout:po_…`
    var movement: String
    var currency: Currency
    /// What Stripe sent.
    var sent: MinorUnits
    /// What settles it now; nil where the bank took its entry back.
    var entry: SettledBankMovement.Entry?
    /// When the bank last corrected what settled it; nil for never.
    var corrected: BankDay?
    /// What each booking so far says that the bank kept, in the ledger's order.
    var booked: [Int64]

    /// Amounts are within a movement's bounds, so that none of the sums overflows.
    var kept: Int64 { entry.map { sent.rawValue - $0.amount.rawValue } ?? 0 }
    var bookedSum: Int64 { booked.reduce(0, &+) }

    /// One booking: what was expected, less what the bank booked, is what it kept.
    struct Difference: Hashable, Sendable {
        var number: Int64
        var expected, booked: Int64
        var day: BankDay
        var text: String
    }

    /// What is left to book: first what was booked of a former entry is taken back, on the day of
    /// the correction, then what the bank kept by the one that counts is booked, on the bank's day.
    /// Each has a number of its own, so that a second try books nothing twice.
    var differences: [Difference] {
        guard bookedSum != kept else { return [] }
        var left: [Difference] = []
        let next = Int64(booked.count) + 1
        if bookedSum != 0, let day = corrected ?? entry?.day {
            left.append(
                Difference(
                    number: next, expected: sent.rawValue - bookedSum, booked: sent.rawValue,
                    day: day, text: "the bank corrected its statement"))
        }
        if kept != 0, let entry {
            left.append(
                Difference(
                    number: next + Int64(left.count), expected: sent.rawValue,
                    booked: entry.amount.rawValue, day: entry.day, text: entry.text))
        }
        return left
    }
}

/// A statement that was imported.
struct StoredBankStatement: Hashable, Sendable {
    var account: String
    var currency: Currency
    var days: ClosedRange<BankDay>
    /// Minor units; nil where the file did not say.
    var opening, closing: Int64?
}

/// What has become of money on its way between Stripe and the bank.
package enum BankState: String, CaseIterable, Sendable {
    /// The bank booked it to the cent.
    case arrived
    /// The bank booked another amount; the difference is booked as `charges:bank`.
    case different
    /// Not there yet, and not due, or due within ``BankReport/graceDays``.
    case inTransit = "in_transit"
    /// Due for longer than that, and not in the statements.
    case late
    /// Due for more than ``BankReport/missingDays``, and not in the statements.
    case missing
    /// Sent and taken back by Stripe before any bank booked it.
    case returned
    /// Due before the first day that a statement tells of.
    case earlier

    /// How soon a person should see it, the most pressing 0.
    package var rank: Int {
        switch self {
        case .missing: 0
        case .late: 1
        case .different: 2
        case .inTransit: 3
        case .earlier: 4
        case .arrived, .returned: 5
        }
    }
}

/// The bank beside `bank:{currency}`: what arrived, what did not, and that nothing else is between
/// the two. Pure.
package struct BankReport: Hashable, Sendable {
    /// Days from sending to the bank where Stripe did not say.
    package static let usualDays: Int64 = 3
    /// Days behind its due day in which money is not late: weekends and holidays.
    package static let graceDays: Int64 = 3
    /// Days behind its due day after which it is missing.
    package static let missingDays: Int64 = 10

    package struct Line: Hashable, Sendable {
        package var settled: SettledBankMovement
        package var state: BankState
        /// Days behind the due day on which the bank booked it, or up to which its statements tell;
        /// zero within the grace.
        package var lateDays: Int64
    }

    /// What a currency comes to. All amounts are minor units; their sums wrap around, as they are
    /// of amounts that the ledger has checked.
    package struct Sum: Hashable, Sendable {
        package var currency: Currency
        /// What `bank:{currency}` holds.
        package var ledger: Int64 = 0
        /// Of that, what is not at the bank: in transit, late or missing.
        package var notArrived: Int64 = 0
        /// What was due before the first statement, and booked without a movement of its own: what
        /// the statements cannot tell of.
        package var untold: Int64 = 0
        /// What the bank booked of Stripe's, as its statements say.
        package var bank: Int64 = 0
        /// Of that, entries that say Stripe and that the ledger knows nothing of.
        package var unknown: Int64 = 0
        /// The days that statements tell of; nil for none.
        package var days: ClosedRange<BankDay>?
        package var counts: [BankState: Int64] = [:]

        /// What should be at the bank by the ledger.
        package var expected: Int64 { ledger &- notArrived &- untold }
        /// Zero where the ledger is what the bank says.
        package var difference: Int64 { bank &- expected }

        package func count(_ state: BankState) -> Int64 { counts[state] ?? 0 }
    }

    /// An entry that says Stripe and settles nothing.
    package struct Unknown: Hashable, Sendable {
        package var currency: Currency
        package var day: BankDay
        package var amount: MinorUnits
        package var text: String
    }

    /// Days that no statement of an account tells of, between two that do.
    package struct Gap: Hashable, Sendable {
        package var account: String
        package var currency: Currency
        package var days: ClosedRange<BankDay>
    }

    package var sums: [Sum]
    package var lines: [Line]
    package var unknown: [Unknown]
    package var gaps: [Gap]

    /// Whether the ledger is what the bank says, with nothing late, missing, unknown or untold.
    package var isClean: Bool { !differs && withoutStatement.isEmpty }

    /// Whether the statements that were imported say otherwise than the ledger, or leave days out.
    package var differs: Bool {
        !gaps.isEmpty || !unknown.isEmpty
            || sums.contains {
                $0.difference != 0 || $0.count(.late) != 0 || $0.count(.missing) != 0
            }
    }

    /// Currencies in which money is on its way to a bank of which no statement was imported:
    /// nothing can tell whether it has arrived.
    package var withoutStatement: [Currency] {
        sums.filter { $0.days == nil && $0.notArrived != 0 }.map(\.currency)
    }

    /// Of `lines`, the most pressing first, and the newest of those that are alike.
    ///
    /// - Parameter isWanted: whether a line is among them.
    package func pressing(where isWanted: (Line) -> Bool) -> [Line] {
        lines.enumerated().filter { isWanted($0.element) }
            .sorted { ($0.element.state.rank, -$0.offset) < ($1.element.state.rank, -$1.offset) }
            .map { $0.element }
    }

    /// Before anything has gone to a bank.
    package static let nothing = BankReport([], open: [], [], [:])

    /// - Parameter entries: of the bank's, those that settle nothing.
    init(
        _ settled: [SettledBankMovement], open entries: [OpenBankEntry],
        _ statements: [StoredBankStatement],
        _ balances: [Currency: (balance: Int64, charged: Int64)]
    ) {
        let days = Dictionary(grouping: statements, by: \.currency).compactMapValues(Self.span)
        let returned = Self.returned(settled)
        lines = settled.map { Self.line($0, days[$0.movement.currency], returned) }
        unknown = entries.filter { BankMatcher.saysStripe($0.text) }.map {
            Unknown(currency: $0.currency, day: $0.day, amount: $0.amount, text: $0.text)
        }
        gaps = Self.gaps(statements)
        let currencies = Set(balances.keys).union(unknown.map(\.currency))
        let (lines, unknown) = (lines, unknown)
        sums = currencies.sorted { $0.code < $1.code }.map { currency in
            Self.sum(
                currency, lines.filter { $0.settled.movement.currency == currency },
                unknown.filter { $0.currency == currency }, balances[currency] ?? (0, 0),
                days[currency])
        }
    }

    /// From the first day that any of the statements tells of to the last; nil for none.
    static func span(_ statements: [StoredBankStatement]) -> ClosedRange<BankDay>? {
        guard let first = statements.map(\.days.lowerBound).min(),
            let last = statements.map(\.days.upperBound).max()
        else { return nil }
        return first...last
    }

    /// The movements that Stripe took back before they reached any bank: both of each pair.
    private static func returned(_ settled: [SettledBankMovement]) -> Set<String> {
        let open = Dictionary(
            settled.filter { $0.entry == nil }.map { ($0.movement.key, $0.movement) },
            uniquingKeysWith: { first, _ in first })
        var keys: Set<String> = []
        for (kind, back) in BankMovement.kinds {
            for (key, movement) in open where key.hasPrefix("\(kind):") {
                let other = "\(back):\(movement.id)"
                guard let failed = open[other], failed.currency == movement.currency,
                    failed.amount == -movement.amount
                else { continue }
                keys.formUnion([key, other])
            }
        }
        return keys
    }

    private static func line(
        _ settled: SettledBankMovement, _ days: ClosedRange<BankDay>?, _ returned: Set<String>
    ) -> Line {
        let movement = settled.movement
        func late(at day: BankDay) -> Int64 {
            let behind = day - movement.due
            return behind > graceDays ? behind : 0
        }
        if let entry = settled.entry {
            let state: BankState = entry.amount == movement.amount ? .arrived : .different
            return Line(settled: settled, state: state, lateDays: late(at: entry.day))
        }
        if returned.contains(movement.key) {
            return Line(settled: settled, state: .returned, lateDays: 0)
        }
        guard let days else { return Line(settled: settled, state: .inTransit, lateDays: 0) }
        guard movement.due >= days.lowerBound else {
            return Line(settled: settled, state: .earlier, lateDays: 0)
        }
        let behind = late(at: days.upperBound)
        let state: BankState =
            behind == 0 ? .inTransit : behind > missingDays ? .missing : .late
        return Line(settled: settled, state: state, lateDays: behind)
    }

    private static func sum(
        _ currency: Currency, _ lines: [Line], _ unknown: [Unknown],
        _ balance: (balance: Int64, charged: Int64), _ days: ClosedRange<BankDay>?
    ) -> Sum {
        var sum = Sum(currency: currency, ledger: balance.balance, days: days)
        var told: Int64 = 0
        for line in lines {
            let amount = line.settled.movement.amount.rawValue
            told &+= amount
            sum.counts[line.state, default: 0] += 1
            switch line.state {
            case .arrived, .different: sum.bank &+= line.settled.entry?.amount.rawValue ?? 0
            case .inTransit, .late, .missing: sum.notArrived &+= amount
            case .earlier: sum.untold &+= amount
            // The two of a pair come to nothing.
            case .returned: break
            }
        }
        sum.untold &+= balance.balance &- balance.charged &- told
        sum.unknown = unknown.reduce(0) { $0 &+ $1.amount.rawValue }
        sum.bank &+= sum.unknown
        return sum
    }

    /// Statements follow each other by their days, or by the balance that one ends and the next
    /// begins with: on a weekend there is nothing to tell.
    private static func gaps(_ statements: [StoredBankStatement]) -> [Gap] {
        var gaps: [Gap] = []
        var last: StoredBankStatement?
        for next in statements {
            defer {
                let isFurther = last.map {
                    $0.account != next.account || $0.currency != next.currency
                        || $0.days.upperBound <= next.days.upperBound
                } ?? true
                if isFurther { last = next }
            }
            guard let before = last, before.account == next.account,
                before.currency == next.currency,
                next.days.lowerBound > before.days.upperBound + 1,
                before.closing == nil || before.closing != next.opening
            else { continue }
            gaps.append(
                Gap(
                    account: next.account, currency: next.currency,
                    days: (before.days.upperBound + 1)...(next.days.lowerBound + -1)))
        }
        return gaps
    }
}
