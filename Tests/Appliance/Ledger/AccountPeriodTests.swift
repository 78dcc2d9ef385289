import Foundation
import Testing

@testable import Appliance
@testable import Vocabulary

@Suite("A statement of an account")
struct AccountPeriodTests {
    /// Payments and refunds whose days are not in the order of the ledger.
    private static func ledger() throws -> SQLiteLedger {
        let ledger = try SQLiteLedger.inMemory()
        let times: [Int64] = [500, 100, 300, 299, 301, 200, 400, 100, 300, 700]
        let inputs = times.enumerated().map { number, at in
            Given.scored(
                Given.event(.payment, "ch_\(number)", amount: 1_000 + Int64(number), at: at),
                .approve)
        }
        let refund = Given.scored(
            Given.event(.refund, "re_1", amount: 400, related: "ch_1", at: 300))
        _ = try ledger.post(inputs + [refund])
        return ledger
    }

    private static let account = "processor:stripe"
    private static let all = (from: Instant(seconds: 0), to: Instant(seconds: 1_000))

    @Test("opening and closing are what the entries by then come to", arguments: [
        (from: 0, to: 1_000), (from: 100, to: 100), (from: 101, to: 299), (from: 300, to: 300),
        (from: 300, to: 10), (from: 800, to: 900),
    ])
    func sums(from: Int64, to: Int64) throws {
        let ledger = try Self.ledger()
        // Each entry with the time of its transaction, one by one.
        let entries = try ledger.entries(
            of: Self.account, Given.usd, asOf: nil, after: TransactionID(0),
            through: TransactionID(100), limit: 100
        ).map { entry in
            let transaction = try #require(try ledger.transaction(entry.transaction))
            return (entry, at: transaction.posting.effectiveAt.seconds)
        }
        #expect(entries.count == 11)
        let period = try #require(
            try ledger.period(
                of: Self.account, Given.usd, from: Instant(seconds: from),
                to: Instant(seconds: to), after: TransactionID(0), limit: 100))
        // What lies behind the end is seen by neither side.
        let seen = entries.filter { $0.at <= to }
        let inside = seen.filter { $0.at >= from }
        func sum(_ rows: [(AccountEntry, at: Int64)]) -> Int64 {
            rows.reduce(0) { $0 + $1.0.amount.rawValue }
        }
        #expect(period.opening.amount.rawValue == sum(seen.filter { $0.at < from }))
        #expect(period.closing.rawValue == sum(seen))
        let rows = inside.map { $0.0 }
        #expect(period.entries == rows)
        #expect(period.moved.entries == Int64(inside.count))
        #expect(
            period.debits.amount.rawValue == sum(inside.filter { $0.0.amount > .zero }))
        #expect(
            period.credits.amount.rawValue == sum(inside.filter { $0.0.amount < .zero }))
    }

    @Test("pages follow each other, each with the balance that is carried over")
    func pages() throws {
        let ledger = try Self.ledger()
        var (after, balance, count) = (TransactionID(0), MinorUnits.zero, 0)
        while true {
            let page = try #require(
                try ledger.period(
                    of: Self.account, Given.usd, from: Self.all.from, to: Self.all.to,
                    after: after, limit: 3))
            #expect(page.carried == balance)
            guard let last = page.entries.last else {
                #expect(page.closing == balance)
                break
            }
            balance = page.entries.reduce(balance) { $0 &+ $1.amount }
            (after, count) = (last.transaction, count + page.entries.count)
        }
        #expect(count == 11)
    }

    @Test("an account that is not there has no statement")
    func unknown() throws {
        let ledger = try Self.ledger()
        for (name, currency) in [("nobody", Given.usd), (Self.account, Given.eur)] {
            let period = try ledger.period(
                of: name, currency, from: Self.all.from, to: Self.all.to, after: TransactionID(0),
                limit: 3)
            #expect(period == nil)
        }
    }

    @Test("a link of the chain is right, and is not once anything in it is another")
    func links() throws {
        let ledger = try Self.ledger()
        var previous = CanonicalBytes.genesis
        for transaction in try ledger.posted(after: TransactionID(0), limit: 100) {
            let link = try ledger.link(of: transaction)
            #expect(link.isRight && link.previous == previous)
            previous = transaction.hash
            var (later, larger) = (transaction, transaction)
            later.posting.effectiveAt = Instant(seconds: 1)
            larger.posting.entries[0].amount = MinorUnits(1)
            for changed in [later, larger] {
                let other = try ledger.link(of: changed)
                #expect(!other.isRight && other.stored == link.stored)
            }
        }
        var gone = try #require(try ledger.transaction(TransactionID(1)))
        gone.id = TransactionID(100)
        let link = try ledger.link(of: gone)
        #expect(link.previous == nil && link.computed == nil && !link.isRight)
    }
}
