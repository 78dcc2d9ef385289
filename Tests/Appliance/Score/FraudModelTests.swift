import Bridges
import Foundation
import Testing

@testable import Appliance
@testable import Bench
@testable import Vocabulary

@Suite("The fraud model")
struct FraudModelTests {
    static func golden() throws -> (vectors: [FeatureVector], predictions: [Float]) {
        let text = String(decoding: try FeatureFixture.model("golden.csv"), as: UTF8.self)
        let lines = text.split(separator: "\n")
        let header = (Feature.names + ["prediction"]).joined(separator: ",")
        #expect(lines.first.map(String.init) == header)
        var vectors: [FeatureVector] = []
        var predictions: [Float] = []
        for line in lines.dropFirst() {
            let numbers = try line.split(separator: ",").map { try #require(Float($0)) }
            try #require(numbers.count == 9)
            vectors.append(
                FeatureVector(values: Array(numbers[..<8]), asOf: Instant(seconds: 0)))
            predictions.append(numbers[8])
        }
        return (vectors, predictions)
    }

    @Test("agrees with Python's XGBoost to 1e-6, in one batch and row by row")
    func goldenPredictions() throws {
        let model = try ModelLocation.embedded.load()
        let (vectors, expected) = try Self.golden()
        #expect(vectors.count >= 1_000)
        let batched = try model.predict(vectors)
        #expect(batched.count == expected.count)
        for (place, pair) in zip(batched, expected).enumerated() {
            #expect(abs(pair.0 - pair.1) <= 1e-6, "row \(place + 2)")
        }
        for place in stride(from: 0, to: vectors.count, by: 7) {
            #expect(try model.predict([vectors[place]]) == [batched[place]])
        }
    }

    @Test("takes empty batches and batches longer than its buffer")
    func batchSizes() throws {
        let model = try ModelLocation.embedded.load()
        #expect(try model.predict([]) == [])
        #expect(try model.contributions([]) == [])
        let many = ScoreBenchmark.vectors(count: FraudModel.rowsMax * 2 + 1)
        let scores = try model.predict(many)
        #expect(scores.count == many.count)
        #expect(scores.last == (try model.predict([many[many.count - 1]]))[0])
        #expect(try model.contributions(many).count == many.count)
    }

    @Test("explains a score by contributions that sum up to its log-odds")
    func contributionsSum() throws {
        let model = try ModelLocation.embedded.load()
        let vectors = try Self.golden().vectors
        let scores = try model.predict(vectors)
        let rows = try model.contributions(vectors)
        #expect(rows.count == vectors.count)
        for (score, row) in zip(scores, rows) {
            #expect(row.count == FeatureVector.count + 1)
            let margin = row.reduce(0.0) { $0 + Double($1) }
            #expect(abs(1 / (1 + exp(-margin)) - Double(score)) <= 1e-5)
        }
    }

    @Test("gives the same scores to many threads at once")
    func threads() async throws {
        let model = try ModelLocation.embedded.load()
        let vectors = ScoreBenchmark.vectors(count: 40)
        let expected = try model.predict(vectors)
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for task in 0..<8 {
                group.addTask {
                    for step in 0..<200 {
                        let place = (task * 7 + step) % vectors.count
                        let found = try model.predict([vectors[place]])
                        if found != [expected[place]] { return false }
                        if step % 50 == 0 { _ = try model.contributions([vectors[place]]) }
                    }
                    return true
                }
            }
            for try await isSame in group { #expect(isSame) }
        }
    }

    @Test("is refused when it is empty, cut short or no model at all")
    func damaged() throws {
        let model = try FeatureFixture.model("fraud.ubj")
        let schema = try FeatureFixture.model("schema.json")
        var flipped = model
        flipped[model.count / 2] ^= 1
        for bytes in [[], Array(model.dropLast(100)), Array("no model".utf8), flipped] {
            let error = #expect(throws: ModelError.self) {
                try FraudModel(model: bytes, schema: schema)
            }
            guard case .damagedModel = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
            #expect(error?.isRetryable == false)
        }
    }

    @Test("is refused when libxgboost cannot read it, whatever the schema's hash says")
    func unreadableByLibrary() throws {
        for bytes in [Array("{L".utf8), Array("no model".utf8), []] as [[UInt8]] {
            let schema = try Self.schema { object in
                object["model_sha256"] = Self.hex(of: bytes)
            }
            let error = #expect(throws: ModelError.self) {
                try FraudModel(model: bytes, schema: schema)
            }
            guard case .damagedModel = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
        }
    }

    private static func hex(of bytes: [UInt8]) -> String {
        SHA256.digest(bytes[...]).map { String(format: "%02x", $0) }.joined()
    }

    /// The real schema with a change.
    private static func schema(_ change: (inout [String: Any]) -> Void) throws -> [UInt8] {
        let data = Data(try FeatureFixture.model("schema.json"))
        var object = try #require(
            try JSONSerialization.jsonObject(with: data) as? [String: Any])
        change(&object)
        return [UInt8](try JSONSerialization.data(withJSONObject: object))
    }

    @Test("is refused when its schema names other features, or the same in another order")
    func schemaMismatch() throws {
        let model = try FeatureFixture.model("fraud.ubj")
        for names in [Array(Feature.names.reversed()), Array(Feature.names.dropLast())] {
            let schema = try Self.schema { $0["features"] = names }
            #expect(
                throws: ModelError.featuresDiffer(
                    in: "schema.json", expected: Feature.names, found: names)
            ) { try FraudModel(model: model, schema: schema) }
        }
    }

    @Test("is refused when its schema is damaged or its thresholds are out of order")
    func schemaDamaged() throws {
        let model = try FeatureFixture.model("fraud.ubj")
        for text in ["", "{", "[]", "{}"] {
            let error = #expect(throws: ModelError.self) {
                try FraudModel(model: model, schema: Array(text.utf8))
            }
            guard case .damagedSchema = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
        }
        let schema = try Self.schema { $0["thresholds"] = ["review": 0.9, "block": 0.5] }
        #expect(throws: ModelError.thresholdsOutOfOrder(review: 0.9, block: 0.5)) {
            try FraudModel(model: model, schema: schema)
        }
    }

    @Test("says which file is not there and what to do")
    func absent() {
        let path = "/nowhere/fraud.ubj"
        let error = #expect(throws: ModelError.unreadable(path: path)) {
            try ModelLocation.file(path: path).load()
        }
        #expect(error?.description.contains("model.path") == true)
    }

    @Test("loads from a file as well as from the binary, with the same schema")
    func fromFile() throws {
        let path = FeatureFixture.repository.appending(path: "model/fraud.ubj").path
        let model = try ModelLocation.file(path: path).load()
        #expect(model.schema == (try ModelLocation.embedded.load()).schema)
        #expect(model.schema.thresholds.review == 0.30)
        #expect(model.schema.thresholds.block == 0.85)
        #expect(try FeatureFixture.model("fraud.ubj").count <= 64 * 1024)
    }
}
