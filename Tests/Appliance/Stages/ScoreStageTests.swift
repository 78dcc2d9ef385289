import AppendLog
import Testing

@testable import Appliance
@testable import Vocabulary

@Suite("The score stage")
struct ScoreStageTests {
    @Test(
        "a record that cannot be read is a dead letter with its place",
        arguments: [0, 3] as [Int32])
    func unreadable(partition: Int32) throws {
        let model = try ModelLocation.embedded.load()
        var stage = ScoreStage(
            scoring: Scoring(
                verdicts: Verdicts(thresholds: model.schema.thresholds), model: model),
            schemaVersion: "1", counters: Counters())
        let place = SourcePlace(
            topic: .paymentValidated, partition: partition, offset: Offset(17))
        let record = Record(key: nil, value: [1], timestamp: Timestamp(milliseconds: 0))
        let outputs = stage.take([PlacedRecord(place: place, record: record)])
        let letter = try #require(outputs.first)
        #expect(outputs.count == 1)
        #expect(letter.topic == .deadLetter)
        #expect(letter.source == .record(place))
        #expect(letter.record.text("topic") == "payment.validated")
        #expect(letter.record.text("offset") == "17")
        #expect(letter.record.text("partition") == (partition == 0 ? nil : "3"))
    }

    @Test("counts a movement that a better informed event scores again")
    func rescored() throws {
        let counters = Counters()
        let model = try ModelLocation.embedded.load()
        var stage = ScoreStage(
            scoring: Scoring(
                verdicts: Verdicts(thresholds: model.schema.thresholds), model: model),
            schemaVersion: "1", counters: counters)
        let intent = FeatureFixture.event(
            FeatureFixture.midnight, movement: "m", object: "pi_m", card: nil, cardCountry: nil,
            country: nil, device: nil)
        let charge = FeatureFixture.event(FeatureFixture.midnight, movement: "m")
        for (offset, event) in [intent, charge, charge].enumerated() {
            let record = Record(
                key: nil, value: event.encoded()[...], timestamp: Timestamp(milliseconds: 0))
            let place = SourcePlace(topic: .paymentValidated, offset: Offset(Int64(offset)))
            _ = stage.take([PlacedRecord(place: place, record: record)])
        }
        #expect(counters[.scored] == 1)
        #expect(counters[.rescored] == 1)
        // The payment has one verdict, however often it is scored.
        #expect(counters[.approved] + counters[.flagged] + counters[.blocked] == 1)
    }
}
