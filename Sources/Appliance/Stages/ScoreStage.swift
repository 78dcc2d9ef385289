import AppendLog
package import Vocabulary

/// `payment.validated` → `payment.scored`, and `payment.features` where the vectors are computed
/// here.
///
/// Where they are not, `payment.features` tells of vectors that come late: the payment that waited
/// for one is scored again.
package struct ScoreStage<Source: FeatureSource>: Stage {
    package static var name: String { "score" }
    package static var input: TopicID { .paymentValidated }
    package static var inputs: [TopicID] {
        Source.computesVectors ? [.paymentValidated] : [.paymentValidated, .paymentFeatures]
    }
    package static var outputs: [TopicID] {
        Source.computesVectors
            ? [.paymentFeatures, .paymentScored, .deadLetter] : [.paymentScored, .deadLetter]
    }

    private var scoring: Scoring<Source>
    private let schemaVersion: String
    private let document = JSONDocument()
    private let counters: Counters
    private var prepared = Prepared()

    /// A run that was read, and what the source said to it.
    private struct Prepared {
        var recordCount = 0
        var events: [PaymentEvent] = []
        /// Where each event, or the vector that it waited for, stands.
        var sources: [PlacedRecord] = []
        var answers: [FeatureAnswer] = []
        /// Records that cannot be read.
        var letters: [StageOutput] = []
        /// What tells of vectors that come late.
        var late: [(record: FeaturesRecord, source: PlacedRecord)] = []
    }

    /// - Parameter schemaVersion: the model schema's version, as `payment.features` names it.
    package init(scoring: Scoring<Source>, schemaVersion: String, counters: Counters) {
        self.scoring = scoring
        self.schemaVersion = schemaVersion
        self.counters = counters
    }

    package mutating func prepare(_ records: [PlacedRecord]) async throws {
        var run = decode(records)
        run.answers = try await scoring.source.readings(for: run.events)
        let payments = try await scoring.source.awaited(by: run.late.map(\.record))
        for ((_, source), payment) in zip(run.late, payments) {
            guard let awaited = payment else { continue }
            run.events.append(awaited.event)
            run.sources.append(source)
            run.answers.append(.judge(awaited.reading, isRescore: true))
        }
        for overdue in try await scoring.source.overdue() {
            run.events.append(overdue.payment.event)
            run.sources.append(Self.nowhere(at: overdue.since))
            run.answers.append(.judge(overdue.payment.reading, isRescore: true))
        }
        prepared = run
    }

    /// In place of a record that nothing was derived from.
    private static func nowhere(at moment: Timestamp) -> PlacedRecord {
        PlacedRecord(
            place: SourcePlace(topic: input, offset: Offset(-1)),
            record: Record(key: nil, value: nil, headers: [], timestamp: moment))
    }

    package mutating func process(_ records: [PlacedRecord]) -> [StageOutput] {
        let run = prepared
        prepared = Prepared()
        precondition(
            run.recordCount == records.count,
            "\(run.recordCount) records were prepared, not \(records.count)")
        counters.add(.deadLetters, run.letters.count)
        // Two for each payment, as a rule.
        var outputs = OutputBuffer(count: run.events.count * 2)
        for letter in run.letters { outputs.append(letter) }
        let outcomes = scoring.judge(run.events, by: run.answers)
        counters.drift.add(outcomes.compactMap(Self.firstScored))
        for place in outcomes.indices {
            emit(outcomes[place], of: run.events[place], from: run.sources[place], into: &outputs)
        }
        return outputs.outputs()
    }

    package mutating func finished() { scoring.source.finished() }

    package func snapshot() -> StageState? { scoring.source.state().map { StageState(encode: $0) } }

    private func decode(_ records: [PlacedRecord]) -> Prepared {
        var run = Prepared(recordCount: records.count)
        run.events.reserveCapacity(records.count)
        run.sources.reserveCapacity(records.count)
        for placed in records {
            let value = placed.record.value ?? []
            do throws(RecordCodecError) {
                if placed.place.topic == .paymentFeatures {
                    run.late.append((try FeaturesRecord(value, using: document), placed))
                } else {
                    run.events.append(try PaymentEvent(value, using: document))
                    run.sources.append(placed)
                }
            } catch {
                run.letters.append(.undecodable(placed, stage: Self.name, error))
            }
        }
        return run
    }

    private func emit(
        _ outcome: ScoreOutcome, of event: PaymentEvent, from placed: PlacedRecord,
        into outputs: inout OutputBuffer
    ) {
        if outcome.payment == nil { counters.add(.repeated) }
        if Source.computesVectors, let vector = outcome.features {
            let record = FeaturesRecord(
                eventID: event.eventID, objectID: event.objectID, schemaVersion: schemaVersion,
                vector: vector)
            outputs.derive(
                topic: .paymentFeatures, from: placed, eventID: event.eventID,
                schema: SchemaHeader.paymentFeatures, key: event.orderingKey, record)
        }
        if let payment = outcome.payment {
            count(payment, isRescore: outcome.isRescore)
            outputs.derive(
                topic: .paymentScored, from: placed, eventID: event.eventID,
                schema: SchemaHeader.paymentScored, key: event.orderingKey, payment)
        }
    }

    /// What drift is counted of: each payment's first vector, with what the model made of it.
    private static func firstScored(
        _ outcome: ScoreOutcome
    ) -> (vector: FeatureVector, score: Double)? {
        guard !outcome.isRescore, let vector = outcome.features,
            let score = outcome.payment?.score
        else { return nil }
        return (vector, score)
    }

    /// A payment's verdict counts once, by its first scoring: a vector that came late, a telling of
    /// more money or a redrive scores it again, and is counted apart.
    private func count(_ payment: ScoredPayment, isRescore: Bool) {
        if isRescore {
            counters.add(.rescored)
            return
        }
        if payment.verdict != .notScored { counters.add(.scored) }
        switch payment.verdict {
        case .notScored: counters.add(.notScored)
        case .approve: counters.add(.approved)
        case .manualReview: counters.add(.flagged)
        case .block: counters.add(.blocked)
        }
    }
}

/// The stage of the embedded plane.
package typealias EmbeddedScoreStage = ScoreStage<EmbeddedFeatures>

extension ScoreStage where Source == EmbeddedFeatures {
    /// Prepares and processes at once, for who drives the stage without a flow.
    mutating func take(_ records: [PlacedRecord]) -> [StageOutput] {
        var run = decode(records)
        run.answers = scoring.source.readings(for: run.events)
        prepared = run
        return process(records)
    }
}
