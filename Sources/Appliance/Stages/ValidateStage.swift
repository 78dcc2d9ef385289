import AppendLog
package import Vocabulary

/// `webhook.received` → `payment.validated`, or a dead letter that says why not.
package struct ValidateStage: Stage {
    package static let name = "validate"
    package static let input = TopicID.webhookReceived
    package static let outputs = [TopicID.paymentValidated, .deadLetter]

    private let validator: EventValidator
    private let counters: Counters

    package init(validator: EventValidator, counters: Counters) {
        self.validator = validator
        self.counters = counters
    }

    package mutating func process(_ records: [PlacedRecord]) -> [StageOutput] {
        var outputs = OutputBuffer(count: records.count)
        var shapes: [(shape: EventShape, fate: ShapeCounters.Fate)] = []
        shapes.reserveCapacity(records.count)
        for placed in records { process(placed, into: &outputs, &shapes) }
        counters.shapes.add(shapes)
        return outputs.outputs()
    }

    /// Nothing waits for it: a record's outputs follow from its own bytes.
    package mutating func finished() {}

    /// Whether the daemon itself may have appended the record. Whatever came through HTTP bears the
    /// name of its endpoint.
    private static func isOwn(_ record: Record) -> Bool {
        guard let endpoint = record.text("endpoint") else { return true }
        return endpoint == FetchedOrigin.reconcile.rawValue
    }

    private func process(
        _ placed: PlacedRecord, into outputs: inout OutputBuffer,
        _ shapes: inout [(shape: EventShape, fate: ShapeCounters.Fate)]
    ) {
        let reading = validator.read(
            placed.record.value ?? [], isOwn: Self.isOwn(placed.record))
        if let shape = reading.shape { shapes.append((shape, reading.fate)) }
        switch reading.outcome {
        case .movements(let events, cardNumbersMasked: _):
            counters.add(.validated, events.count)
            for event in events {
                outputs.derive(
                    topic: .paymentValidated, from: placed, eventID: event.eventID,
                    schema: SchemaHeader.paymentValidated, key: event.orderingKey, event)
            }
        case .ignored(let type, _):
            counters.add(.ignored)
            counters.ignoredTypes.add(type)
        case .refused(let refusal):
            counters.add(.deadLetters)
            outputs.append(
                .letter(
                    of: placed, stage: Self.name, reason: refusal.code.rawValue,
                    detail: reading.detail(of: refusal),
                    eventID: placed.record.key.map { String(decoding: $0, as: UTF8.self) }))
        }
    }
}

extension EventValidator.Reading {
    fileprivate var fate: ShapeCounters.Fate {
        switch outcome {
        case .movements: .understood
        case .ignored: .ignored
        case .refused: .refused
        }
    }
}
