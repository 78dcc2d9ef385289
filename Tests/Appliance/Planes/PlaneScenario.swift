import AppendLog
import Foundation
import GRDB

@testable import Appliance
@testable import Daemon
@testable import Vocabulary

/// Events, people's decisions, and what the embedded plane makes of them: the measure of the other.
struct PlaneScenario: Sendable {
    let bodies: [[UInt8]]
    let decisions: [AppendLog.Record]
    let steps: PipelineSteps
    let verdicts: Verdicts
    /// What the embedded engine computed, by the event that it computed it for.
    let vectors: [EventID: Vector]
    let expected: LedgerContent
    /// The ledger's transactions, in their order.
    let rows: [Posting]

    struct Vector: Sendable {
        var record: FeaturesRecord
        var stored: AppendLog.Record
    }

    /// Payments of more than this are looked at by a person.
    private static let limit: Int64 = 5_000

    init(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        bodies = Self.events(&random)
        decisions = Self.decisions(&random)
        let fixture = try PipelineFixture {
            $0.amountLimits = [Given.usd: MinorUnits(Self.limit)]
        }
        steps = try PipelineSteps(fixture.settings, counters: Counters())
        verdicts = try steps.verdicts()
        let (bodies, decisions) = (bodies, decisions)
        (vectors, expected, rows) = try await fixture.opened { opened in
            for body in bodies {
                _ = try await opened.append(
                    PipelineFixture.received(
                        String(decoding: body, as: UTF8.self), event: Self.id(of: body)),
                    to: .webhookReceived)
            }
            try await fixture.process(opened)
            for decision in decisions { _ = try await opened.append(decision, to: .paymentReview) }
            try await fixture.process(opened)
            let posted = try opened.ledger.posted(after: TransactionID(0), limit: 100_000)
            return (
                try Self.vectors(opened), try Self.content(opened), posted.map(\.posting)
            )
        }
    }

    private static func id(of body: [UInt8]) -> String {
        let document = JSONDocument()
        return (try? document.parse(body)["id"]?.string) ?? ""
    }

    // MARK: Events

    private static func events(_ random: inout SeededGenerator) -> [[UInt8]] {
        var bodies: [[UInt8]] = []
        for number in 1...14 {
            let amount = Int.random(in: 1...9, using: &random) * 1_000
            let customer = Int.random(in: 1...4, using: &random)
            bodies.append(
                Array(PipelineFixture.charge(number, amount: amount, customer: customer).utf8))
            // The intent of some of them comes too, and knows less.
            if number % 3 == 0 { bodies.append(intent(number, amount: amount, customer: customer)) }
        }
        // A charge without an id is refused by validation.
        let broken = PipelineFixture.charge(77)
            .replacingOccurrences(of: "\"id\":\"ch_77\",", with: "")
        bodies.append(Array(broken.utf8))
        return bodies + cases(&random)
    }

    private static func intent(_ number: Int, amount: Int, customer: Int) -> [UInt8] {
        let created = 1_760_054_400 + number * 60
        let body = """
            {"id":"evt_pi_\(number)","object":"event","api_version":"2024-06-20",\
            "type":"payment_intent.succeeded","created":\(created),"livemode":false,\
            "data":{"object":{"id":"pi_\(number)","object":"payment_intent","amount":\(amount),\
            "amount_received":\(amount),"currency":"usd","customer":"cus_\(customer)",\
            "status":"succeeded","created":\(created),"livemode":false,\
            "latest_charge":"ch_\(number)"}}}
            """
        return Array(body.utf8)
    }

    /// Some of the cases of money that have no conflict in them and share nothing with each other.
    private static func cases(_ random: inout SeededGenerator) -> [[UInt8]] {
        var (bodies, taken): ([[UInt8]], Set<String>) = ([], [])
        // What the gate refuses has no way into the embedded plane here.
        let examples = MoneyCase.all.filter { example in
            let text = example.events.map { String(decoding: $0, as: UTF8.self) }.joined()
            return example.letters.isEmpty && !text.contains("tillbox")
        }
        for example in examples.shuffled(using: &random) {
            let names = Set(example.events.flatMap(Self.names))
            guard bodies.count < 24, taken.isDisjoint(with: names) else { continue }
            taken.formUnion(names)
            bodies += example.events
        }
        return bodies
    }

    private static let prefixes = [
        "evt_", "ch_", "py_", "pi_", "re_", "po_", "du_", "dp_", "txn_", "tr_", "fee_", "tu_",
    ]

    /// Everything in an event that looks like the id of a Stripe object, but for whose it is.
    private static func names(of body: [UInt8]) -> [String] {
        String(decoding: body, as: UTF8.self)
            .split { !($0.isLetter || $0.isNumber || $0 == "_") }.map(String.init)
            .filter { word in
                prefixes.contains { word.hasPrefix($0) }
            }
    }

    private static func decisions(_ random: inout SeededGenerator) -> [AppendLog.Record] {
        (1...14).filter { _ in Int.random(in: 0..<3, using: &random) == 0 }.map { number in
            PipelineFixture.decision(
                number, Bool.random(using: &random) ? .approved : .declined,
                at: 1_760_100_000 + Int64(number))
        }
    }

    // MARK: The embedded plane

    private static func vectors(
        _ opened: PipelineFixture.Opened
    ) throws -> [EventID: Vector] {
        let document = JSONDocument()
        var vectors: [EventID: Vector] = [:]
        for stored in try opened.records(.paymentFeatures) {
            let record = try FeaturesRecord(stored.record.value ?? [], using: document)
            vectors[record.eventID] = Vector(record: record, stored: stored.record)
        }
        return vectors
    }

    private static func content(_ opened: PipelineFixture.Opened) throws -> LedgerContent {
        let ledger = opened.ledger
        let transactions = try ledger.posted(after: TransactionID(0), limit: 100_000)
        let decided = try ledger.decided()
        return LedgerContent(
            transactions,
            openReviews: try ledger.openReviews(after: TransactionID(0), limit: 100_000)
                .reduce(into: [:]) { open, review in
                    open[review.movement.rawValue] = ReviewFinding(
                        score: review.score, reasons: review.reasons)
                },
            decided: decided, waiting: Set(try ledger.waiting().map(\.key.rawValue)),
            letters: LedgerContent.letters(try opened.records(.deadLetter).map(\.record)))
    }
}

extension SQLiteLedger {
    /// What stands of people's decisions, by payment; also where there was never a review.
    func decided() throws -> [String: ReviewDecision] {
        try reading { database in
            let rows = try Row.fetchAll(
                database,
                sql: """
                    SELECT t.movement AS movement, s.decision AS decision FROM payment_states s
                    JOIN transactions t ON t.id = s.transaction_id WHERE s.decision <> 0
                    """)
            return rows.reduce(into: [:]) { decided, row in
                decided[row["movement"]] = ReviewDecision(rawValue: row["decision"])
            }
        }
    }
}
