import AppendLog
import Bridges
import Foundation
import TestSupport
import Testing

@testable import Appliance
@testable import Daemon
@testable import Vocabulary

/// A candidate by `model/train.py --data`, and its way into use and back.
@Suite("A candidate model")
struct CandidateTests {
    private static let start: Int64 = 1_760_054_400
    private static let day: Int64 = 86_400
    private static let maturityDays = 5

    /// A payment of the data set, as far as the sums below need it.
    private struct Payment {
        var created: Int64
        var amount: Int64
        var isFraud: Bool
        var values: [Float]
    }

    /// Payments every twenty minutes; frauds are quicker, larger and from elsewhere.
    private static func payments(_ count: Int) -> [Payment] {
        var state: UInt64 = 9
        func number(_ bound: UInt64) -> Int64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int64((state >> 33) % bound)
        }
        return (0..<count).map { place in
            let isFraud = number(100) < 8
            let minute: Int64 = isFraud ? 1 + number(6) : 1 + number(2)
            let hour: Int64 = isFraud ? 2 + number(8) : 1 + number(3)
            let spread = number(40)
            let isElsewhere: Int64 = isFraud ? min(1, number(4)) : number(20) / 19
            let isForeign: Int64 = isFraud ? min(1, number(3)) : number(20) / 19
            let failed: Int64 = isFraud ? number(5) : 0
            let gap = number(120)
            let score: Float = Float(spread) / 10 - (isFraud ? 0 : 2)
            let values: [Float] = [
                Float(minute), Float(hour), score, 0.005, Float(isElsewhere), Float(isForeign),
                Float(failed), Float(gap) / 10,
            ]
            return Payment(
                created: start + Int64(place) * 1_200, amount: 100 + number(20_000),
                isFraud: isFraud, values: values)
        }
    }

    /// Writes them as `tillbox model dataset` does.
    private static func write(_ payments: [Payment], to path: String) throws {
        var writer = JSONWriter()
        for (place, payment) in payments.enumerated() {
            writer.beginObject()
            writer.member("movement", "charge:ch_\(place)")
            writer.member("created", payment.created)
            writer.member("amount", payment.amount)
            writer.member("currency", "usd")
            writer.key("values")
            writer.beginArray()
            for value in payment.values { writer.float(value) }
            writer.endArray()
            writer.member("label", Int64(payment.isFraud ? 1 : 0))
            writer.member("label_at", payment.isFraud ? payment.created + 2 * day : nil)
            writer.member("matures_at", payment.created + Int64(maturityDays) * day)
            writer.member("mature", true)
            writer.endObject()
            writer.plain("\n")
            writer.beginDocument()
        }
        try Data(writer.bytes).write(to: URL(filePath: path))
        var summary = ModelDataset.Summary(
            asOf: Instant(seconds: start + 100 * day),
            maturity: LabelMaturity(days: maturityDays))
        summary.rows = payments.count
        summary.sha256 = String(hex: SHA256.digest(writer.bytes[...]))
        var manifest = JSONWriter()
        summary.encode(into: &manifest)
        try Data(manifest.bytes).write(to: URL(filePath: path + ".manifest.json"))
    }

    private func train(
        _ arguments: [String]
    ) async throws -> (code: Int32, output: String, errors: String) {
        try await Child.run(
            try Repository.python(),
            ["-B", Repository.root.appending(path: "model/train.py").path] + arguments)
    }

    @Test("it is trained, measured to the cent, put in use by its path, and taken out again")
    func whole() async throws {
        let folder = try TemporaryFolder()
        let data = folder.file("data.ndjson")
        let payments = Self.payments(2_400)
        try Self.write(payments, to: data)
        let split = Self.start + 24 * Self.day
        let made = try await train([
            "--data", data, "--out", folder.file("out"), "--version", "candidate-1",
            "--fees", "usd:1500:200:300", "--split",
            String(Instant(seconds: split).rfc3339.dropLast()),
        ])
        #expect(made.code == 0, "\(made.errors)")
        let place = folder.file("out/candidate-1")
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: folder.file("out"))
                == ["candidate-1"])

        // The daemon's own code comes to the same sums.
        let model = try ModelLocation.file(path: "\(place)/fraud.ubj").load()
        #expect(model.schema.version == "candidate-1")
        #expect(model.schema.distribution?.bins(of: Feature.names) != nil)
        let later = payments.filter { $0.created >= split }
        let scores = try model.predict(
            later.map { FeatureVector(values: $0.values, asOf: Instant(seconds: $0.created)) })
        let text = try Data(contentsOf: URL(filePath: "\(place)/evaluation.json"))
        let document = JSONDocument()
        defer { withExtendedLifetime(document) {} }
        let figures = try document.parse(Array(text))
        #expect(figures["holdout"]?["payments"]?.int64 == Int64(later.count))
        let money = figures["candidate"]?["money"]?["usd"]
        let costs = try #require(
            DecisionCosts(disputeFee: 1_500, review: 200, marginBasisPoints: 300))
        #expect(money?["cost"]?.int64 == Self.cost(later, scores, model.schema, costs))
        let area = try #require(figures["candidate"]?["auc"]?.double)
        #expect(area > 0.9 && area <= 1)
        #expect(figures["in_use"]?["version"]?.string == "tillbox-fraud-2")
        // Only what was known by the split: mature by then, fraud that was known by then.
        let known = payments.filter { $0.created + Int64(Self.maturityDays) * Self.day <= split }
        #expect(figures["training"]?["payments"]?.int64 == Int64(known.count))

        let second = try await train([
            "--data", data, "--out", folder.file("out"), "--version", "candidate-1",
        ])
        #expect(second.code == 3 && second.errors.contains("is there already"))
        try await use(place)
    }

    private static func cost(
        _ payments: [Payment], _ scores: [Float], _ schema: ModelSchema, _ costs: DecisionCosts
    ) -> Int64 {
        zip(payments, scores).reduce(0) { sum, pair in
            switch (schema.thresholds.verdict(of: Double(pair.1)), pair.0.isFraud) {
            case (.approve, true): sum + pair.0.amount + costs.disputeFee
            case (.manualReview, _): sum + costs.review
            case (.block, false): sum + costs.margin(of: pair.0.amount)
            default: sum
            }
        }
    }

    /// The candidate judges while the setting names it, and the built-in model before and after.
    private func use(_ place: String) async throws {
        let fixture = try RetrainingFixture()
        try await fixture.process([PipelineFixture.charge(1)])
        var settings = fixture.pipeline.settings
        settings.modelPath = "\(place)/fraud.ubj"
        let other = try PipelineSteps(settings, counters: Counters())
        #expect(other.model.version == "candidate-1")
        let scored = try await fixture.pipeline.opened { opened in
            let stage = other.score(FeatureEngine(), try other.verdicts())
            return try Self.models(stage, opened)
        }
        #expect(scored == ["candidate-1"])
        // Back: the settings as they were.
        let before = try PipelineSteps(fixture.pipeline.settings, counters: Counters())
        let again = try await fixture.pipeline.opened { opened in
            let stage = before.score(FeatureEngine(), try before.verdicts())
            return try Self.models(stage, opened)
        }
        #expect(again == ["tillbox-fraud-2"])
    }

    private static func models(
        _ stage: EmbeddedScoreStage, _ opened: PipelineFixture.Opened
    ) throws -> [String] {
        var stage = stage
        let records = try opened.records(.paymentValidated).map {
            PlacedRecord(
                place: SourcePlace(topic: .paymentValidated, offset: $0.offset), record: $0.record)
        }
        return try stage.take(records).filter { $0.topic == .paymentScored }.compactMap {
            try ScoredPayment($0.record.value ?? [], using: JSONDocument()).model
        }
    }

    @Test("a folder's link is followed once, so that turning it never mixes two models")
    func link() throws {
        let folder = try TemporaryFolder()
        let files = FileManager.default
        for name in ["a", "b"] {
            try files.createDirectory(
                atPath: folder.file(name), withIntermediateDirectories: true)
            for file in ["fraud.ubj", "schema.json"] {
                var bytes = Data(try FeatureFixture.model(file))
                if file == "schema.json" {
                    var text = String(decoding: bytes, as: UTF8.self)
                    text = text.replacing("tillbox-fraud-2", with: "model-\(name)")
                    bytes = Data(text.utf8)
                }
                try bytes.write(to: URL(filePath: "\(folder.file(name))/\(file)"))
            }
        }
        let current = folder.file("current")
        for name in ["a", "b", "a"] {
            let draft = folder.file("draft")
            try files.createSymbolicLink(atPath: draft, withDestinationPath: folder.file(name))
            #expect(rename(draft, current) == 0)
            let model = try ModelLocation.file(path: "\(current)/fraud.ubj").load()
            #expect(model.schema.version == "model-\(name)")
        }
        // One that leads nowhere is said by the name that the settings have.
        try files.removeItem(atPath: folder.file("a"))
        #expect(throws: ModelError.unreadable(path: "\(current)/fraud.ubj")) {
            try ModelLocation.file(path: "\(current)/fraud.ubj").load()
        }
    }

    @Test("what cannot be trained on is refused, and nothing is written", arguments: [
        (["--split", "2025-10-12"], "are needed on either side"),
        (["--review", "0.9", "--block", "0.5"], "0 < --review ≤ --block ≤ 1"),
        (["--model", "/nowhere"], "name its fraud.ubj with --model"),
        (["--version", "../x"], "cannot name a folder"),
    ])
    func refused(arguments: [String], sentence: String) async throws {
        let folder = try TemporaryFolder()
        let data = folder.file("data.ndjson")
        try Self.write(Self.payments(2_000), to: data)
        let answer = try await train(["--data", data, "--out", folder.file("out")] + arguments)
        #expect(answer.code == 3 && answer.errors.contains(sentence), "\(answer.errors)")
        #expect(answer.errors.split(separator: "\n").count == 1)
        #expect(!FileManager.default.fileExists(atPath: folder.file("out")))
    }

    @Test("a data set that is not the one its manifest tells of is refused")
    func changed() async throws {
        let folder = try TemporaryFolder()
        let data = folder.file("data.ndjson")
        try Self.write(Self.payments(600), to: data)
        let text = try String(contentsOfFile: data, encoding: .utf8)
        try text.replacing("\"label\":1", with: "\"label\":0", maxReplacements: 1)
            .write(toFile: data, atomically: true, encoding: .utf8)
        let answer = try await train(["--data", data, "--out", folder.file("out")])
        #expect(answer.code == 3 && answer.errors.contains("not the file that its manifest"))
    }
}
