import Testing

@testable import Appliance
@testable import Vocabulary

@Suite("Reviews in the ledger")
struct ReviewTests {
    private static let charge = MovementKey("charge:ch")

    private func open(_ ledger: any LedgerReading) throws -> [MovementKey] {
        try ledger.openReviews(after: TransactionID(0), limit: 100).map(\.movement)
    }

    private static let reversal = Given.scored(
        Given.event(.paymentReversed, "ch", related: "ch", movement: "charge_reversed:ch"))
    private static let intent = Given.payment("ch", .manualReview, known: false, id: "evt_pi")
    /// Without a vector: no score, and so the least weight.
    private static let blind = Given.scored(
        Given.event(.payment, "ch", id: "evt_pi", known: false), .manualReview,
        reasons: [.rule("features_missing")])

    /// What a charge's event was scored; each of them weighs the same but for its verdict.
    private static func told(
        _ score: Double, _ reasons: String..., verdict: Verdict = .block
    ) -> LedgerInput {
        Given.scored(
            Given.event(.payment, "ch"), verdict, score: score,
            reasons: reasons.map { .rule($0) })
    }

    private typealias Transition = ([LedgerInput], [ReviewState], Review.State?)

    private static let openings: [Transition] = [
        ([Given.payment("ch", .approve)], [], nil),
        ([Given.payment("ch", .block)], [.opened], .open),
        ([intent], [.opened], .open),
        // Better informed and as strict: it is open already, and says the same.
        ([intent, Given.payment("ch", .block)], [.opened], .open),
        ([intent, intent, Given.payment("ch", .block), intent], [.opened], .open),
        ([intent, Given.payment("ch", .approve)], [.opened, .approved], .released),
        // Milder, but not better informed: the stricter stands.
        ([Given.payment("ch", .block), Given.payment("ch", .approve)], [.opened], .open),
        ([Given.payment("ch", .approve), Given.payment("ch", .block)], [.opened], .open),
        ([Given.payment("ch", .approve), intent], [], nil),
        ([intent, reversal], [.opened, .expired], .expired),
        // What is captured after all of it was taken back is held, and looked at.
        (
            [intent, reversal, Given.payment("ch", .block, amount: 1500)],
            [.opened, .expired, .opened], .open
        ),
        ([Given.review("ch", .approved), intent], [], .approved),
        ([intent, Given.review("ch", .approved)], [.opened], .approved),
        ([intent, Given.review("ch", .declined)], [.opened], .declined),
        (
            [Given.payment("ch", .approve), Given.review("ch", .declined)], [], .declined
        ),
        // What a person has decided stands, however much better informed scoring is later.
        (
            [intent, Given.review("ch", .approved), Given.payment("ch", .block)], [.opened],
            .approved
        ),
        (
            [intent, Given.review("ch", .declined), Given.payment("ch", .approve)], [.opened],
            .declined
        ),
    ]

    private static let renewals: [Transition] = [
        // Better informed, and it says something else.
        ([blind, intent], [.opened, .opened], .open),
        (
            [blind, blind, intent, blind, told(0.9, "x"), intent, told(0.9, "x")],
            [.opened, .opened, .opened], .open
        ),
        ([told(0.9), intent, blind], [.opened], .open),
        // As well informed: the higher score, and of two the larger reasons.
        ([told(0.8), told(0.9), told(0.8)], [.opened, .opened], .open),
        ([told(0.9, "a"), told(0.9, "b"), told(0.9, "a")], [.opened, .opened], .open),
        (
            [blind, told(0.6, verdict: .manualReview), told(0.5)],
            [.opened, .opened, .opened], .open
        ),
        ([blind, intent, Given.payment("ch")], [.opened, .opened, .approved], .released),
        (
            [blind, Given.payment("ch", .approve, known: false), told(0.9)],
            [.opened, .approved, .opened], .open
        ),
        ([blind, intent, reversal], [.opened, .opened, .expired], .expired),
        ([blind, reversal, told(0.9)], [.opened, .expired], .expired),
        (
            [told(0.9), reversal, Given.payment("ch", .block, amount: 1500, known: false)],
            [.opened, .expired, .opened], .open
        ),
        ([Given.review("ch", .approved), blind, told(0.9)], [], .approved),
        ([blind, intent, Given.review("ch", .declined)], [.opened, .opened], .declined),
        ([blind, Given.review("ch", .approved), told(0.9)], [.opened], .approved),
    ]

    @Test(
        "opens, is renewed and closes as the money is held and released and as scoring says",
        arguments: openings + renewals, LedgerStore.allCases)
    func transitions(
        row: ([LedgerInput], [ReviewState], Review.State?), store: LedgerStore
    ) throws {
        let (inputs, changes, state) = row
        for isOneBatch in [true, false] {
            let ledger = try store.ledger()
            let told = try (isOneBatch ? [inputs] : inputs.map { [$0] })
                .flatMap { try ledger.post($0).reviews }
            #expect(told.map(\.record.state) == changes)
            #expect(told.map(\.id) == Array(1...Int64(max(1, told.count))).prefix(told.count) + [])
            #expect(told.allSatisfy { $0.record.by == "scoring" })
            #expect(try ledger.reviewChanges(after: 0, limit: 100) == told)
            let review = try ledger.review(of: Self.charge)
            #expect(review?.state == state)
            #expect(try open(ledger) == (state == .open ? [Self.charge] : []))
            // It is the last row that opened it which is shown.
            let last = told.last { $0.record.state == .opened }
            #expect(review?.score == last?.record.score)
            #expect(review?.reasons ?? [] == last?.record.reasons ?? [])
            #expect(review?.eventID == last?.eventID)
            #expect(try ledger.point().lastReview == Int64(told.count))
            #expect(try ledger.verify().fault == nil)
        }
    }

    @Test(
        "says what the scoring said that weighs the most, in whichever order they come",
        arguments: LedgerStore.allCases)
    func best(store: LedgerStore) throws {
        let scorings = [
            Self.blind, Self.intent, Self.told(0.8, "b"), Self.told(0.8, "a"),
            Self.told(0.99, verdict: .manualReview),
        ]
        for order in permutations(scorings) {
            let ledger = try store.ledger()
            let cut = order.count / 2
            for batch in [order[..<cut], order[cut...], order[...]] {
                _ = try ledger.post(Array(batch))
            }
            let review = try #require(try ledger.review(of: Self.charge))
            #expect(review.state == .open)
            #expect(review.score == 0.8 && review.reasons == [.rule("b")])
            let rows = try ledger.reviewChanges(after: 0, limit: 100)
            #expect(rows.count <= scorings.count)
            #expect(zip(rows, rows.dropFirst()).allSatisfy { $0.record != $1.record })
            #expect(try ledger.verify().fault == nil)
            guard store == .sqlite else { break }
        }
    }

    @Test(
        "a review is renewed without a transaction: its row, its end and its publishing are as any",
        arguments: LedgerStore.allCases)
    func renewed(store: LedgerStore) throws {
        let ledger = try store.ledger()
        _ = try ledger.post([Self.blind, Given.payment("other", .block)])
        let outcome = try ledger.post(
            [Self.told(0.9, "x")],
            positions: [ConsumerPosition(topic: "payment.scored", nextOffset: 3)])
        #expect(outcome.inputs == [.alreadyBooked] && outcome.posted.isEmpty)
        #expect(outcome.reviews.map(\.id) == [3] && outcome.renewedCount == 1)
        let change = try #require(outcome.reviews.first)
        #expect(
            change.record
                == ReviewRecord(
                    movement: Self.charge, state: .opened, reasons: [.rule("x")], score: 0.9,
                    by: "scoring", at: Instant(seconds: 100), note: nil))
        #expect(change.postedAtMilliseconds == 1_700_000_000_000)
        #expect(try ledger.reviewChanges(after: 2, limit: 9) == outcome.reviews)
        #expect(try ledger.point().lastReview == 3)
        #expect(try open(ledger) == [Self.charge, MovementKey("charge:other")])
        #expect(try ledger.verify().fault == nil)
    }

    @Test(
        "what is captured after all was taken back may be told by who knows less: the best is said",
        arguments: LedgerStore.allCases)
    func reopened(store: LedgerStore) throws {
        let ledger = try store.ledger()
        let late = Given.payment("ch", .block, amount: 1500, known: false, id: "evt_late")
        _ = try ledger.post([Self.told(0.9, "x"), Self.reversal, late])
        let review = try #require(try ledger.review(of: Self.charge))
        #expect(review.state == .open && review.eventID == EventID("evt_late"))
        #expect(review.score == 0.9 && review.reasons == [.rule("x")])
        #expect(try ledger.verify().fault == nil)
    }

    @Test("a ledger that an earlier release began goes on as it did with what that has booked")
    func earlierRelease() throws {
        let folder = try LedgerFolder()
        for migration in LedgerSchema.migrations.prefix(6) {
            #expect(try folder.sqlite3(migration).errors.isEmpty)
        }
        let hash = String(hex: try Self.hash(of: Self.blind))
        // Held for want of a vector; what a better informed scoring said since was not kept.
        let old = """
            PRAGMA foreign_keys = ON; BEGIN; UPDATE gate SET state = 1, first = 1;
            INSERT INTO accounts (id, name, currency) VALUES
                (1, 'processor:stripe', 'usd'), (2, 'merchant:acct_1:held', 'usd');
            INSERT INTO transactions VALUES (1, 'charge:ch', 'evt_pi', 1, 100, 1, 130,
                x'\(hash)');
            INSERT INTO entries VALUES (1, 'usd', 1, 1, 1000), (1, 'usd', 2, 2, -1000);
            INSERT INTO reviews VALUES (1, 1, 'opened', 'evt_pi', 100, 1, NULL,
                '[{"rule":"features_missing"}]', NULL);
            INSERT INTO open_reviews VALUES (1, 1);
            INSERT INTO ends VALUES ('transactions', 1), ('reviews', 1);
            UPDATE gate SET state = 2; COMMIT;
            """
        #expect(try folder.sqlite3(old).errors == "")
        let reader = try SQLiteLedgerReader.open(path: folder.file)
        #expect(try reader.verify().fault == nil)
        #expect(try reader.renewalsAfter() == 1)
        try reader.close()
        let ledger = try folder.open()
        #expect(try ledger.verify().fault == nil)
        #expect(try ledger.renewalsAfter() == 1)
        #expect(try ledger.post([Self.told(0.9)]).reviews.isEmpty)
        #expect(try ledger.review(of: Self.charge)?.reasons == [.rule("features_missing")])
        let new = [
            Given.payment("new", .manualReview, known: false),
            Given.scored(Given.event(.payment, "new"), .block, score: 0.9),
        ]
        #expect(try ledger.post(new).reviews.map(\.id) == [2, 3])
        #expect(try ledger.review(of: MovementKey("charge:new"))?.score == 0.9)
        // What closes the old one is kept as ever.
        #expect(try ledger.post([Self.reversal]).reviews.map(\.record.state) == [.expired])
        #expect(try ledger.verify().fault == nil)
        #expect(throws: LedgerError.self) { try ledger.inherit(renewalsAfter: 0) }
    }

    /// Of the first transaction of a ledger.
    private static func hash(of input: LedgerInput) throws -> [UInt8] {
        try #require(try SQLiteLedger.inMemory().post([input]).posted.first).hash
    }

    @Test("says of a review what the scoring that opened it said", arguments: LedgerStore.allCases)
    func contents(store: LedgerStore) throws {
        let ledger = try store.ledger()
        let reasons: [VerdictReason] = [
            .rule("amount_limit"),
            .feature(name: "tx_velocity_1m", value: 14, contribution: 1.5),
        ]
        let scored = ScoredPayment(
            event: Given.event(.payment, "ch", amount: 700, at: 300), verdict: .manualReview,
            score: 0.42, reasons: reasons, model: "1", featuresAsOf: nil)
        let change = try #require(try ledger.post([.scored(scored)]).reviews.first)
        #expect(change.eventID == scored.event.eventID)
        #expect(
            change.record
                == ReviewRecord(
                    movement: Self.charge, state: .opened, reasons: reasons, score: 0.42,
                    by: "scoring", at: Instant(seconds: 300), note: nil))
        let review = try #require(try ledger.review(of: Self.charge))
        #expect(review.reasons == reasons && review.score == 0.42)
        #expect(review.amount == MinorUnits(700) && review.merchant == MerchantID("acct_1"))
        #expect(review.decision == nil)
        #expect(try ledger.review(of: MovementKey("charge:other")) == nil)
    }

    @Test("numbers go on after a restart, and a batch that fails uses none")
    func numbers() throws {
        let folder = try LedgerFolder()
        let ledger = try folder.open()
        _ = try ledger.post(
            [Given.payment("a", .block)],
            positions: [ConsumerPosition(topic: "t", nextOffset: 5)])
        #expect(throws: LedgerError.self) {
            try ledger.post(
                [Given.payment("b", .block)],
                positions: [ConsumerPosition(topic: "t", nextOffset: 4)])
        }
        try ledger.close()
        let reopened = try folder.open()
        let changes = try reopened.post([Given.payment("c", .block), Given.payment("a", .block)])
        #expect(changes.reviews.map(\.id) == [2])
        #expect(try open(reopened).map(\.rawValue) == ["charge:a", "charge:c"])
        #expect(
            try reopened.openReviews(after: TransactionID(1), limit: 1).map(\.movement.rawValue)
                == ["charge:c"])
        #expect(try reopened.verify().fault == nil)
    }

    @Test(
        "a decision is kept with its place, and with whether it changed anything",
        arguments: LedgerStore.allCases)
    func decisions(store: LedgerStore) throws {
        let ledger = try store.ledger()
        _ = try ledger.post(
            [
                Given.payment("ch", .block), Given.review("ch", .approved, by: "ada"),
                Given.review("ch", .approved, by: "bob"), Given.review("ch", .declined, by: "cy"),
                Given.review("ch", .approved, by: "dan"), Given.review("later", .approved),
                .review(
                    ReviewRecord(
                        movement: MovementKey("payout:po"), state: .approved, reasons: [],
                        score: nil, by: "ada", at: Instant(seconds: 1), note: nil)),
            ],
            positions: [],
            places: Dictionary(
                uniqueKeysWithValues: (1...6).map {
                    ($0, DecisionPlace(decision: Int64($0) * 10, scoredNext: Int64($0)))
                }))
        let kept = try (1...6).map { try ledger.decision(at: $0 * 10, partition: 0) }
        #expect(kept.map { $0?.tookEffect } == [true, false, true, false, true, false])
        #expect(kept.map { $0?.record.by } == ["ada", "bob", "cy", "dan", "ada", "ada"])
        #expect(try ledger.point().places == [10: 1, 20: 2, 30: 3, 40: 4, 50: 5, 60: 6])
        #expect(try ledger.decision(at: 70, partition: 0) == nil)
        // A decline outweighs an approval, and it is the one who declined that is named.
        let review = try #require(try ledger.review(of: Self.charge))
        #expect(review.state == .declined && review.decision?.by == "cy")
    }

    @Test("an older ledger's held payments are under review; what stood among its positions moves")
    func migration() throws {
        let folder = try LedgerFolder()
        for migration in LedgerSchema.migrations.prefix(4) {
            #expect(try folder.sqlite3(migration).errors.isEmpty)
        }
        // Held as booked (standing 2), held later, released later, declined, taken back, and
        // payable.
        let rows = (1...6).map { id in
            let isPayable = id == 2 || id == 6
            return """
                INSERT INTO transactions VALUES (\(id), 'charge:c\(id)', 'evt_\(id)', 1, 100, 1,
                    \(isPayable ? 1 : 2), zeroblob(32));
                INSERT INTO entries VALUES (\(id), 'usd', 1, 1, 9),
                    (\(id), 'usd', 2, \(isPayable ? 2 : 3), -9);
                """
        }.joined()
        let old = """
            PRAGMA foreign_keys = ON; BEGIN; UPDATE gate SET state = 1, first = 1;
            INSERT INTO accounts (id, name, currency) VALUES (1, 'processor:stripe', 'usd'),
                (2, 'merchant:m:payable', 'usd'), (3, 'merchant:m:held', 'usd');
            \(rows)
            INSERT INTO payment_states VALUES (2, 70, 1, 0, 0, 1), (3, 69, 0, 0, 0, 1),
                (4, 70, 2, 2, 7, 0);
            INSERT INTO captures VALUES (5, 9, 9);
            UPDATE gate SET state = 2;
            INSERT INTO positions VALUES ('payment.scored', 8), ('payment.review', 5),
                ('payment.review/3', 6), ('log/abc', 0), ('ledger.posted', 7);
            COMMIT;
            """
        #expect(try folder.sqlite3(old).errors == "")
        let reader = try SQLiteLedgerReader.open(path: folder.file)
        let before = try reader.point()
        #expect(throws: LedgerError.olderSchema(found: 4, needed: LedgerSchema.version)) {
            try reader.openReviews(after: TransactionID(0), limit: 1)
        }
        let ledger = try folder.open()
        #expect(try open(ledger).map(\.rawValue) == ["charge:c1", "charge:c2"])
        var after = try ledger.point()
        #expect(after.lastReview == 2)
        after.lastReview = before.lastReview
        #expect(after == before)
        #expect(before.places == [3: 6] && before.logs == ["abc"] && before.next == 7)
        #expect(before.positions == ["payment.scored": 8, "payment.review": 5])
        #expect(try ledger.renewalsAfter() == 6)
        // Scoring has told of them already.
        #expect(try ledger.reviewChanges(after: 0, limit: 9).isEmpty)
        let output = try folder.sqlite3("SELECT topic FROM positions; SELECT last FROM ends").output
        #expect(output == "payment.review\npayment.scored\n2\n6\n")
        #expect(try ledger.post([Given.review("c1", .approved)]).inputs == [.booked(count: 1)])
        #expect(try open(ledger).map(\.rawValue) == ["charge:c2"])
        #expect(try ledger.post([Given.payment("new", .block)]).reviews.map(\.id) == [3])
    }
}

@Suite("Standing")
struct StandingTests {
    private func standing(
        _ verdict: Verdict, score: Double?, _ change: (inout PaymentEvent) -> Void
    ) -> Standing {
        var event = Given.event(.payment, "pi_1", known: false)
        change(&event)
        return Standing(
            ScoredPayment(
                event: event, verdict: verdict, score: score, reasons: [], model: nil,
                featuresAsOf: nil))
    }

    @Test("a score outweighs knowledge, knowledge the kind of event, and that the verdict")
    func order() {
        let all: (inout PaymentEvent) -> Void = {
            ($0.customer, $0.card, $0.cardCountry, $0.country) = ("c", "f", "DE", "DE")
            $0.device = "d"
        }
        let rising = [
            standing(.approve, score: nil) { _ in }, standing(.manualReview, score: nil) { _ in },
            standing(.block, score: nil) { _ in },
            standing(.approve, score: nil) { $0.objectID = "ch_1" },
            standing(.approve, score: nil) { $0.customer = "c" },
            standing(.manualReview, score: nil, all), standing(.approve, score: 0.1) { _ in },
            standing(.block, score: 0.1) { _ in },
            standing(.approve, score: 0.1) { $0.customer = "c" },
            standing(.approve, score: 0.1, all),
        ]
        #expect(rising == rising.sorted())
        #expect(Set(rising).count == rising.count)
        #expect(rising.allSatisfy { Standing(stored: $0.rawValue) == $0 })
    }

    @Test("what earlier releases stored keeps its order and its place")
    func stored() {
        // Four times the evidence (16 for a score, 1 for each of five fields), plus 1…3.
        let old = [0...5, 16...21].joined().flatMap { evidence in
            (1...3).map { Int64(evidence * 4 + $0) }
        }
        let standings = old.map { Standing(stored: $0) }
        #expect(standings == standings.sorted() && Set(standings).count == old.count)
        #expect(zip(old, standings).allSatisfy { ($0 % 4 == 1) == $1.isMild })
        #expect(Standing(stored: 0) == .none)
        // As much is known, of a charge: the stricter stands, as it did then.
        let now = standing(.manualReview, score: 0.5) {
            ($0.customer, $0.card, $0.objectID) = ("c", "f", "ch_1")
        }
        #expect(Standing(stored: 18 * 4 + 1) < now && now < Standing(stored: 18 * 4 + 3))
        #expect(Standing(stored: 18 * 4 + 2) == now)
    }
}
