import AppendLog
import Foundation
import GRDB
import TestSupport
import Testing

@testable import Appliance
@testable import Command
@testable import Daemon
@testable import Reconcile
@testable import Vocabulary

/// The log's, beside which the database's library has one too.
private typealias Record = AppendLog.Record

@Suite("Explanations")
struct ExplainerTests {
    private static let secret = "whsec_explained"
    /// 2026-09-23, behind every event and every arrival.
    private static let booked: Int64 = 1_790_200_000_000

    private func fixture(_ change: (inout Settings) -> Void = { _ in }) throws -> PipelineFixture {
        try PipelineFixture(clockMilliseconds: { Self.booked }, change)
    }

    /// A delivery as the gate keeps it.
    private func delivery(
        _ body: [UInt8], endpoint: String = "", secrets: [String] = [Self.secret]
    ) throws -> Record {
        let event = try EventScanner().scan(body)
        let signature = secrets.isEmpty
            ? ""
            : StripeSignature.header(
                signing: body[...], at: Instant(seconds: 1_790_000_500), secrets: secrets)
        return Record.received(
            body[...], id: event.id, endpoint: endpoint, signature: signature,
            receivedAt: Timestamp(milliseconds: 1_790_000_500_042))
    }

    private func charge(_ number: Int, amount: Int = 1000) -> [UInt8] {
        Array(PipelineFixture.charge(number, amount: amount, customer: number % 5).utf8)
    }

    private func explainer(
        _ opened: PipelineFixture.Opened, secrets: [String] = [Self.secret]
    ) -> Explainer {
        let topics = opened.topics
        return Explainer(
            ledger: opened.ledger, statement: StatementStore(of: opened.ledger),
            topic: { TopicReader(topics[$0]) },
            endpoints: [WebhookEndpoint(name: "", secrets: secrets, livemode: .any)])
    }

    private func book(_ deliveries: [Record], in fixture: PipelineFixture) async throws {
        try await fixture.opened { opened in
            for delivery in deliveries {
                _ = try await opened.append(delivery, to: .webhookReceived)
            }
            try await fixture.process(opened)
        }
    }

    // MARK: Every kind of movement

    @Test("each case is explained to the last digit, and nothing in it does not fit",
        arguments: MoneyCase.all)
    func cases(example: MoneyCase) async throws {
        let fixture = try fixture { $0.defaultMerchant = MerchantID("shop") }
        var seen: Set<String> = []
        let deliveries = try example.events.compactMap { body -> Record? in
            guard let event = try? EventScanner().scan(body),
                seen.insert(event.id.rawValue).inserted
            else { return nil }
            return try delivery(body)
        }
        try await book(deliveries, in: fixture)
        try await fixture.opened { opened in
            let explainer = explainer(opened)
            var sums: [String: Int64] = [:]
            for balance in try opened.ledger.balances() {
                let explained = try #require(
                    try explainer.account(balance.account, balance.currency, limit: 1000))
                #expect(explained.faults == [], "\(example.name)")
                #expect(explained.count.counted.amount == balance.balance)
                #expect(explained.next == nil)
                #expect(explained.entries.last?.balance == balance.balance)
                sums["\(balance.account) \(balance.currency.code)"] = balance.balance.rawValue
                for entry in explained.entries { expectWhole(entry, of: balance.account) }
            }
            for (account, amount) in example.expected where !account.contains(":funds") {
                #expect(sums[account, default: 0] == amount, "\(example.name): \(account)")
            }
        }
    }

    /// Every record is there, and the numbers in the bytes come to the entry.
    private func expectWhole(_ entry: ExplainedEntry, of account: AccountName) {
        let transaction = entry.transaction
        let name = "\(transaction.transaction.posting.movement) in \(account)"
        #expect(
            transaction.records.map(\.topic) == [
                .webhookReceived, .paymentValidated, .paymentScored, .ledgerPosted,
            ], "\(name)")
        #expect(transaction.records.allSatisfy { $0.offset != nil }, "\(name)")
        #expect(transaction.webhook?.signature == .valid(
            signedAt: Instant(seconds: 1_790_000_500)), "\(name)")
        let numbers = transaction.numbers(for: account)
        let sum = numbers.reduce(Int64(0)) { $0 + ($1.isSubtracted ? -$1.value : $1.value) }
        switch transaction.origin {
        case .told:
            #expect(
                sum.magnitude == entry.amount.rawValue.magnitude, "\(name): \(numbers)")
        case .grown(let total): #expect(sum == total.rawValue, "\(name)")
        case .moved: #expect(!numbers.isEmpty, "\(name)")
        case .unknown: Issue.record("\(name): nothing tells it")
        }
    }

    // MARK: One payment

    @Test("a payment is explained by its bytes, its records and its signature, recomputed")
    func payment() async throws {
        let fixture = try fixture()
        let body = charge(7, amount: 4_250)
        try await book([try delivery(charge(6)), try delivery(body)], in: fixture)
        try await fixture.opened { opened in
            let found = try explainer(opened).movement(MovementKey("charge:ch_7"))
            let explained = try #require(found.transactions.first)
            #expect(found.transactions.count == 1 && found.faults.isEmpty && !found.isPayout)
            #expect(explained.records.map(\.offset) == Array(repeating: Offset(1), count: 4))
            let webhook = try #require(explained.webhook)
            #expect(webhook.byteCount == body.count)
            #expect(webhook.type == "charge.succeeded")
            #expect(webhook.receivedAt.milliseconds == 1_790_000_500_042)
            #expect(webhook.signature == .valid(signedAt: Instant(seconds: 1_790_000_500)))
            let number = try #require(explained.told?.amount.first)
            #expect(number.path == "data.object.amount_captured")
            #expect(String(decoding: body[number.range], as: UTF8.self) == "4250")
            #expect(Array(body[webhook.excerpt.range]) == webhook.excerpt.bytes)
            #expect(webhook.excerpt.range.contains(number.range.lowerBound))
            let text = ExplainText(found).text
            for part in [
                "processor:stripe 42.50 usd", "payment.scored/1", "▸4250◂", "valid, signed at",
                "bytes \(number.range.lowerBound)..<\(number.range.upperBound)",
                "2026-09-23T21:46:40.000Z",
            ] {
                #expect(text.contains(part), "\(part): \(text)")
            }
        }
    }

    @Test("a signature is what the secrets that are known make of it", arguments: [
        ([secret], "", [secret], "valid"), ([secret], "", ["whsec_other"], "no_match"),
        ([secret], "", [], "secret_unknown"), ([secret], "eu", [secret], "secret_unknown"),
        (["whsec_old", secret], "", [secret], "valid"), ([], "backfill", [secret], "not_signed"),
        ([], "reconcile", [secret], "not_signed"), ([], "", [secret], "not_signed"),
    ] as [([String], String, [String], String)])
    func signatures(
        made: [String], endpoint: String, known: [String], expected: String
    ) async throws {
        let fixture = try fixture()
        try await book(
            [try delivery(charge(1), endpoint: endpoint, secrets: made)], in: fixture)
        try await fixture.opened { opened in
            let found = try explainer(opened, secrets: known)
                .movement(MovementKey("charge:ch_1"))
            let signature = try #require(found.transactions.first?.webhook?.signature)
            #expect(signature.code == expected)
            #expect(!signature.sentence.contains("whsec_"))
            #expect(found.faults.isEmpty)
        }
    }

    @Test("a person's decision is explained with who took it, and its record")
    func decision() async throws {
        let fixture = try fixture { $0.amountLimits = [Given.usd: MinorUnits(500)] }
        try await book([try delivery(charge(3))], in: fixture)
        try await fixture.opened { opened in
            _ = try await opened.append(PipelineFixture.decision(3, .approved), to: .paymentReview)
            try await fixture.process(opened)
            let found = try explainer(opened).movement(MovementKey("charge:ch_3"))
            #expect(found.faults.isEmpty, "\(found.faults)")
            try #require(found.transactions.count == 2)
            let moved = found.transactions[1]
            #expect(moved.transaction.posting.kind == .reviewApproved)
            #expect(moved.origin == .moved)
            let decision = try #require(moved.decision)
            #expect(decision.record.by == "ada" && decision.point.topic == .paymentReview)
            let at = try #require(decision.point.offset)
            let record = try opened.topics[.paymentReview].record(at: at)
            #expect(record?.key.map { Array($0) } == Array("ada".utf8))
        }
    }

    // MARK: Accounts

    @Test("an account is explained page by page, its sum on each; a full last page is the last",
        arguments: [10, 5])
    func pages(limit: Int) async throws {
        let fixture = try fixture()
        try await book(
            try (1...25).map { try delivery(charge($0, amount: 100 * $0)) }, in: fixture)
        try await fixture.opened { opened in
            let explainer = explainer(opened)
            let account = AccountName.processor
            var (after, running, seen, pageCount) = (TransactionID(0), Int64(0), 0, 0)
            while true {
                pageCount += 1
                let page = try #require(
                    try explainer.account(account, Given.usd, after: after, limit: limit))
                #expect(page.count.before.entries == Int64(seen))
                #expect(page.count.before.amount.rawValue == running)
                #expect(page.count.counted == .init(entries: 25, amount: MinorUnits(32_500)))
                #expect(page.faults.isEmpty)
                for entry in page.entries {
                    running += entry.amount.rawValue
                    #expect(entry.balance.rawValue == running)
                }
                seen += page.entries.count
                guard let next = page.next else { break }
                after = next
            }
            #expect(seen == 25 && running == 32_500)
            #expect(pageCount == (25 + limit - 1) / limit)
        }
    }

    @Test("as of a moment only what took effect counts, and the rest accounts for the balance")
    func asOf() async throws {
        let fixture = try fixture()
        try await book(try (1...6).map { try delivery(charge($0)) }, in: fixture)
        try await fixture.opened { opened in
            let moment = Instant(seconds: 1_760_054_400 + 4 * 60)
            let page = try #require(
                try explainer(opened).account(
                    .processor, Given.usd, asOf: moment, limit: 100))
            #expect(page.entries.count == 4)
            #expect(page.count.counted.amount == MinorUnits(4_000))
            #expect(page.count.all.amount == MinorUnits(6_000))
            #expect(page.faults.isEmpty)
            let balances = try opened.ledger.balances(asOf: moment)
            let held = balances.first { $0.account == .processor }?.balance
            #expect(held == page.count.counted.amount)
            #expect(ExplainText(page).text.contains("with the 2 later ones it is 60.00 usd"))
        }
    }

    @Test("names are resolved: accounts, movements, Stripe's ids, numbers; others have neighbours")
    func names() async throws {
        let fixture = try fixture()
        try await book(try (1...3).map { try delivery(charge($0)) }, in: fixture)
        try await fixture.opened { opened in
            let explainer = explainer(opened)
            #expect(
                try explainer.name("processor:stripe")
                    == .account(.processor, [Given.usd]))
            for word in ["charge:ch_2", "ch_2"] {
                #expect(try explainer.name(word) == .movement(MovementKey("charge:ch_2")))
            }
            #expect(try explainer.name("3") == .transaction(TransactionID(3)))
            for word in ["4", "ch_9", "processor:strip", "-1", "", "x:y:z"] {
                #expect(try explainer.name(word) == nil, "\(word)")
            }
            let near = try explainer.names(near: "ch_22")
            #expect(near.contains("charge:ch_2") && near.contains("processor:stripe"))
        }
    }

    // MARK: What does not fit, and what is gone

    @Test("a tampered ledger is explained, and what does not fit is said", arguments: [
        ("UPDATE entries SET amount = amount * 2 WHERE transaction_id = 2", [
            "its hash is not that", "ledger.posted was told something else",
            "payment.scored tells a payment of 10.00 usd",
        ]),
        ("UPDATE entries SET amount = amount + 1 WHERE transaction_id = 2 AND amount > 0",
            ["do not sum to zero"]),
        ("UPDATE transactions SET hash = zeroblob(32) WHERE id = 2", ["its hash is not that"]),
        ("UPDATE transactions SET event_id = 'evt_none' WHERE id = 2",
            ["no record of evt_none in webhook.received"]),
        ("UPDATE accounts SET balance = balance + 5 WHERE name = 'processor:stripe'",
            ["the ledger keeps a balance of 30.05 usd, and the account's 3 entries come to 30.00"]),
    ] as [(String, [String])])
    func tampered(sql: String, expected: [String]) async throws {
        let fixture = try fixture()
        try await book(try (1...3).map { try delivery(charge($0)) }, in: fixture)
        try fixture.tamper(sql)
        // As the command does it, of a folder that nobody has open.
        let explainer = try FolderView(path: fixture.path).explainer(endpoints: [])
        let found = try #require(
            try explainer.account(.processor, Given.usd, limit: 10))
        let faults = found.faults.joined(separator: "\n")
        for part in expected { #expect(faults.contains(part), "\(part): \(faults)") }
        #expect(ExplainText(found).text.contains("DOES NOT FIT: "))
        // The others are left in peace.
        #expect(found.entries[0].transaction.faults.isEmpty)
    }

    @Test("a webhook whose bytes tell another amount than was booked does not fit")
    func otherBytes() async throws {
        let fixture = try fixture()
        try await book([try delivery(charge(1))], in: fixture)
        try await fixture.opened { opened in
            let forged = try delivery(charge(1, amount: 9_999))
            let topics = opened.topics
            let replaced = ReplacedReader(reader: TopicReader(topics[.webhookReceived]), forged)
            let explainer = Explainer(
                ledger: opened.ledger, statement: nil,
                topic: { id in
                    id == .webhookReceived
                        ? TopicReader(replaced) { $0 } : TopicReader(topics[id])
                }, endpoints: [])
            let faults = try explainer.movement(MovementKey("charge:ch_1")).faults
            #expect(faults.contains { $0.contains("the webhook tells 99.99 usd") }, "\(faults)")
        }
    }

    /// A topic in which another record stands at the beginning.
    private struct ReplacedReader: RecordReading {
        let reader: TopicReader
        let first: Record

        init(reader: TopicReader, _ first: Record) {
            self.reader = reader
            self.first = first
        }

        var start: Offset { reader.start }
        var end: Offset { reader.end }

        func read(from offset: Offset, byteCountMax: Int) throws(StoreFailure) -> [StoredRecord] {
            try reader.read(from: offset, byteCountMax: byteCountMax).map {
                $0.offset == .zero ? StoredRecord(offset: .zero, record: first) : $0
            }
        }

        func offset(at timestamp: Timestamp) throws(StoreFailure) -> Offset? {
            try reader.offset(at: timestamp)
        }
    }

    @Test("what retention has removed is said, and what is kept is still shown")
    func removed() async throws {
        let fixture = try fixture()
        try await book(try (1...4).map { try delivery(charge($0)) }, in: fixture)
        try await fixture.opened { opened in
            let topics = opened.topics
            let cut = CutReader(reader: TopicReader(topics[.webhookReceived]), start: Offset(3))
            let explainer = Explainer(
                ledger: opened.ledger, statement: nil,
                topic: { id in
                    id == .webhookReceived ? TopicReader(cut) { $0 } : TopicReader(topics[id])
                }, endpoints: [])
            let gone = try explainer.movement(MovementKey("charge:ch_2"))
            #expect(gone.faults.isEmpty)
            #expect(gone.transactions[0].records[0].state == .removed(begins: Offset(3)))
            #expect(gone.transactions[0].records[2].offset == Offset(1))
            #expect(gone.transactions[0].webhook == nil)
            #expect(ExplainText(gone).text.contains("removed by the log's retention"))
            let kept = try explainer.movement(MovementKey("charge:ch_4"))
            #expect(kept.transactions[0].records[0].offset == Offset(3))
            #expect(kept.transactions[0].webhook != nil)
        }
    }

    /// A topic whose beginning is gone.
    private struct CutReader: RecordReading {
        let reader: TopicReader
        let start: Offset
        var end: Offset { reader.end }

        func read(from offset: Offset, byteCountMax: Int) throws(StoreFailure) -> [StoredRecord] {
            try reader.read(from: max(offset, start), byteCountMax: byteCountMax)
        }

        func offset(at timestamp: Timestamp) throws(StoreFailure) -> Offset? {
            try reader.offset(at: timestamp).map { max($0, start) }
        }
    }

    @Test("a folder without a log is explained by its ledger alone")
    func noLog() async throws {
        let fixture = try fixture()
        try await book([try delivery(charge(1))], in: fixture)
        try FileManager.default.removeItem(atPath: "\(fixture.path)/log")
        let explainer = try FolderView(path: fixture.path).explainer(endpoints: [])
        let found = try explainer.movement(MovementKey("charge:ch_1"))
        #expect(found.faults.isEmpty)
        #expect(found.transactions[0].records.allSatisfy { $0.state == .noLog })
        #expect(found.transactions[0].transaction.posting.entries.count == 2)
    }

    @Test("among ten thousand payments each is found, however far from the end")
    func many() async throws {
        let fixture = try fixture()
        let count = 10_000
        try await fixture.opened { opened in
            let records = try (1...count).map { try delivery(charge($0), secrets: []) }
            _ = try await opened.topics[.webhookReceived].append(records)
            try await fixture.process(opened)
            let explainer = explainer(opened)
            for number in [1, 2, 4_999, count] {
                let found = try explainer.movement(MovementKey("charge:ch_\(number)"))
                #expect(found.faults.isEmpty)
                let offset = Offset(Int64(number - 1))
                #expect(found.transactions[0].records.allSatisfy { $0.offset == offset })
            }
            let last = try #require(
                try explainer.account(
                    .processor, Given.usd, after: TransactionID(Int64(count - 3)), limit: 10))
            #expect(last.entries.count == 3 && last.faults.isEmpty)
        }
    }
}
