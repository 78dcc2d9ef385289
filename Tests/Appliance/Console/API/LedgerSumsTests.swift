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
        inputs.append(Given.review("held", .approved))
        return inputs
    }

    private static func moved(_ entries: [(String, Int64)]) -> MovedSum? {
        LedgerPosted(
            id: 1, movement: MovementKey("m"), eventID: EventID("evt_1"), kind: "payment",
            effectiveAt: Instant(seconds: 0), postedAt: Instant(seconds: 0),
            entries: entries.map {
                .init(account: $0.0, currency: Given.usd, amount: MinorUnits($0.1))
            }, hash: "").movedSums.first
    }

    @Test("what moved is what left the account that paid, once", arguments: [
        ("a payment", [("processor:stripe", 1_000), ("merchant:m:payable", -1_000)], 1_000, nil),
        ("a payout", [("bank:usd", 900), ("processor:stripe", -900)], 900, nil),
        ("a release", [("merchant:m:held", 700), ("merchant:m:payable", -700)], 700, nil),
        ("a transfer", [("connect:acct_1:transfers", 50), ("processor:stripe", -50)], 50, nil),
        ("what a bank kept", [("charges:bank", 3), ("bank:usd", -3)], 3, nil),
        ("a fee", [("fees:stripe", 30), ("processor:stripe", -30)], 0, 30),
        (
            "a dispute and its fee",
            [("merchant:m:disputed", 500), ("fees:stripe", 15), ("processor:stripe", -515)], 500, 15
        ),
        (
            "a part to the processor, a part to another account",
            [("merchant:m:payable", 100), ("merchant:m:held", -60), ("processor:stripe", -40)],
            100, nil
        ),
    ] as [(String, [(String, Int64)], Int64, Int64?)])
    func moved(name: String, entries: [(String, Int64)], amount: Int64, fee: Int64?) {
        #expect(
            Self.moved(entries) == MovedSum(currency: Given.usd, moved: amount, fee: fee),
            "\(name)")
    }

    @Test("between a merchant's own accounts all of it moved, in both databases",
        arguments: LedgerStore.allCases)
    func ownAccounts(store: LedgerStore) throws {
        let ledger = try store.ledger()
        _ = try ledger.post([
            Given.payment("ch_1", .manualReview, amount: 4_100), Given.review("ch_1", .approved),
            Given.scored(Given.event(.payout, "po_1", amount: 900)),
        ])
        let sums = try LedgerSums(try #require(ledger as? any LedgerSQL)).sums(
            of: Set(PostingKind.allCases.map { "booked:\($0.name)" }),
            from: Instant(seconds: 0), to: Instant(seconds: 86_399))
        let amounts = Dictionary(uniqueKeysWithValues: sums.map { ($0.word, $0.amount) })
        #expect(amounts["booked:payment"] == 4_100)
        #expect(amounts["booked:review_approved"] == 4_100)
        #expect(amounts["booked:payout"] == 900)
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
