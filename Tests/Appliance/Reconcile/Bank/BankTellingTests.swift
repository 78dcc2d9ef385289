import Testing

@testable import Reconcile
@testable import Vocabulary

@Suite("What two statements tell of each other")
struct BankTellingTests {
    private static let eur = Currency("eur")!

    /// Entries as `day amount text`.
    private func statement(
        _ number: String?, _ days: ClosedRange<Int64>, opening: Int64? = nil,
        _ entries: [(Int64, Int64, String)]
    ) -> BankStatement {
        let sum = entries.reduce(0) { $0 + $1.1 }
        return BankStatement(
            format: "MT940", number: number, account: "DE02", currency: Self.eur,
            days: BankDay(days.lowerBound)...BankDay(days.upperBound),
            opening: opening.map { MinorUnits($0) }, closing: opening.map { MinorUnits($0 + sum) },
            entries: entries.map {
                BankEntry(day: BankDay($0.0), amount: MinorUnits($0.1), text: $0.2, reference: nil)
            })
    }

    @Test("under the same name any other entry is told, with what it was")
    func named() throws {
        let first = statement("S1", 5...5, opening: 0, [(5, 100, "STRIPE"), (5, 7, "rent")])
        let other = statement("S1", 5...5, opening: 0, [(5, 7, "rent"), (5, 90, "STRIPE")])
        let told = try #require(other.difference(from: first, isWhole: true))
        #expect(told.missing.map(\.amount.rawValue) == [100])
        #expect(told.added.map(\.amount.rawValue) == [90] && told.balances)
        #expect(
            told.shown(in: Self.eur)
                == "no more: 1970-01-06 1.00 STRIPE; new: 1970-01-06 0.90 STRIPE; "
                + "its opening or closing balance is another")
        let more = statement(
            "S1", 5...5, opening: 0, [(5, 100, "STRIPE"), (5, 7, "rent"), (5, 1, "x")])
        #expect(more.difference(from: first, isWhole: true)?.added.count == 1)
        #expect(first.difference(from: first, isWhole: true) == nil)
        let turned = statement("S2", 5...5, opening: 0, [(5, 7, "rent"), (5, 100, "STRIPE")])
        #expect(first.isAlike(turned) && !first.isAlike(other))
    }

    @Test("a name that a bank uses again is no correction on other days, or from the balance on")
    func reused() {
        let first = statement("STARTUMS 0", 5...6, opening: 0, [(5, 100, "a"), (6, 50, "b")])
        let later = statement("STARTUMS 0", 7...7, opening: 150, [(7, 1, "c")])
        #expect(later.difference(from: first, isWhole: true) == nil)
        let next = statement("STARTUMS 0", 6...7, opening: 150, [(6, 50, "b"), (7, 1, "c")])
        #expect(next.difference(from: first, isWhole: true) == nil)
        let window = statement("STARTUMS 0", 6...7, opening: 100, [(6, 50, "b"), (7, 1, "c")])
        #expect(window.difference(from: first, isWhole: true) == nil)
        let wrong = statement("STARTUMS 0", 6...7, opening: 100, [(6, 51, "b"), (7, 1, "c")])
        #expect(wrong.difference(from: first, isWhole: true)?.missing.count == 1)
    }

    @Test("an account that is swept to nothing each day has corrections as any other")
    func swept() throws {
        let first = statement("S1", 5...5, opening: 0, [(5, 100, "STRIPE"), (5, -100, "sweep")])
        let other = statement("S1", 5...5, opening: 0, [(5, 90, "STRIPE"), (5, -90, "sweep")])
        let told = try #require(other.difference(from: first, isWhole: true))
        #expect(told.missing.map(\.amount.rawValue) == [100, -100])
        #expect(other.contradicts(first) && !first.contradicts(first))
        let next = statement("S2", 5...5, opening: 0, [(5, 90, "STRIPE"), (5, -90, "sweep")])
        #expect(next.difference(from: first, isWhole: true) == nil && !next.contradicts(first))
        let later = statement("S1", 6...6, opening: 0, [(6, 90, "STRIPE"), (6, -90, "sweep")])
        #expect(later.difference(from: first, isWhole: true) == nil)
        // Pages of one name begin with other balances.
        let page = statement("S1", 5...5, opening: 70, [(5, 90, "STRIPE")])
        #expect(!page.contradicts(other))
    }

    @Test("without a name the same days tell otherwise where an entry is gone, not where one came")
    func unnamed() {
        let first = statement(nil, 5...6, [(5, 100, "a"), (6, 50, "b")])
        let longer = statement(nil, 5...6, [(5, 100, "a"), (6, 50, "b"), (6, 50, "b")])
        #expect(longer.difference(from: first, isWhole: true) == nil)
        #expect(first.difference(from: longer, isWhole: true)?.missing.count == 1)
        let other = statement(nil, 5...6, [(5, 100, "a"), (6, 51, "b")])
        #expect(other.difference(from: first, isWhole: true)?.added.count == 1)
        let elsewhere = statement(nil, 5...7, [(5, 101, "a")])
        #expect(elsewhere.difference(from: first, isWhole: true) == nil)
        // Another name for the same days from the same balance.
        let named = statement("S1", 5...6, opening: 9, [(5, 100, "a")])
        let renamed = statement("S2", 5...6, opening: 9, [(5, 99, "a")])
        #expect(renamed.difference(from: named, isWhole: true) != nil)
        #expect(
            statement("S2", 5...6, opening: 109, [(5, 99, "a")])
                .difference(from: named, isWhole: true) == nil)
    }

    @Test("alike entries of a day are two where numbers differ and balances do not say otherwise")
    func others() {
        func isOther(_ one: BankStatement, _ two: BankStatement) -> Bool {
            let (one, two) = (ToldDays(one), ToldDays(two))
            let forth = one.isOther(than: two, on: BankDay(5))
            #expect(forth == two.isOther(than: one, on: BankDay(5)))
            return forth
        }
        let alike = [(Int64(5), Int64(100), "STRIPE")]
        let a = statement("A", 5...5, opening: 0, alike)
        let b = statement("B", 5...5, opening: 100, alike)
        let c = statement("C", 5...5, opening: 200, alike)
        // C's predecessor need not be there.
        #expect(isOther(a, b) && isOther(b, c) && isOther(a, c))
        let month = statement("M", 1...9, opening: -30, [(3, 30, "x")] + alike + alike + alike)
        #expect(!isOther(a, month) && !isOther(b, month) && !isOther(c, month))
        let again = statement("downloaded later", 5...5, opening: 0, alike)
        #expect(!isOther(a, again))
        // Pages without names follow each other by their balance; without one nothing tells.
        let page = statement(nil, 5...5, opening: 0, alike)
        #expect(isOther(page, statement(nil, 5...5, opening: 100, alike)))
        #expect(!isOther(statement(nil, 5...5, alike), statement(nil, 5...5, alike)))
        #expect(isOther(statement("S1 page 1", 5...5, alike), statement("S1 page 2", 5...5, alike)))
    }

    @Test("a month tells its days again, though its balances differ behind a corrected day")
    func month() {
        let late = statement("S 7", 7...7, opening: 90, [(7, 50, "a")])
        let month = statement("M 1", 5...9, opening: 0, [(5, 100, "b"), (7, 50, "a"), (9, 1, "c")])
        let (mine, whole) = (ToldDays(late), ToldDays(month))
        #expect(!mine.isOther(than: whole, on: BankDay(7)))
        #expect(!whole.isOther(than: mine, on: BankDay(7)))
        // Two pages of the month, each with its days: the second has an entry of its own.
        let page = statement("M 2", 5...9, opening: 151, [(7, 50, "a")])
        #expect(ToldDays(page).isOther(than: whole, on: BankDay(7)))
        // Its first entry may be of a day that the first page has left.
        let next = ToldDays(statement("M 2", 5...9, opening: 151, [(5, 2, "d"), (7, 50, "a")]))
        #expect(next.isOther(than: whole, on: BankDay(7)))
        #expect(whole.isOther(than: next, on: BankDay(7)))
        // On its last day it may tell a part.
        let part = statement("S 9", 9...9, opening: 300, [(9, 1, "c")])
        #expect(ToldDays(part).isOther(than: whole, on: BankDay(9)))
    }

    @Test("what a bank kept is booked once, and taken back by a booking of its own")
    func charges() {
        func differences(booked: [Int64], now: Int64?, corrected: Int64? = nil) -> [String] {
            let charge = BankCharge(
                movement: "payout:po_1", currency: Self.eur, sent: MinorUnits(1_000),
                entry: now.map {
                    SettledBankMovement.Entry(day: BankDay(7), amount: MinorUnits($0), text: "S")
                }, corrected: corrected.map { BankDay($0) }, booked: booked)
            return charge.differences.map {
                "\($0.number) \($0.expected - $0.booked) \($0.day.rawValue)"
            }
        }
        #expect(differences(booked: [], now: 990) == ["1 10 7"])
        #expect(differences(booked: [10], now: 990).isEmpty)
        #expect(differences(booked: [10], now: 1_000, corrected: 9) == ["2 -10 9"])
        #expect(differences(booked: [10], now: nil, corrected: 9) == ["2 -10 9"])
        #expect(differences(booked: [10], now: 995, corrected: 9) == ["2 -10 9", "3 5 7"])
        #expect(differences(booked: [10, -10], now: 995, corrected: 9) == ["3 5 7"])
        #expect(differences(booked: [10, -10, 5], now: 995, corrected: 9).isEmpty)
    }
}
