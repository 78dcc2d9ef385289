package import AppendLog
import Vocabulary

/// How far every consumer of the log has read.
///
/// A cursor is only what a restart resumes from, saved now and then; a stage with a large state
/// saves it rarely. What a stage has derived already says more, and the ledger's own position is in
/// its database, committed with the entries.
package struct ConsumerPlaces {
    package struct Place: Hashable, Sendable {
        package var group, topic: String
        /// What is read next, and the topic's end.
        package var next, end: Offset

        /// Records that are still to be read.
        package var lag: Int64 { max(0, next.distance(to: end)) }
    }

    private struct TopicPlace {
        var start, end: Offset
        var lastSource: (ProducerName) -> Offset?
    }

    private let cursors: [GroupName: [TopicName: Offset]]
    private let topic: (TopicName) -> TopicPlace?
    private let ledger: (any LedgerReading)?

    /// As a log has it that may be another process's.
    ///
    /// - Parameter ledger: nil where there is none yet.
    package init(log: ReadOnlyLog, ledger: (any LedgerReading)?) {
        cursors = log.cursors
        topic = { name in
            log.topic(name).map { topic in
                TopicPlace(start: topic.start, end: topic.end) { topic.lastSource(of: $0) }
            }
        }
        self.ledger = ledger
    }

    /// As this process's own log has it now.
    package init(log: Log, topics: Topics, ledger: any LedgerReading) {
        cursors = Dictionary(
            uniqueKeysWithValues: log.cursors.groups.map { group in
                (group, log.cursors.positions(of: group).mapValues(\.committed))
            })
        topic = { name in
            TopicID(rawValue: name.rawValue).map { topics[$0] }.map { topic in
                TopicPlace(start: topic.start, end: topic.highWatermark) {
                    topic.lastSource(of: $0)
                }
            }
        }
        self.ledger = ledger
    }

    /// By group and topic.
    ///
    /// - Throws: a `LedgerError` where the ledger cannot be asked.
    package func all() throws -> [Place] {
        var next: [String: [TopicName: Offset]] = [:]
        for (group, cursors) in cursors { next[group.rawValue] = cursors }
        try add(ValidateStage.self, to: &next)
        try add(EmbeddedScoreStage.self, to: &next)
        try add(RedriveStage.self, to: &next)
        for id in LedgerStep.inputs {
            let name = try TopicName(id.rawValue)
            guard let topic = topic(name) else { continue }
            // Before the first booking there is none, and the ledger begins at the beginning.
            let position = try ledger?.position(topic: id.rawValue).map { Offset($0) }
            next[LedgerStep.name, default: [:]][name] = position ?? topic.start
        }
        return next.flatMap { group, cursors in
            cursors.map { name, offset in
                Place(
                    group: group, topic: name.rawValue, next: offset,
                    end: topic(name)?.end ?? offset)
            }
        }
        .sorted { ($0.group, $0.topic) < ($1.group, $1.topic) }
    }

    private func add<Step: Stage>(
        _: Step.Type, to next: inout [String: [TopicName: Offset]]
    ) throws(LogError) {
        let producer = try ProducerName(Step.name)
        let input = try TopicName(Step.input.rawValue)
        guard let topic = topic(input) else { return }
        let progress = next.removeValue(forKey: FlowStep(Step.self).progressGroup)?[input]
        var place = max(next[Step.name]?[input] ?? topic.start, progress ?? topic.start)
        for output in Step.outputs {
            let source = self.topic(try TopicName(output.rawValue))?.lastSource(producer)
            if let source { place = max(place, source.advanced(by: 1)) }
        }
        next[Step.name, default: [:]][input] = place
    }
}
