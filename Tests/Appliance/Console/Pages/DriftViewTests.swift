import Testing

@testable import Appliance
@testable import Console
@testable import Vocabulary

@Suite("A model's drift on its page")
struct DriftViewTests {
    private static let bins = ValueBins(edges: [0.5], counts: [75, 25])

    private func reading(_ counts: [Int], index: Double? = nil) -> ModelDrift.Reading {
        ModelDrift.Reading(
            name: "amount_zscore", bins: Self.bins, counts: counts, stabilityIndex: index)
    }

    @Test("of a model that does not say what it learned from nothing is shown")
    func none() {
        let view = DriftView([])
        #expect(view == nil)
    }

    @Test("before the first whole window it says what it waits for, and draws what came")
    func waits() throws {
        let view = try #require(DriftView([reading([1, 3])]))
        #expect(view.count == "4 payments")
        #expect(view.waits == "An index is taken of each 10,000 payments; 4 payments were scored "
            + "so far.")
        let row = view.rows[0]
        #expect(row.index == nil && row.state.words == "Not yet")
        // Both are drawn against the greatest share, three quarters.
        #expect(row.before == "M0.0 16.0V0.0H60.0V16.0ZM60.0 16.0V10.7H120.0V16.0Z")
        #expect(row.now == "M0.0 10.7H60.0V0.0H120.0")
        #expect(
            row.sentence == "Amount beside the usual: bin 1 of 2 differs most, 75.0 % in "
                + "training and 25.0 % since the start.")
    }

    @Test("nothing scored is no line, and no division by nothing")
    func empty() throws {
        let row = try #require(DriftView([reading([0, 0])])).rows[0]
        #expect(row.now == "" && row.before.hasPrefix("M0.0 16.0V0.0"))
        #expect(row.sentence == "Amount beside the usual: nothing scored yet.")
    }

    @Test("every input of the model has words of its own")
    func words() throws {
        let readings = (Feature.names + ["score"]).map {
            ModelDrift.Reading(name: $0, bins: Self.bins, counts: [1, 1], stabilityIndex: nil)
        }
        let rows = try #require(DriftView(readings)).rows
        #expect(Set(rows.map(\.name)).count == readings.count)
        #expect(rows.allSatisfy { !$0.name.contains("_") && $0.name != $0.id })
    }

    @Test("amber is another population alone", arguments: [
        (0.0, "As in training", ""), (0.099, "As in training", ""), (0.1, "Shifted", ""),
        (0.249, "Shifted", ""), (0.25, "Another population", "wait"),
    ])
    func states(index: Double, words: String, tone: String) throws {
        let view = try #require(DriftView([reading([3, 1], index: index)]))
        #expect(view.waits == nil)
        #expect(view.rows[0].state.words == words && view.rows[0].state.tone == tone)
        #expect(view.rows[0].index == ShownNumber.decimal(index, 3))
    }
}
