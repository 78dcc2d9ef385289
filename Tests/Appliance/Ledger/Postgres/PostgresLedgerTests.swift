import AppendLog
import Bridges
import Foundation
import GRDB
import TestSupport
import Testing

@testable import Appliance
@testable import Vocabulary

@Suite("The ledger in Postgres", .serialized)
struct PostgresLedgerTests {
    /// Records of many charges in any order, each of them perhaps several times.
    private func inputs(seed: UInt64) -> [LedgerInput] {
        var random = SeededGenerator(seed: seed)
        var inputs: [LedgerInput] = []
        func some(_ values: [Verdict] = [.approve, .manualReview, .block, .notScored]) -> Verdict {
            values.randomElement(using: &random) ?? .block
        }
        for index in 0..<40 {
            let charge = "ch\(index)"
            let merchant = "acct_\(index % 5)"
            for known in [true, true, false, false] {
                inputs.append(
                    Given.scored(
                        Given.event(
                            .payment, charge, amount: known ? 1000 : 900,
                            currency: index % 7 == 0 ? Given.eur : Given.usd, merchant: merchant,
                            known: known), some(),
                        score: [nil, 0.5, 0.25, 0.1].randomElement(using: &random) ?? nil,
                        reasons: [.rule(["a", "b"].randomElement(using: &random) ?? "a")]))
            }
            if Bool.random(using: &random) {
                inputs.append(
                    Given.review(charge, Bool.random(using: &random) ? .approved : .declined))
            }
            let currency = index % 7 == 0 ? Given.eur : Given.usd
            for kind in [PaymentKind.refund, .refundFailed, .refundNoted]
            where Bool.random(using: &random) {
                let movement = kind == .refundNoted ? "refund:re\(index)" : nil
                inputs.append(
                    Given.scored(
                        Given.event(
                            kind, "re\(index)", amount: 10, currency: currency, merchant: merchant,
                            related: charge, movement: movement)))
            }
            if Bool.random(using: &random) {
                inputs.append(
                    Given.scored(
                        Given.event(
                            .releaseTold, charge, amount: 10, currency: currency,
                            merchant: merchant, related: charge,
                            movement: "release_told:\(charge)")))
            }
            if index % 9 == 0 {
                inputs.append(
                    Given.scored(
                        Given.event(
                            .paymentReversed, charge, currency: currency, merchant: merchant,
                            related: charge, movement: "charge_reversed:\(charge)")))
            }
            inputs.append(Given.scored(Given.event(.payout, "po\(index % 20)", amount: 3)))
            inputs.append(
                Given.scored(Given.event(.disputeWithdrawn, "t\(index)", amount: 7, fee: 1)))
        }
        return inputs + inputs.shuffled(using: &random)
    }

    @Test("books what SQLite's ledger books, row by row and hash by hash", arguments: 1...6)
    func equal(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let all = inputs(seed: seed).shuffled(using: &random)
        let (sqlite, postgres) = (try SQLiteLedger.inMemory(), try PostgresDatabase().open())
        try sqlite.adopt(log: "log")
        try postgres.adopt(log: "log")
        var start = 0
        while start < all.count {
            let end = min(all.count, start + Int.random(in: 1...150, using: &random))
            let batch = Array(all[start..<end])
            var places: [Int: DecisionPlace] = [:]
            for (index, input) in batch.enumerated() {
                guard case .review = input else { continue }
                places[index] = DecisionPlace(
                    decision: Int64(start + index), scoredNext: Int64(start))
            }
            let positions = [ConsumerPosition(topic: "payment.scored", nextOffset: Int64(end))]
            let due = try sqlite.post(batch, positions: positions, places: places)
            let found = try postgres.post(batch, positions: positions, places: places)
            #expect(found == due, "inputs \(start)..<\(end)")
            start = end
        }
        for table in try LedgerTables.shared() {
            let due = try sqlite.content(of: table.name, table.columns)
            #expect(try postgres.content(of: table.name, table.columns) == due, "\(table.name)")
        }
        try compareAnswers(sqlite, postgres)
        let (due, found) = (try sqlite.verify(), try postgres.verify())
        #expect(found == due && found.fault == nil, "\(String(describing: found.fault))")
        #expect(found.transactions > 100)
    }

    /// Everything that a ledger can be asked.
    private func compareAnswers(_ left: any Ledger, _ right: any Ledger) throws {
        #expect(try right.point() == left.point())
        #expect(try right.balances() == left.balances())
        #expect(
            try right.balances(asOf: Instant(seconds: 100))
                == left.balances(asOf: Instant(seconds: 100)))
        #expect(try right.waiting() == left.waiting())
        #expect(try right.waitingCount() == left.waitingCount())
        let posted = try left.posted(after: TransactionID(0), limit: 10_000)
        #expect(try right.posted(after: TransactionID(0), limit: 10_000) == posted)
        #expect(
            try right.posted(after: TransactionID(7), limit: 3)
                == left.posted(after: TransactionID(7), limit: 3))
        #expect(
            try right.reviewChanges(after: 2, limit: 9) == left.reviewChanges(after: 2, limit: 9))
        #expect(
            try right.openReviews(after: TransactionID(3), limit: 20)
                == left.openReviews(after: TransactionID(3), limit: 20))
        for index in 0..<40 {
            let key = MovementKey("charge:ch\(index)")
            #expect(try right.transactions(of: key) == left.transactions(of: key))
            #expect(try right.review(of: key) == left.review(of: key))
        }
        let keys = posted.map(\.posting.movement.rawValue) + ["charge:none"]
        #expect(try right.movements(keys, through: .max) == left.movements(keys, through: .max))
        #expect(try right.movements(keys, through: 50) == left.movements(keys, through: 50))
        let (from, to) = (Instant(seconds: 0), Instant(seconds: 1_000))
        #expect(
            try right.movements(after: 3, from: from, to: to, limit: 40)
                == left.movements(after: 3, from: from, to: to, limit: 40))
        #expect(try right.head() == left.head())
        #expect(try right.processorBalances() == left.processorBalances())
        #expect(
            try right.processorBalance(of: .own, through: 20)
                == left.processorBalance(of: .own, through: 20))
        let moment = Instant(seconds: 1_800_000_000)
        #expect(try right.lastTransaction(before: moment) == left.lastTransaction(before: moment))
        try compareAccounts(left, right)
    }

    /// The same of accounts, one by one.
    private func compareAccounts(_ left: any Ledger, _ right: any Ledger) throws {
        let (start, moment) = (TransactionID(20), Instant(seconds: 100))
        for balance in try left.balances() {
            let (name, currency) = (balance.account.rawValue, balance.currency)
            #expect(try right.currencies(of: name) == left.currencies(of: name))
            for asOf in [nil, moment] {
                let due = try left.count(name, currency, asOf: asOf, after: start)
                #expect(try right.count(name, currency, asOf: asOf, after: start) == due)
                #expect(due?.isRight == true)
                func page(_ ledger: any Ledger) throws -> [AccountEntry] {
                    try ledger.entries(
                        of: name, currency, asOf: asOf, after: start,
                        through: TransactionID(90), limit: 5)
                }
                #expect(try page(right) == page(left))
            }
            func period(_ ledger: any Ledger) throws -> AccountPeriod? {
                try ledger.period(
                    of: name, currency, from: moment, to: Instant(seconds: 400), after: start,
                    limit: 5)
            }
            #expect(try period(right) == period(left))
        }
        #expect(try right.count("none", Given.usd, asOf: nil, after: start) == nil)
        let (from, to) = (Instant(seconds: 0), Instant(seconds: 400))
        #expect(
            try right.openedAccounts(from: from, to: to, through: TransactionID(60))
                == left.openedAccounts(from: from, to: to, through: TransactionID(60)))
        for key in ["charge:ch2", "charge:ch21x", "zz", ""] {
            #expect(try right.movements(near: key, limit: 3) == left.movements(near: key, limit: 3))
        }
        for number in 0..<40 {
            let key = MovementKey("charge:ch\(number)")
            #expect(try right.decisions(on: key) == left.decisions(on: key))
        }
    }

    @Test("the number of round trips does not grow with the batch")
    func roundTrips() throws {
        let ledger = try PostgresDatabase().open()
        func trips(_ inputs: [LedgerInput]) throws -> Int {
            let before = ledger.roundTrips
            _ = try ledger.post(inputs)
            return ledger.roundTrips - before
        }
        let verdicts: [Verdict] = [.approve, .block]
        let payments = (0..<2_048).map {
            Given.payment("ch\($0)", verdicts[$0 % 2], merchant: "acct_\($0 % 300)")
        }
        _ = try trips([Given.payment("first", .block)])
        #expect(try trips(payments) <= 30)
        #expect(try trips(payments) <= 12)
        let later = (0..<1_000).flatMap { index -> [LedgerInput] in
            [
                Given.review("ch\(index)", index % 3 == 0 ? .declined : .approved),
                Given.scored(
                    Given.event(
                        .refund, "re\(index)", amount: 5, merchant: "acct_\(index % 300)",
                        related: "ch\(index)")),
            ]
        }
        let count = try trips(later)
        #expect(count <= 40, "\(count)")
        let keys = (0..<1_000).flatMap { ["charge:ch\($0)", "refund:re\($0)"] }
        let before = ledger.roundTrips
        #expect(try ledger.movements(keys, through: .max).count == 2_000)
        #expect(ledger.roundTrips - before <= 8)
        #expect(try ledger.verify().fault == nil)
    }

    // MARK: Two writers

    @Test("of two instances one books a run, and the other is told that it went on")
    func twoInstances() throws {
        let database = try PostgresDatabase()
        let (first, second) = (try database.open(), try database.open())
        func run(_ from: Int64, _ to: Int64) -> [ConsumerPosition] {
            [
                ConsumerPosition(
                    topic: "payment.scored", partition: 3, nextOffset: to, expected: from)
            ]
        }
        let inputs = [Given.payment("a", .block), Given.payment("b")]
        #expect(try first.post(inputs, positions: run(0, 10)).posted.count == 2)
        #expect(
            throws: LedgerError.positionWentBack(topic: "payment.scored", stored: 10, given: 0)
        ) {
            try second.post(inputs + [Given.payment("c")], positions: run(0, 12))
        }
        #expect(try second.posted(after: TransactionID(0), limit: 9).count == 2)
        #expect(try second.position(topic: "payment.scored", partition: 3) == 10)
        // One chain, whoever writes.
        #expect(
            try second.post([Given.payment("c")], positions: run(10, 12)).posted.map(\.id.rawValue)
                == [3])
        #expect(
            try first.post([Given.payment("d"), Given.payment("c")], positions: run(12, 14)).inputs
                == [.booked(count: 1), .alreadyBooked])
        #expect(try first.verify().fault == nil)
        #expect(try second.head() == 4)
    }

    @Test("many instances at once make one chain without a gap")
    func concurrent() async throws {
        let database = try PostgresDatabase()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<4 {
                let ledger = try database.open()
                group.addTask {
                    for batch in 0..<10 {
                        let inputs = (0..<20).map {
                            Given.payment(
                                "w\(writer % 2)-\(batch)-\($0)",
                                $0 % 3 == 0 ? .block : .approve)
                        }
                        _ = try ledger.post(inputs)
                    }
                }
            }
            try await group.waitForAll()
        }
        let ledger = try database.open()
        let found = try ledger.verify()
        #expect(found.fault == nil && found.transactions == 400)
    }

    // MARK: Lost answers

    @Test(
        "a lost answer to COMMIT is found out: nothing is booked twice and nothing is lost",
        arguments: [PostgresProxy.Cut.beforeCommit, .afterCommit])
    func lostAnswer(cut: PostgresProxy.Cut) throws {
        let database = try PostgresDatabase()
        let proxy = try PostgresProxy(to: database.server.port)
        defer { proxy.close() }
        let ledger = try database.open(port: proxy.port)
        func position(_ from: Int64, _ to: Int64) -> [ConsumerPosition] {
            [ConsumerPosition(topic: "t", nextOffset: to, expected: from)]
        }
        _ = try ledger.post([Given.payment("a", .block)], positions: position(0, 1))
        proxy.cutOnce(cut)
        let inputs = [Given.payment("b", .block), Given.payment("c")]
        if cut == .afterCommit {
            #expect(try ledger.post(inputs, positions: position(1, 3)).posted.count == 2)
        } else {
            let error = #expect(throws: LedgerError.self) {
                try ledger.post(inputs, positions: position(1, 3))
            }
            #expect(error?.isRetryable == true, "\(String(describing: error))")
            #expect(try ledger.position(topic: "t") == 1)
            #expect(try ledger.post(inputs, positions: position(1, 3)).posted.count == 2)
        }
        #expect(proxy.cutCount == 1)
        #expect(try ledger.position(topic: "t") == 3)
        // A batch that books nothing is known by its position.
        proxy.cutOnce(.afterCommit)
        #expect(try ledger.post([], positions: position(3, 5)).posted.isEmpty)
        #expect(try ledger.position(topic: "t") == 5)
        let found = try ledger.verify()
        #expect(found.fault == nil && found.transactions == 3)
    }

    @Test("verification reads each row some times, not each for each: plans of a grown ledger hold")
    func verifiedInProportion() async throws {
        let database = try PostgresDatabase()
        let ledger = try database.open()
        let count = 4_000
        for start in stride(from: 0, to: count, by: 500) {
            _ = try ledger.post(
                (start..<start + 500).flatMap { index in
                    index % 4 == 0
                        ? [
                            Given.payment("ch\(index)", .manualReview),
                            Given.review("ch\(index)", .approved),
                        ] : [Given.payment("ch\(index)")]
                })
        }
        ledger.close()
        // As autovacuum does it: what the planner knows of the tables decides how they are read.
        _ = try database.psql("ANALYZE")
        let before = try await rowsRead(in: database)
        let verified = try database.open()
        let found = try verified.verify()
        verified.close()
        #expect(found.fault == nil && found.transactions == count + count / 4)
        // Each transaction has two entries; there are some forty checks.
        let rows = 3 * found.transactions
        let read = try await rowsRead(in: database) - before
        #expect(read > rows && read < 40 * rows, "\(read) rows were read of \(rows)")
    }

    /// Rows that were read in a database by all whose connections have ended.
    private func rowsRead(in database: PostgresDatabase) async throws -> Int {
        try await eventually("the connections end, and have told what they read") {
            try database.server.psql(
                "postgres",
                "SELECT count(*) FROM pg_stat_activity WHERE datname = '\(database.name)'"
            ).output.trimmingCharacters(in: .whitespacesAndNewlines) == "0"
        }
        let output = try database.server.psql(
            database.name,
            "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_user_tables"
        ).output
        return try #require(Int(output.trimmingCharacters(in: .whitespacesAndNewlines)))
    }

    @Test(
        "a lost answer to COMMIT of a renewed review is found out too",
        arguments: [PostgresProxy.Cut.beforeCommit, .afterCommit])
    func lostRenewal(cut: PostgresProxy.Cut) throws {
        let database = try PostgresDatabase()
        let proxy = try PostgresProxy(to: database.server.port)
        defer { proxy.close() }
        let ledger = try database.open(port: proxy.port)
        _ = try ledger.post([Given.payment("a", .block, known: false)])
        let better = [Given.scored(Given.event(.payment, "a"), .block, score: 0.9)]
        proxy.cutOnce(cut)
        if cut == .afterCommit {
            #expect(try ledger.post(better).reviews.map(\.id) == [2])
        } else {
            let error = #expect(throws: LedgerError.self) { try ledger.post(better) }
            #expect(error?.isRetryable == true, "\(String(describing: error))")
            #expect(try ledger.post(better).reviews.map(\.id) == [2])
        }
        #expect(proxy.cutCount == 1)
        #expect(try ledger.post(better).reviews.isEmpty)
        #expect(try ledger.review(of: MovementKey("charge:a"))?.score == 0.9)
        #expect(try ledger.verify().fault == nil)
    }

    @Test("a killed backend costs a retry and nothing else")
    func killed() throws {
        let database = try PostgresDatabase()
        let ledger = try database.open()
        _ = try ledger.post([Given.payment("a")])
        try database.server.sql(
            "postgres",
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                + "WHERE datname = '\(database.name)'")
        let error = #expect(throws: LedgerError.self) { try ledger.post([Given.payment("b")]) }
        #expect(error?.isRetryable == true)
        #expect(try ledger.post([Given.payment("b")]).posted.map(\.id.rawValue) == [2])
        #expect(try ledger.verify().fault == nil)
    }
}
