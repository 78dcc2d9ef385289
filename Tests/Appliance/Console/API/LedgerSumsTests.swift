import Testing

@testable import Appliance
@testable import Console
@testable import Vocabulary

@Suite("Sums by day from the ledger alone")
struct LedgerSumsTests {
    private static let day: Int64 = 86_400

    /// Payments in two currencies, on both sides of midnight and before 1970, disputes of them with
    /// and without a fee, a fee by itself, a refund, and a payment that is held.
    private static func inputs() -> [LedgerInput] {
        let moments = [-1, 0, day - 1, day, day + 5, 3 * day]
        var inputs = moments.enumerated().flatMap { number, moment in
            let currency = number % 2 == 0 ? Given.usd : Given.eur
            return [
                Given.scored(
                    Given.event(
                        .payment, "p\(number)", amount: 1_000 + Int64(number),
                        currency: currency, at: moment), .approve),
                Given.scored(
                    Given.event(
                        .disputeWithdrawn, "d\(number)", amount: 500 + Int64(number),
                        currency: currency, fee: number % 3 == 0 ? 0 : 30 + Int64(number),
                        at: moment)),
            ]
        }
        inputs.append(
            Given.scored(Given.event(.fee, "txn", amount: 33, at: 2 * day)))
        inputs.append(
            Given.scored(
                Given.event(.refund, "r", amount: 400, related: "p3", at: 2 * day), .notScored))
        inputs.append(Given.payment("held", .block, amount: 77))
        return inputs
    }

    /// As the index of payments counts them, transaction by transaction.
    private static func counted(
        _ ledger: any Ledger, _ days: ClosedRange<Int64>
    ) throws -> [DaySum] {
        var sums: [DaySum: (count: Int64, amount: Int64)] = [:]
        for transaction in try ledger.posted(after: TransactionID(0), limit: 1_000) {
            let moment = transaction.posting.effectiveAt
            guard days.contains(moment.utcDay) else { continue }
            func add(_ word: String, _ currency: Currency, _ amount: Int64) {
                let key = DaySum(
                    day: moment.utcDay, currency: currency.code, word: word, count: 0, amount: 0)
                let known = sums[key] ?? (0, 0)
                sums[key] = (known.count + 1, known.amount + amount)
            }
            for sum in LedgerPosted(transaction).movedSums {
                add("booked:\(transaction.posting.kind.name)", sum.currency, sum.moved)
                if let fee = sum.fee { add("fees", sum.currency, fee) }
            }
        }
        return sums.map { key, value in
            var sum = key
            (sum.count, sum.amount) = (value.count, value.amount)
            return sum
        }.sorted { ($0.day, $0.currency, $0.word) < ($1.day, $1.currency, $1.word) }
    }

    @Test("are those that the index counts, in both databases", arguments: LedgerStore.allCases)
    func counted(store: LedgerStore) throws {
        let ledger = try store.ledger()
        _ = try ledger.post(Self.inputs())
        let sums = LedgerSums(try #require(ledger as? any LedgerSQL))
        let words = Set(PostingKind.allCases.map { "booked:\($0.name)" } + ["fees"])
        for days in [-1...3, 0...0, 1...2, 3...3] as [ClosedRange<Int64>] {
            let found = try sums.sums(
                of: words, from: Instant(seconds: days.lowerBound * Self.day),
                to: Instant(seconds: days.upperBound * Self.day + 86_399))
            #expect(found == (try Self.counted(ledger, days)), "\(days)")
            #expect(!found.isEmpty, "\(days)")
        }
        let fees = try sums.sums(
            of: ["fees"], from: Instant(seconds: .min), to: Instant(seconds: .max))
        #expect(!fees.isEmpty && fees.allSatisfy { $0.word == "fees" })
    }
}
