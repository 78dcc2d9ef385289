import AppendLog
import Foundation
import Testing

@testable import Appliance
@testable import Daemon
@testable import Vocabulary

/// A folder with payments and with what was said of them later, read as the commands read it.
struct RetrainingFixture {
    let pipeline: PipelineFixture
    /// When payment 0 would have been made; each is a minute after the one before.
    static let start: Int64 = 1_760_054_400
    static let day: Int64 = 86_400

    init(_ change: (inout Settings) -> Void = { _ in }) throws {
        pipeline = try PipelineFixture(change)
    }

    /// Takes webhooks and decisions through the pipeline, in this order.
    func process(_ webhooks: [String], reviews: [Record] = []) async throws {
        try await pipeline.opened { opened in
            for (number, body) in webhooks.enumerated() {
                let record = PipelineFixture.received(body, event: "evt_\(number)_\(body.count)")
                _ = try await opened.append(record, to: .webhookReceived)
            }
            for review in reviews { _ = try await opened.append(review, to: .paymentReview) }
            try await pipeline.process(opened)
        }
    }

    /// The topics as they are now.
    func topics() throws -> [TopicID: TopicReader] {
        let log = try Log.openReadOnly(at: "\(pipeline.path)/log")
        var topics: [TopicID: TopicReader] = [:]
        for id in TopicID.allCases {
            let name = try TopicName(id.rawValue)
            topics[id] = log.topic(name).map { TopicReader($0) }
        }
        return topics
    }

    func history(from: Offset? = nil) throws -> ScoredHistory {
        let topics = try topics()
        let scored = try #require(topics[.paymentScored])
        let features = try #require(topics[.paymentFeatures])
        return try ScoredHistory(scored: scored, features: features, from: from)
    }

    func evidence(asOf: Int64) throws -> FraudEvidence {
        let topics = try topics()
        let webhooks = try #require(topics[.webhookReceived])
        let reviews = try #require(topics[.paymentReview])
        var evidence = FraudEvidence(asOf: Instant(seconds: asOf))
        try evidence.read(webhooks: webhooks, reviews: reviews)
        return evidence
    }

    /// One line of a data set.
    struct Row: Decodable, Equatable {
        var movement: String
        var created: Int64
        var amount: Int64
        var currency: String
        var values: [Double]
        var model: String?
        var label: Int?
        var labelSource: String?
        var labelAt: Int64?
        var maturesAt: Int64
        var mature: Bool
    }

    /// A data set by movement, as of a moment.
    func dataset(
        asOf: Int64, maturity days: Int = 120,
        period: ClosedRange<Instant> = Instant(seconds: .min)...Instant(seconds: .max)
    ) throws -> (rows: [String: Row], summary: ModelDataset.Summary, text: String) {
        var dataset = ModelDataset(
            evidence: try evidence(asOf: asOf), maturity: LabelMaturity(days: days),
            period: period)
        var text = ""
        let summary = try dataset.run(try history()) { text += $0 }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let rows = try text.split(separator: "\n").map {
            try decoder.decode(Row.self, from: Data($0.utf8))
        }
        return (Dictionary(uniqueKeysWithValues: rows.map { ($0.movement, $0) }), summary, text)
    }
}
