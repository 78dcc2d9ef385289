import AppendLog
import Foundation
import Testing
import TwinSupport

@testable import Appliance
@testable import Vocabulary

/// One file of `Fixtures/cases`: events, and what the accounts hold after all of them.
struct MoneyCase: Sendable, CustomTestStringConvertible {
    let name: String
    let events: [[UInt8]]
    /// By account and currency: `processor:stripe usd`.
    let expected: [String: Int64]
    let waiting: [String]
    let letters: [String]

    var testDescription: String { name }

    static let all: [MoneyCase] = {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../Fixtures/cases")
        let files = try? FileManager.default.contentsOfDirectory(
            at: folder, includingPropertiesForKeys: nil)
        return (files ?? []).filter { $0.pathExtension == "json" }
            .sorted { $0.lastPathComponent < $1.lastPathComponent }
            .compactMap(MoneyCase.init)
    }()

    private init?(_ file: URL) {
        let document = JSONDocument()
        guard let data = try? Data(contentsOf: file), let root = try? document.parse([UInt8](data))
        else { return nil }
        name = file.deletingPathExtension().lastPathComponent
        events = root["events"]?.array?.map { TestJSON($0).bytes } ?? []
        var expected: [String: Int64] = [:]
        root["expect"]?.object?.forEach { account, currencies in
            currencies.object?.forEach { currency, amount in
                expected["\(account.string ?? "") \(currency.string ?? "")"] = amount.int64
            }
        }
        self.expected = expected
        waiting = root["waiting"]?.array?.compactMap(\.string) ?? []
        letters = root["letters"]?.array?.compactMap(\.string) ?? []
        withExtendedLifetime(document) {}
    }

    /// Every order up to five events, and of more a sample by a fixed seed, the given one first.
    var orders: [[Int]] {
        let places = Array(events.indices)
        guard events.count > 5 else { return Self.permutations(places) }
        var random = SeededGenerator(seed: 7)
        return [places] + (0..<60).map { _ in places.shuffled(using: &random) }
    }

    private static func permutations(_ places: [Int]) -> [[Int]] {
        guard places.count > 1 else { return [places] }
        return places.indices.flatMap { index in
            var rest = places
            let first = rest.remove(at: index)
            return permutations(rest).map { [first] + $0 }
        }
    }
}

/// The way of an event from `webhook.received` into the ledger, by the stages themselves and
/// without a log between them.
struct MoneyPipeline {
    private static let model = try? ModelLocation.embedded.load()

    let counters = Counters()
    let ledger: SQLiteLedger
    private var validate: ValidateStage
    private var score: EmbeddedScoreStage
    private var offset: Int64 = 0
    private let document = JSONDocument()
    /// `reason: detail` of each dead letter.
    private(set) var letters: [(reason: String, detail: String)] = []

    init() throws {
        let model = try #require(Self.model)
        ledger = try SQLiteLedger.inMemory()
        validate = ValidateStage(
            validator: EventValidator(defaultMerchant: MerchantID("shop")), counters: counters)
        score = ScoreStage(
            scoring: Scoring(verdicts: Verdicts(thresholds: model.schema.thresholds), model: model),
            schemaVersion: "1", counters: counters)
    }

    /// Takes an event that came through HTTP.
    mutating func take(_ event: [UInt8], endpoint: String = "") throws {
        let received = place(
            .webhookReceived,
            Record(
                key: nil, value: event[...], headers: [RecordHeader("endpoint", endpoint)],
                timestamp: Timestamp(milliseconds: 0)))
        var validated: [PlacedRecord] = []
        for output in validate.process([received]) {
            if output.topic == .deadLetter { bury(output.record) }
            if output.topic == .paymentValidated {
                validated.append(place(output.topic, output.record))
            }
        }
        var inputs: [LedgerInput] = []
        for output in score.take(validated) where output.topic == .paymentScored {
            inputs.append(
                .scored(try ScoredPayment(output.record.value ?? [], using: document)))
        }
        try post(inputs)
    }

    mutating func post(_ inputs: [LedgerInput]) throws {
        let outcome = try ledger.post(inputs)
        for (place, input) in outcome.inputs.enumerated() {
            guard case .refused(let refusal) = input else { continue }
            letters.append((refusal.code, outcome.details[place] ?? ""))
        }
    }

    private mutating func bury(_ record: Record) {
        letters.append((record.text("reason") ?? "", record.text("detail") ?? ""))
    }

    private mutating func place(_ topic: TopicID, _ record: Record) -> PlacedRecord {
        defer { offset += 1 }
        return PlacedRecord(
            place: SourcePlace(topic: topic, offset: Offset(offset)), record: record)
    }
}

/// What must not depend on the order in which the events came.
struct MoneyEnding: Hashable {
    /// By account and currency. Where a merchant's money stands depends on what scoring had seen
    /// before, so a merchant's places count as one.
    var balances: [String: Int64] = [:]
    var waiting: [String]
    var letters: Set<String>

    init(_ pipeline: MoneyPipeline) throws {
        for balance in try pipeline.ledger.balances() where balance.balance != .zero {
            var name = balance.account.rawValue
            for place in [":held", ":payable", ":refund_due"] where name.hasSuffix(place) {
                name = String(name.dropLast(place.count)) + ":funds"
            }
            balances["\(name) \(balance.currency.code)", default: 0] += balance.balance.rawValue
        }
        balances = balances.filter { $0.value != 0 }
        waiting = try pipeline.ledger.waiting().map(\.key.rawValue).sorted()
        letters = Set(pipeline.letters.map(\.reason))
    }
}
