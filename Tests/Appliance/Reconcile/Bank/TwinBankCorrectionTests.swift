import AppendLog
import Daemon
import Foundation
import TestSupport
import Testing
import TwinSupport

@testable import Appliance
@testable import Command
@testable import Console
@testable import Reconcile
@testable import Twin
@testable import Vocabulary

private let day = ReconcileFixture.day
/// 2026-01-25T00:00:00Z
private let start = ReconcileFixture.start - 7 * day

/// A bank that corrects what it has told, with the twin's payouts.
@Suite("What a bank corrects, with the twin")
struct TwinBankCorrectionTests {
    /// All payouts two days after they were sent, the first less so much; from nothing.
    private func statement(_ payouts: [TwinWorld.Payout], kept: Int64) throws -> BankStatement {
        let entries = payouts.enumerated().map { place, payout in
            BankEntry(
                day: BankDay(of: Instant(seconds: payout.created + 2 * day)),
                amount: MinorUnits(payout.amount - (place == 0 ? kept : 0)),
                text: "STRIPE PAYMENTS", reference: nil)
        }
        let sum = entries.reduce(Int64(0)) { $0 + $1.amount.rawValue }
        return try BankStatement(
            format: "camt.053", number: "S1 7", account: "DE02",
            currency: try #require(Currency("usd")),
            days: BankDay(of: Instant(seconds: start))
                ... BankDay(of: Instant(seconds: start + 20 * day)),
            opening: .zero, closing: MinorUnits(sum), entries: entries
        ).checked()
    }

    /// The numbers of the statements that count, and of those that do not.
    private func record(
        _ fixture: ReconcileFixture
    ) throws -> (counting: [Int64], replaced: [Int64]) {
        let rows = try fixture.store.rows(
            "SELECT id, replaced_by FROM bank_statements ORDER BY id", { _ in }
        ) { ($0.integer(0), $0.integerOrNull(1)) }
        return (rows.filter { $0.1 == nil }.map(\.0), rows.filter { $0.1 != nil }.map(\.0))
    }

    private func expectKept(_ kept: Int64, _ fixture: ReconcileFixture) throws {
        let report = try fixture.store.bankReport()
        let sum = try #require(report.sums.first { $0.currency.code == "usd" })
        #expect(sum.difference == 0 && sum.unknown == 0, "\(sum)")
        #expect(sum.count(.different) == (kept == 0 ? 0 : 1))
        let standing = try fixture.ledger.standing()
        #expect(standing["charges:bank usd"] ?? 0 == kept)
        #expect(sum.ledger == standing["bank:usd usd"])
        #expect(try fixture.ledger.verify().fault == nil)
    }

    @Test("a corrected statement is told, not taken; told to replace, it is what counts")
    func corrected() async throws {
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
            let run = try await fixture.reconcile()
            #expect(run.isClean, "\(run)")
            let payouts = try world.payouts()
            #expect(payouts.count > 2)
            let reconciler = fixture.reconciler()
            let wrong = try self.statement(payouts, kept: 150)
            _ = try await reconciler.importBank([wrong], file: "a.xml")
            try self.expectKept(150, fixture)

            let right = try self.statement(payouts, kept: 0)
            let refusal = await #expect(throws: BankRefusal.self) {
                try await reconciler.importBank([right], file: "b.xml")
            }
            let said = try #require(refusal).message
            let first = try #require(try self.record(fixture).counting.first)
            for word in ["S1 7", "a.xml", "number \(first)", "no more", "--replaces"] {
                #expect(said.contains(word), "\(said)")
            }
            #expect(try self.record(fixture) == ([first], []))
            try self.expectKept(150, fixture)

            let done = try await reconciler.importBank([right], replacing: [first], file: "b.xml")
            #expect(done.new == 1 && done.superseded == 1 && done.settled == 1)
            #expect(done.differences == 1 && done.booked == 1)
            try self.expectKept(0, fixture)
            try self.expectExplained(world, payouts[0])
            try await self.expectFollowed(fixture, reconciler, wrong, right, payouts)
        }
    }

    /// The payout's explanation has its entry, and the one before it.
    private func expectExplained(_ world: TwinWorld, _ payout: TwinWorld.Payout) throws {
        let explainer = Explainer(
            ledger: world.fixture.ledger, statement: world.fixture.store,
            topic: { TopicReader(world.fixture.topics[$0]) }, endpoints: [])
        let explained = try explainer.movement(MovementKey("payout:\(payout.id)"))
        let bank = try #require(explained.bank)
        #expect(bank.state == .arrived && bank.sent.rawValue == payout.amount)
        #expect(bank.entry?.amount.rawValue == payout.amount && bank.entry?.file == "b.xml")
        #expect(bank.former.map(\.amount.rawValue) == [payout.amount - 150])
        #expect(bank.former.map(\.file) == ["a.xml"])
        let day = BankDay(of: Instant(seconds: payout.created + 2 * day))
        let text = ExplainText(explained).text
        #expect(text.contains("at the bank: arrived on \(day), "), "\(text)")
        #expect(text.contains("statement S1 7 of DE02"))
        #expect(text.contains("until the bank corrected it"))
        let view = ExplainView(explained, payout.id)
        #expect(view.bank.count == 3)
    }

    /// Nothing that was told before changes anything, and a further correction is followed.
    private func expectFollowed(
        _ fixture: ReconcileFixture, _ reconciler: Reconciler, _ wrong: BankStatement,
        _ right: BankStatement, _ payouts: [TwinWorld.Payout]
    ) async throws {
        let former = try record(fixture).replaced
        #expect(former.count == 1)
        for (told, replaced) in [(wrong, []), (right, []), (right, former)] {
            let again = try await reconciler.importBank(
                [told], replacing: Set<Int64>(replaced), file: "c.xml")
            #expect(again.new == 0 && again.superseded == 0 && again.differences == 0)
        }
        let second = try #require(try record(fixture).counting.last)
        let third = try statement(payouts, kept: 99)
        let done = try await reconciler.importBank([third], replacing: [second], file: "d.xml")
        #expect(done.superseded == 1 && done.differences == 1)
        try expectKept(99, fixture)
        let fourth = try #require(try record(fixture).counting.last)
        // The bank withdraws it: the first file once more.
        let back = try await reconciler.importBank([wrong], replacing: [fourth], file: "a.xml")
        #expect(back.superseded == 1 && back.differences == 2 && back.booked == 2)
        try expectKept(150, fixture)
        let kept = try fixture.store.rows(
            "SELECT movement FROM transactions WHERE movement LIKE 'bank_charge:%' ORDER BY id",
            { _ in }
        ) { $0.text(0) }
        let key = "bank_charge:payout:\(payouts[0].id)"
        #expect(kept.sorted() == [key] + (2...5).map { "\(key):\($0)" })
        #expect(try record(fixture).replaced.count == 3)
        await #expect(throws: BankRefusal.replacesOther(4_711)) {
            try await reconciler.importBank([wrong], replacing: [4_711], file: "a.xml")
        }
    }

    /// A statement of some days from nothing, with one payout, of which the bank kept so much.
    private func telling(
        _ name: String, _ payout: TwinWorld.Payout, days: Int64, kept: Int64
    ) throws -> BankStatement {
        let first = BankDay(of: Instant(seconds: payout.created + 2 * day))
        let amount = MinorUnits(payout.amount - kept)
        return try BankStatement(
            format: "camt.053", number: name, account: "DE02",
            currency: try #require(Currency("usd")), days: first...(first + days),
            opening: .zero, closing: amount,
            entries: [
                BankEntry(
                    day: first, amount: amount, text: "STRIPE \(payout.id)", reference: nil)
            ]
        ).checked()
    }

    @Test("a wrong day is replaced by a month that was imported, and a file may not say both")
    func replacedByKnown() async throws {
        let world = try TwinWorld(start: start, payouts: .daily)
        let fixture = world.fixture
        try await fixture.running {
            world.go(to: start + 36_000)
            _ = try world.charge(300_000, "usd")
            world.go(to: start + 6 * day)
            try await world.deliver()
            _ = try await fixture.reconcile()
            let payout = try #require(try world.payouts().first)
            let reconciler = fixture.reconciler()
            let wrong = try self.telling("S1 7", payout, days: 0, kept: 150)
            let right = try self.telling("S1 7", payout, days: 0, kept: 0)
            let month = try self.telling("M 1", payout, days: 20, kept: 0)
            let refusal = await #expect(throws: BankRefusal.self) {
                try await reconciler.importBank([wrong, right], file: "both.xml")
            }
            #expect(try #require(refusal).message.contains("S1 7"))
            #expect(try self.record(fixture) == ([], []))

            _ = try await reconciler.importBank([wrong], file: "day.xml")
            let former = try #require(try self.record(fixture).counting.first)
            _ = try await reconciler.importBank([month], file: "month.xml")
            let done = try await reconciler.importBank(
                [month], replacing: [former], file: "month.xml")
            #expect(done.new == 0 && done.superseded == 1 && done.settled == 1)
            #expect(try self.record(fixture).replaced == [former])
            try self.expectKept(0, fixture)
            // A folder made anew from the log has the bookings, and is told the last word alone.
            let anew = try self.telling("S1 7", payout, days: 0, kept: 30)
            let counting = try #require(try self.record(fixture).counting.first)
            _ = try await reconciler.importBank([anew], replacing: [counting], file: "b.xml")
            try self.expectKept(30, fixture)
            try fixture.store.write { database in
                for table in ["bank_lines", "bank_entries", "bank_statements"] {
                    try LedgerStatement(again: database, "DELETE FROM \(table)").run()
                }
            }
            let told = try await reconciler.importBank([right], file: "right.xml")
            #expect(told.differences == 1 && told.booked == 1)
            try self.expectKept(0, fixture)
        }
    }

    @Test("two true credits that are alike in two files are two, and no file counts twice")
    func alikeFiles() async throws {
        let world = try TwinWorld(start: start, payouts: .manual)
        let fixture = world.fixture
        func file(_ number: String, opening: Int64, _ amounts: [Int64]) throws -> [BankStatement] {
            let day = BankDay(of: Instant(seconds: start)).description
            let short = day.dropFirst(2).replacing("-", with: "")
            func shown(_ amount: Int64) -> String { "\(amount / 100),00" }
            let lines = [
                ":20:STARTUMS", ":25:12030000/202051", ":28C:\(number)",
                ":60F:C\(short)EUR\(shown(opening))",
            ] + amounts.flatMap { [":61:\(short)C\(shown($0))NTRFNONREF//X1", ":86:PAYMENTS"] }
                + [":62F:C\(short)EUR\(shown(opening + amounts.reduce(0, +)))", ""]
            return try BankFile.statements(in: Array(lines.joined(separator: "\r\n").utf8))
        }
        let (first, second) = (
            try file("12/1", opening: 0, [500]), try file("13/1", opening: 500, [500])
        )
        let fourth = try file("15/1", opening: 1_000, [500, 700])
        let whole = try file("0/1", opening: 0, [500, 500, 500, 700])
        try await fixture.running {
            let reconciler = fixture.reconciler()
            for (told, new) in [(first, 1), (fourth, 2), (second, 1)] {
                let done = try await reconciler.importBank(told, file: "a.sta")
                #expect(done.new == new)
            }
            for told in [first, second, fourth, whole, first + second] {
                let again = try await reconciler.importBank(told, file: "b.sta")
                #expect(again.new == 0)
            }
            #expect(try self.openAmounts(fixture) == [500, 500, 500, 700])
        }
    }

    private func openAmounts(_ fixture: ReconcileFixture) throws -> [Int64] {
        try fixture.store.openBankEntries().map(\.amount.rawValue).sorted()
    }

    @Test("a correction that was taken already corrects a further statement when it is told to")
    func correctsAnother() async throws {
        let world = try TwinWorld(start: start, payouts: .manual)
        let fixture = world.fixture
        let eur = try #require(Currency("eur"))
        let first = BankDay(of: Instant(seconds: start))
        func told(_ number: String, to last: Int64, _ amounts: [(Int64, Int64)]) -> BankStatement {
            BankStatement(
                format: "camt.053", number: number, account: "DE02", currency: eur,
                days: first...first + last, opening: .zero,
                closing: MinorUnits(amounts.reduce(0) { $0 + $1.1 }),
                entries: amounts.map {
                    BankEntry(
                        day: first + $0.0, amount: MinorUnits($0.1), text: "PAYMENTS",
                        reference: nil)
                })
        }
        let daily = told("D 1", to: 0, [(0, 500)])
        let month = told("M 1", to: 9, [(0, 500), (3, 700)])
        let right = told("D 1", to: 0, [(0, 480)])
        try await fixture.running {
            let reconciler = fixture.reconciler()
            _ = try await reconciler.importBank([daily], file: "daily.xml")
            _ = try await reconciler.importBank([month], file: "month.xml")
            #expect(try self.openAmounts(fixture) == [500, 700])
            let ids = try self.record(fixture).counting
            let (ofDay, ofMonth) = (try #require(ids.first), try #require(ids.last))
            let done = try await reconciler.importBank(
                [right], replacing: [ofDay], file: "right.xml")
            // The month still tells the wrong one.
            #expect(done.new == 1 && done.superseded == 0)
            #expect(try self.openAmounts(fixture) == [480, 500, 700])
            for superseded in [2, 0] {
                let again = try await reconciler.importBank(
                    [right], replacing: [ofMonth], file: "right.xml")
                #expect(again.new == 0 && again.superseded == superseded)
                #expect(try self.openAmounts(fixture) == [480])
            }
            #expect(try self.record(fixture).replaced == [ofDay, ofMonth])
        }
    }
}
