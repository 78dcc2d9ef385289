import AppendLog
import Testing

@testable import Appliance
@testable import Vocabulary

@Suite("The score stage")
struct ScoreStageTests {
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
        #expect(counters[.scored] == 2)
        #expect(counters[.rescored] == 1)
    }
}
