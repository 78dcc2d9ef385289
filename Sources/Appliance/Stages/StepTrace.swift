import AppendLog
import Logging
import Vocabulary

/// Tells, at the level `debug`, of every record that a step took in and of every one that it
/// derived, so that one payment is followed through the log lines by its event's id. At other
/// levels it costs one comparison a run.
struct StepTrace {
    private let stage: String
    private let logger: Logger
    private let document = JSONDocument()

    init(_ stage: String, _ logger: Logger) {
        self.stage = stage
        self.logger = logger
    }

    /// - Parameters:
    ///   - taken: the records of a run.
    ///   - outputs: what stands behind it, written now or before.
    func tell(_ taken: [PlacedRecord], _ outputs: [StageOutput]) {
        guard logger.logLevel <= .debug else { return }
        for placed in taken {
            logger.debug(
                "record taken in",
                metadata: about(placed.record, of: placed.place.topic).merging(
                    ["from": "\(placed.place)"]) { $1 })
        }
        for output in outputs {
            var about = about(output.record, of: output.topic)
            about["topic"] = "\(output.topic.rawValue)"
            switch output.source {
            case .record(let place): about["from"] = "\(place)"
            case .row(let number): about["row"] = "\(number)"
            }
            logger.debug("record derived", metadata: about)
        }
    }

    /// Which event and movement a record is about, as far as it says so: a webhook is no movement
    /// yet, and a decision names no event where its review was opened without one.
    private func about(_ record: Record, of topic: TopicID) -> Logger.Metadata {
        var about: Logger.Metadata = ["stage": "\(stage)"]
        if let event = record.text("event-id"), !event.isEmpty { about["event_id"] = "\(event)" }
        guard topic != .webhookReceived, topic != .deadLetter,
            let value = try? document.parse(record.value ?? [])
        else { return about }
        if let movement = (value["movement"] ?? value["event"]?["movement"])?.string {
            about["movement"] = "\(movement)"
        }
        return about
    }
}
