import AppendLog
import Foundation
import GRDB
import TestSupport
import Testing

@testable import Appliance
@testable import Console
@testable import Daemon
@testable import Vocabulary

@Suite("The index of payments")
struct PaymentIndexTests {
    private static func filled(_ count: Int) throws -> IndexFixture {
        var generator = SeededGenerator(seed: 4)
        let fixture = try IndexFixture()
        for number in 0..<count {
            fixture.tell(ToldPayment.random(number, using: &generator))
        }
        try fixture.index.catchUp()
        return fixture
    }

    private static let day = Instant(seconds: 1_760_001_000)
    /// Each filter alone.
    private static let queries: [(String, @Sendable (inout PaymentQuery) -> Void)] = [
        ("none", { _ in }), ("name", { $0.name = "pi_4999" }),
        ("charge", { $0.charge = "ch_49999" }), ("customer", { $0.customer = "cus_7" }),
        ("amount", { $0.amount = 500 }), ("thousandths", { $0.thousandths = 5_000 }),
        ("last four", { $0.lastFour = "4242" }), ("verdict", { $0.verdict = .block }),
        ("place", { $0.place = .held }), ("review", { $0.review = .opened }),
        ("currency", { $0.currency = Currency("jpy") }), ("merchant", { $0.merchant = "shop" }),
        ("account", { $0.account = "acct_1" }), ("from", { $0.from = day }),
        ("to", { $0.to = day }), ("amount from", { $0.amountFrom = 128_000 }),
        ("narrow amounts", { ($0.amountFrom, $0.amountTo) = (40_000, 40_010) }),
        ("after", { $0.after = PaymentPlace(created: 1_760_001_000, id: 9) }),
        ("nobody's", { $0.customer = "cus_nobody" }),
        ("seen lately", { $0.seenFrom = 1_760_003_990_000 }),
    ]
    private static let severalAtOnce: [(String, @Sendable (inout PaymentQuery) -> Void)] = [
        ("verdict and currency", { ($0.verdict, $0.currency) = (.block, Currency("jpy")) }),
        ("customer and amount", { ($0.customer, $0.amount) = ("cus_7", 500) }),
        ("account, review and place", {
            ($0.account, $0.review, $0.place) = ("acct_1", .opened, .held)
        }),
        ("last four and a day", { ($0.lastFour, $0.from) = ("4242", day) }),
        ("flagged, seen from", {
            ($0.verdicts, $0.seenFrom) = (PaymentTally.flagged, day.seconds * 1_000)
        }),
        ("booked, seen lately", {
            ($0.places, $0.seenFrom) = (PaymentTally.bookedPlaces, 1_760_003_999_000)
        }),
    ]

    /// What SQLite says of how it answers.
    private static func plan(_ query: PaymentQuery, _ index: PaymentIndex) throws -> [String] {
        try index.reading { database in
            let statement = try #require(try PaymentIndex.statement(query, database))
            return try Row.fetchAll(
                database, sql: "EXPLAIN QUERY PLAN \(statement.sql)",
                arguments: statement.arguments
            ).map { $0["detail"] }
        }
    }

    @Test("each filter alone reads an index, and never all of 50,000 payments")
    func plans() throws {
        let fixture = try Self.filled(50_000)
        for (name, change) in Self.queries {
            var query = PaymentQuery()
            change(&query)
            let plan = try Self.plan(query, fixture.index)
            #expect(plan.allSatisfy { !$0.hasPrefix("SCAN") }, "\(name): \(plan)")
            // Only a few candidates are ever sorted.
            let isSorted = plan.contains { $0.contains("TEMP B-TREE FOR ORDER BY") }
            let few = ["name", "narrow amounts", "seen lately"]
            #expect(isSorted == few.contains(name), "\(name): \(plan)")
        }
        #expect(throws: TooManyNames(most: PaymentIndex.sortedCountMax)) {
            var query = PaymentQuery()
            query.name = "pi_4"
            _ = try fixture.index.payments(query)
        }
    }

    /// Asked for with `TILLBOX_INDEX_COUNT=1000000`; it prints the times.
    @Test("any search takes at most 100 ms, however many payments there are",
        .enabled(if: ProcessInfo.processInfo.environment["TILLBOX_INDEX_COUNT"] != nil))
    func searches() throws {
        let asked = ProcessInfo.processInfo.environment["TILLBOX_INDEX_COUNT"] ?? ""
        let count = try #require(Int(asked))
        var generator = SeededGenerator(seed: 8)
        let fixture = try IndexFixture()
        let begun = ContinuousClock.now
        for number in 0..<count {
            fixture.tell(ToldPayment.random(number, using: &generator))
            if number % 10_000 == 9_999 { try fixture.catchUpAndForget() }
        }
        try fixture.catchUpAndForget()
        print("indexed \(count) payments in \(begun.duration(to: .now))")
        for (name, change) in Self.queries + Self.severalAtOnce {
            var query = PaymentQuery()
            change(&query)
            var slowest = Duration.zero
            var rows = 0
            for _ in 0..<20 {
                let begun = ContinuousClock.now
                rows = try fixture.index.payments(query).rows.count
                slowest = max(slowest, begun.duration(to: .now))
            }
            print("search by \(name): \(rows) rows, slowest of 20 in \(slowest)")
            #expect(slowest < .milliseconds(100), "\(name)")
        }
    }

    @Test("what is no index of this log in this version is made anew", arguments: [
        "UPDATE about SET version = version + 1", "UPDATE about SET log = 'another'",
        "DROP TABLE about", "damage", "nothing",
    ])
    func rebuilt(fault: String) throws {
        let fixture = try Self.filled(300)
        let before = try fixture.list()
        // Closed, so that nothing of it is still to be written.
        fixture.reopen()
        if fault == "damage" {
            IndexFile.remove(fixture.path)
            try Data("no database at all, but some text".utf8)
                .write(to: URL(filePath: fixture.path))
        } else if fault != "nothing" {
            let queue = try DatabaseQueue(path: fixture.path)
            try queue.write { try $0.execute(sql: fault) }
            try queue.close()
        }
        try fixture.index.catchUp()
        #expect(try fixture.list() == before)
        #expect(fixture.index.lag == 0 && fixture.index.trouble == nil)
    }

    @Test("an index of another log is thrown away")
    func otherLog() throws {
        let fixture = try Self.filled(10)
        fixture.reopen(log: "log-2")
        #expect(try fixture.index.payments(PaymentQuery()).rows.isEmpty)
        try fixture.index.catchUp()
        #expect(try fixture.list().count == 10)
    }

    @Test("nothing is counted twice over restarts, however the records come")
    func restarts() throws {
        let fixture = try IndexFixture()
        let payment = ToldPayment(
            number: 1, customer: "cus_1", amount: 900, created: 1_760_000_000, lastFour: "4242",
            verdict: .manualReview, review: .opened)
        fixture.tell(payment)
        for _ in 0..<3 {
            let event = """
                {"id":"evt_1","data":{"object":{"id":"ch_1","object":"charge"}}}
                """
            fixture.append(
                PipelineFixture.letter(Array(event.utf8), topic: "webhook.received"),
                to: .deadLetter)
            fixture.reopen()
            try fixture.index.catchUp()
        }
        let row = try #require(try fixture.list().first)
        #expect(row.letterCount == 3)
        let sums = try fixture.index.sums(
            of: ["booked:payment", "verdict:manual_review", "review:opened"],
            from: Instant(seconds: 0), to: Instant(seconds: 2_000_000_000))
        #expect(sums.map(\.count) == [1, 1, 1] && sums.map(\.amount) == [900, 900, 0])
        #expect(sums.map(\.word) == ["booked:payment", "review:opened", "verdict:manual_review"])
    }

    @Test("refunds and disputes are found by their charge, whatever books them")
    func related() throws {
        let fixture = try IndexFixture()
        fixture.tell(
            ToldPayment(
                number: 1, customer: nil, amount: 900, created: 1_760_000_000, lastFour: "4242"))
        func told(_ kind: PaymentKind, _ object: String, _ movement: String, _ amount: Int64) {
            fixture.append(
                PaymentEvent(
                    eventID: EventID("evt_\(object)"), kind: kind, objectID: object,
                    movement: MovementKey(movement), amount: MinorUnits(amount),
                    currency: Given.usd, created: Instant(seconds: 1_760_000_100),
                    livemode: false, merchant: MerchantID("shop"), related: "ch_1", fee: .zero),
                to: .paymentValidated)
        }
        func booked(_ kind: String, _ movement: String, _ lines: [(String, Int64)]) {
            fixture.append(
                LedgerPosted(
                    id: 9, movement: MovementKey(movement), eventID: EventID("evt"), kind: kind,
                    effectiveAt: Instant(seconds: 1_760_000_100),
                    postedAt: Instant(seconds: 1_760_000_100),
                    entries: lines.map {
                        .init(account: $0.0, currency: Given.usd, amount: MinorUnits($0.1))
                    }, hash: ""), to: .ledgerPosted)
        }
        told(.refund, "re_1", "refund:re_1", 300)
        told(.disputeWithdrawn, "dp_1", "dispute:txn_1", 500)
        booked(
            "refund", "refund:re_1",
            [("merchant:shop:payable", 300), ("processor:stripe", -300)])
        booked(
            "dispute_withdrawn", "dispute:txn_1",
            [("merchant:shop:disputed", 500), ("fees:stripe", 15), ("processor:stripe", -515)])
        booked(
            "refund_settled", "refund_settled:re_1",
            [("merchant:shop:refund_due", 300), ("merchant:shop:payable", -300)])
        try fixture.index.catchUp()
        for name in ["re_1", "dp_1", "refund:re_1", "charge:ch_1", "evt_re_1", "pi_1"] {
            let row = try #require(try fixture.index.payment(name), "\(name)")
            #expect(row.charge == "ch_1" && row.refunded == 300 && row.disputed == 500)
            #expect(row.place == .payable)
        }
        let row = try #require(try fixture.index.payment("ch_1"))
        let words = try fixture.index.trail(of: row, limit: 100).map(\.word)
        #expect(words.contains("refund_settled") && words.contains("dispute_withdrawn"))
        #expect(words.contains("charge.succeeded") && words.count == 9, "\(words)")
    }

    @Test("a decline stands behind an approval, and no approval behind a decline", arguments: [
        ([.opened, .approved, .declined], .declined, [1, 0]),
        ([.opened, .declined, .approved], .declined, [0, 1]),
        ([.opened, .expired, .declined], .expired, [0, 0]),
    ] as [([ReviewState], ReviewState, [Int])])
    func secondDecision(
        _ told: [ReviewState], _ stands: ReviewState, _ counts: [Int]
    ) throws {
        let fixture = try IndexFixture()
        fixture.tell(
            ToldPayment(
                number: 1, customer: nil, amount: 900, created: 1_760_000_000, lastFour: "4242",
                verdict: .manualReview))
        for state in told {
            fixture.append(
                ReviewRecord(
                    movement: MovementKey("charge:ch_1"), state: state, reasons: [], by: "ada",
                    at: Instant(seconds: 1_760_000_000)), to: .paymentReview)
        }
        try fixture.index.catchUp()
        #expect(try fixture.index.payment("ch_1")?.review == stands)
        let sums = try fixture.index.sums(
            of: ["review:approved", "review:declined"], from: Instant(seconds: 0),
            to: Instant(seconds: 2_000_000_000))
        let found = ["review:approved", "review:declined"].map { word in
            sums.first { $0.word == word }.map { Int($0.count) } ?? 0
        }
        #expect(found == counts, "a payment is counted by its first decision")
    }

    @Test("what scoring releases by itself is approved, and no false positive")
    func released() throws {
        let fixture = try IndexFixture()
        let time = Instant(seconds: 1_760_000_000)
        for (number, name) in [(1, "scoring"), (2, "scoring"), (3, "ada")] {
            fixture.tell(
                ToldPayment(
                    number: number, customer: nil, amount: 900, created: time.seconds,
                    lastFour: "4242", verdict: .manualReview))
            fixture.append(
                ReviewRecord(
                    movement: MovementKey("charge:ch_\(number)"), state: .approved, reasons: [],
                    by: name, at: time), to: .paymentReview)
        }
        try fixture.index.catchUp()
        let sums = try fixture.index.sums(
            of: ["review:approved", IndexWord.released], from: Instant(seconds: 0),
            to: Instant(seconds: 2_000_000_000))
        let counts = Dictionary(uniqueKeysWithValues: sums.map { ($0.word, Int($0.count)) })
        #expect(counts == ["review:approved": 3, "review:released": 2])
    }

    @Test("a pipeline's payments stand in the index as the ledger has them")
    func pipeline() async throws {
        let fixture = try PipelineFixture { $0.amountLimits = [Given.usd: MinorUnits(5_000)] }
        try await fixture.opened { opened in
            for number in 1...20 {
                _ = try await opened.append(
                    PipelineFixture.received(
                        PipelineFixture.charge(number, amount: number * 500),
                        event: "evt_\(number)"), to: .webhookReceived)
            }
            try await fixture.process(opened)
            let index = PaymentIndex(
                at: fixture.folder.file("index.sqlite"), log: "log",
                reader: { TopicReader(opened.topics[$0]) }, logger: PipelineFixture.quiet)
            try index.catchUp()
            var query = PaymentQuery()
            query.place = .held
            let held = try index.payments(query).rows
            let open = try opened.ledger.openReviews(after: TransactionID(0), limit: 100)
            #expect(Set(held.map(\.movement)) == Set(open.map(\.movement.rawValue)))
            #expect(!held.isEmpty && held.allSatisfy { $0.review == .opened })
            for row in try index.payments(PaymentQuery()).rows {
                let topics = Set(try index.trail(of: row, limit: 100).map(\.topic))
                #expect(
                    topics.isSuperset(of: [
                        .webhookReceived, .paymentValidated, .paymentFeatures, .paymentScored,
                        .ledgerPosted,
                    ]))
            }
            let last = try #require(try index.payment("ch_20"))
            #expect(try index.earlierVectors(of: last, limit: 100).count == 19)
            let features = TopicReader(opened.topics[.paymentFeatures])
            let told = try #require(try features.record(at: Offset(0)))
            _ = try await opened.append(told, to: .paymentFeatures)
            try index.catchUp()
            let again = try index.earlierVectors(of: last, limit: 100)
            #expect(again.count == 19, "a payment that was told twice counts once")
            #expect(!again.map(\.offset).contains(Offset(0)), "as its newest vector has it")
        }
    }
}
