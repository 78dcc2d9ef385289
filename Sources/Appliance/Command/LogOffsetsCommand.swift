import AppendLog
import Appliance
import Terminal
import Vocabulary
import ArgumentParser
import Vocabulary

extension LogCommand {
    /// `log offsets`
    struct Offsets: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List how far each consumer has read, and how far it lags behind.",
            discussion: """
                offset is what the consumer reads next, end the topic's end. The ledger's are \
                those of ledger.sqlite, an idle stage's are a second old at most.
                """)
        @OptionGroup var options: Options

        mutating func run() async throws {
            let folder = try await options.data.folder()
            let log = try folder.log()
            let ledger = try folder.ledgerIfThere()
            let places = try ConsumerPlaces(log: log, ledger: ledger).all()
            let rows = places.map { place in
                [
                    "group": .text(place.group), "topic": .text(place.topic),
                    "offset": .number(place.next.rawValue), "end": .number(place.end.rawValue),
                    "lag": .number(max(0, place.next.distance(to: place.end))),
                ] as [String: Table.Cell]
            }
            try Table(columns: ["group", "topic", "offset", "end", "lag"], rows: rows)
                .print(asJSON: options.json, named: "cursors")
        }
    }
}

/// How far every consumer of the log has read, told from the outside.
///
/// A cursor is only what a restart resumes from, saved now and then; a stage with a large state
/// saves it rarely. What a stage has derived already says more, and the ledger's own position is in
/// its database, committed with the entries.
struct ConsumerPlaces {
    struct Place: Hashable {
        var group, topic: String
        var next, end: Offset
    }

    let log: ReadOnlyLog
    /// Nil where there is none yet.
    let ledger: (any LedgerReading)?

    /// By group and topic.
    func all() throws(CommandFailure) -> [Place] {
        var next: [String: [TopicName: Offset]] = [:]
        for (group, cursors) in log.cursors { next[group.rawValue] = cursors }
        do {
            try add(ValidateStage.self, to: &next)
            try add(EmbeddedScoreStage.self, to: &next)
            try add(RedriveStage.self, to: &next)
            for id in LedgerStep.inputs {
                let name = try TopicName(id.rawValue)
                guard let topic = log.topic(name) else { continue }
                // Before the first booking there is none, and the ledger begins at the beginning.
                let position = try ledger?.position(topic: id.rawValue).map { Offset($0) }
                next[LedgerStep.name, default: [:]][name] = position ?? topic.start
            }
        } catch {
            throw .cannotRun("\(error)")
        }
        return next.flatMap { group, cursors in
            cursors.map { topic, offset in
                Place(
                    group: group, topic: topic.rawValue, next: offset,
                    end: log.topic(topic)?.end ?? offset)
            }
        }
        .sorted { ($0.group, $0.topic) < ($1.group, $1.topic) }
    }

    private func add<Step: Stage>(
        _: Step.Type, to next: inout [String: [TopicName: Offset]]
    ) throws(LogError) {
        let producer = try ProducerName(Step.name)
        let input = try TopicName(Step.input.rawValue)
        guard let topic = log.topic(input) else { return }
        let progress = next.removeValue(forKey: FlowStep(Step.self).progressGroup)?[input]
        var place = max(next[Step.name]?[input] ?? topic.start, progress ?? topic.start)
        for output in Step.outputs {
            let source = log.topic(try TopicName(output.rawValue))?.lastSource(of: producer)
            if let source { place = max(place, source.advanced(by: 1)) }
        }
        next[Step.name, default: [:]][input] = place
    }
}
