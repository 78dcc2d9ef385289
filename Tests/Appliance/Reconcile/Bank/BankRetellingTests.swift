import Daemon
import Foundation
import TestSupport
import Testing
import TwinSupport

@testable import Appliance
@testable import Reconcile
@testable import Twin
@testable import Vocabulary

private let day = ReconcileFixture.day
/// 2026-01-25T00:00:00Z
private let start = ReconcileFixture.start - 7 * day

/// Files of a bank that words an entry anew under its own reference, and that tells days again
/// whose balances are others since it corrected an earlier one.
@Suite("What a bank words anew, and what it tells again behind a correction")
struct BankRetellingTests {
    private struct Line {
        /// Behind the first day.
        var day: Int64
        var cents: Int64
        var reference: String
        var text = "PAYMENTS"
    }

    /// An MT940 file with one statement.
    private func file(
        _ number: String, opening: Int64, _ lines: [Line]
    ) throws -> [BankStatement] {
        func short(_ offset: Int64) -> String {
            let text = BankDay(of: Instant(seconds: start + offset * day)).description
            return String(text.dropFirst(2).replacing("-", with: ""))
        }
        func shown(_ cents: Int64) -> String {
            "\(cents / 100),\(cents % 100 / 10)\(cents % 10)"
        }
        let (first, last) = (lines.first?.day ?? 0, lines.last?.day ?? 0)
        let closing = lines.reduce(opening) { $0 + $1.cents }
        let text = [
            ":20:STATEMENT", ":25:12030000/202051", ":28C:\(number)",
            ":60F:C\(short(first))USD\(shown(opening))",
        ] + lines.flatMap { line in
            [
                ":61:\(short(line.day))C\(shown(line.cents))NTRFNONREF//\(line.reference)",
                ":86:\(line.text)",
            ]
        } + [":62F:C\(short(last))USD\(shown(closing))", ""]
        return try BankFile.statements(in: Array(text.joined(separator: "\r\n").utf8))
    }

    private func counting(_ fixture: ReconcileFixture) throws -> [Int64] {
        try fixture.store.rows(
            "SELECT id FROM bank_statements WHERE replaced_by IS NULL ORDER BY id", { _ in }
        ) { $0.integer(0) }
    }

    private func open(_ fixture: ReconcileFixture) throws -> [Int64] {
        try fixture.store.openBankEntries().map(\.amount.rawValue).sorted()
    }

    // MARK: Days told again

    private static let lines = [
        Line(day: 0, cents: 9_000, reference: "X1"), Line(day: 2, cents: 5_000, reference: "X2"),
        Line(day: 4, cents: 701, reference: "X3"),
    ]

    @Test("a month's last day behind a corrected one counts once, and a later statement of it too")
    func lastDay() async throws {
        let world = try TwinWorld(start: start, payouts: .manual)
        let fixture = world.fixture
        let lines = Self.lines
        let wrong = try file("5/1", opening: 0, [Line(day: 0, cents: 10_000, reference: "X1")])
        let right = try file("5/1", opening: 0, [lines[0]])
        // The bank does not write the statements anew that it made before it saw its mistake.
        let second = try file("7/1", opening: 10_000, [lines[1]])
        let third = try file("9/1", opening: 15_000, [lines[2]])
        let month = try file("0/1", opening: 0, lines)
        let more = try file("9/2", opening: 15_701, [lines[2]])
        try await fixture.running {
            let reconciler = fixture.reconciler()
            for told in [wrong, second, third] {
                let done = try await reconciler.importBank(told, file: "day.sta")
                #expect(done.new == 1)
            }
            let first = try #require(try self.counting(fixture).first)
            let done = try await reconciler.importBank(right, replacing: [first], file: "b.sta")
            #expect(done.new == 1 && done.superseded == 1)
            let again = try await reconciler.importBank(month, file: "month.sta")
            #expect(again.new == 0)
            #expect(try self.open(fixture) == [701, 5_000, 9_000])
            let later = try await reconciler.importBank(more, file: "day.sta")
            #expect(later.new == 1, "it begins where the day's first one ends: another entry")
            #expect(try self.open(fixture) == [701, 701, 5_000, 9_000])
        }
    }

    @Test("the days behind a month that has the correction count once as well")
    func monthFirst() async throws {
        let world = try TwinWorld(start: start, payouts: .manual)
        let fixture = world.fixture
        let lines = Self.lines
        let month = try file("0/1", opening: 0, lines)
        let second = try file("7/1", opening: 10_000, [lines[1]])
        let third = try file("9/1", opening: 15_000, [lines[2]])
        try await fixture.running {
            let reconciler = fixture.reconciler()
            _ = try await reconciler.importBank(month, file: "month.sta")
            for told in [second, third] {
                let done = try await reconciler.importBank(told, file: "day.sta")
                #expect(done.new == 0)
            }
            #expect(try self.open(fixture) == [701, 5_000, 9_000])
        }
    }

    @Test("two statements tell one entry of a day where both begin with the day")
    func begins() {
        let eur = Currency("eur")!
        func told(_ number: String, _ days: ClosedRange<Int64>, opening: Int64) -> BankStatement {
            let entries = days.map {
                BankEntry(
                    day: BankDay($0), amount: MinorUnits(1), text: "c", reference: nil)
            }
            return BankStatement(
                format: "MT940", number: number, account: "DE02", currency: eur,
                days: BankDay(days.lowerBound)...BankDay(days.upperBound),
                opening: MinorUnits(opening), closing: MinorUnits(opening + Int64(entries.count)),
                entries: entries)
        }
        let month = ToldDays(told("M", 5...9, opening: 0))
        let single = told("S 9", 9...9, opening: 300)
        let nine = BankDay(9)
        #expect(ToldDays(single).isOther(than: month, on: nine))
        #expect(month.isOther(than: ToldDays(single), on: nine))
        let follows = ToldDays(single, followsEarlier: true)
        #expect(!follows.isOther(than: month, on: nine))
        #expect(!month.isOther(than: follows, on: nine))
        // One that begins on that day may be a part of it.
        #expect(follows.isOther(than: ToldDays(told("T", 9...9, opening: 40)), on: nine))
    }

    // MARK: Texts

    @Test("what several tell in other words is known again, from each of them")
    func otherWords() async throws {
        let world = try TwinWorld(start: start, payouts: .manual)
        let fixture = world.fixture
        func line(_ text: String) -> Line {
            Line(day: 1, cents: 9_000, reference: "X1", text: text)
        }
        let daily = try file("5/1", opening: 0, [line("PAYMENTS")])
        let month = try file(
            "0/1", opening: 0, [line("STRIPE po_1"), Line(day: 3, cents: 10, reference: "X2")])
        let wrong = try file("5/1", opening: 0, [line("STRIPE po_2")])
        try await fixture.running {
            let reconciler = fixture.reconciler()
            for (told, new) in [(daily, 1), (month, 1), (month, 0), (daily, 0)] {
                let done = try await reconciler.importBank(told, file: "a.sta")
                #expect(done.new == new)
            }
            let refusal = await #expect(throws: BankRefusal.self) {
                try await reconciler.importBank(wrong, file: "b.sta")
            }
            #expect(try #require(refusal).message.contains("po_2"))
            #expect(try self.open(fixture) == [10, 9_000])
        }
    }

    /// The first payout two days after it was sent, in these words.
    private func line(_ payout: TwinWorld.Payout, _ text: String) -> Line {
        Line(
            day: (payout.created - start) / day + 2, cents: payout.amount, reference: "X1",
            text: text)
    }

    @Test("another payout under the same reference is told, and taken where it is to replace")
    func words() async throws {
        let world = try TwinWorld(start: start, payouts: .daily)
        let fixture = world.fixture
        try await fixture.running {
            for number in 0..<5 {
                let midnight = start + Int64(number) * day
                world.go(to: midnight + 36_000)
                _ = try world.charge(300_000 + Int64(number) * 10_007, "usd")
                world.go(to: midnight + day + 9_000)
            }
            try await world.deliver()
            _ = try await fixture.reconcile()
            let payouts = try world.payouts()
            let (first, other) = (try #require(payouts.first), try #require(payouts.last))
            #expect(first.amount != other.amount)
            let reconciler = fixture.reconciler()
            let wrong = self.line(first, "STRIPE \(other.id)")
            let told = try await reconciler.importBank(
                try self.file("3/1", opening: 0, [wrong]), file: "a.sta")
            #expect(told.settled == 1 && told.booked == 1)
            #expect(try self.kept(fixture) == other.amount - first.amount)
            let later = Line(day: wrong.day + 2, cents: 100, reference: "X2", text: "rent")
            // A month with the same wrong words is no second telling.
            let month = try await reconciler.importBank(
                try self.file("0/1", opening: 0, [wrong, later]), file: "month.sta")
            #expect(month.new == 1 && month.settled == 0)

            let right = try self.file("3/1", opening: 0, [self.line(first, "STRIPE \(first.id)")])
            let refusal = await #expect(throws: BankRefusal.self) {
                try await reconciler.importBank(right, file: "b.sta")
            }
            let said = try #require(refusal).message
            for word in [first.id, other.id, "no more", "new: ", "--replaces"] {
                #expect(said.contains(word), "\(said)")
            }
            let former = try #require(try self.counting(fixture).first)
            let done = try await reconciler.importBank(right, replacing: [former], file: "b.sta")
            #expect(done.new == 1 && done.superseded == 1 && done.settled == 1)
            #expect(done.differences == 1 && done.booked == 1)
            try self.expectArrived(first, fixture)
            try await self.expectWording(first, fixture, reconciler, right)
        }
    }

    /// Other words that lead to the same payout are no correction; told to replace, they count.
    private func expectWording(
        _ first: TwinWorld.Payout, _ fixture: ReconcileFixture, _ reconciler: Reconciler,
        _ right: [BankStatement]
    ) async throws {
        let reworded = try file("3/1", opening: 0, [line(first, "Stripe Inc \(first.id) thanks")])
        for told in [reworded, right] {
            let again = try await reconciler.importBank(told, file: "c.sta")
            #expect(again.new == 0 && again.superseded == 0 && again.differences == 0)
        }
        let standing = try #require(try counting(fixture).last)
        let done = try await reconciler.importBank(
            reworded, replacing: [standing], file: "d.sta")
        #expect(done.new == 1 && done.superseded == 1 && done.settled == 1)
        #expect(done.differences == 0)
        let repeated = try await reconciler.importBank(
            reworded, replacing: [standing], file: "d.sta")
        #expect(repeated.new == 0 && repeated.superseded == 0)
        try expectArrived(first, fixture)
        let settling = try fixture.store.bankMovements().compactMap { $0.entry?.text }
        #expect(settling == ["Stripe Inc \(first.id) thanks"])
    }

    private func kept(_ fixture: ReconcileFixture) throws -> Int64 {
        try fixture.ledger.standing()["charges:bank usd"] ?? 0
    }

    /// The payout is at the bank to the cent, once, and nothing is booked as kept.
    private func expectArrived(_ payout: TwinWorld.Payout, _ fixture: ReconcileFixture) throws {
        let report = try fixture.store.bankReport()
        let sum = try #require(report.sums.first { $0.currency.code == "usd" })
        #expect(sum.bank == payout.amount && sum.difference == 0 && sum.unknown == 0, "\(sum)")
        #expect(sum.count(.arrived) == 1 && sum.count(.different) == 0)
        #expect(try kept(fixture) == 0)
        #expect(try fixture.ledger.verify().fault == nil)
    }
}
