package import AppendLog
package import Vocabulary

// How the embedded log looks to those who need not know that it is one.

extension StoreFailure {
    /// What an error of the log means to somebody who only uses it.
    init(_ error: LogError) {
        switch error {
        case .diskFull: self = .outOfSpace
        case .queueFull: self = .queueFull
        case .closed, .cancelled: self = .stopping
        case .recordTooLarge, .appendTooLarge: self = .tooLarge("\(error)")
        default: self = .broken("the log cannot be used now: \(error)")
        }
    }
}

extension LogError: PassingFailure {}

extension ReadOnlyTopic: RecordReading {
    package typealias Failure = LogError
}

extension Topic: RecordReading {
    package typealias Failure = LogError
    package var end: Offset { highWatermark }
}

extension TopicReader {
    package init(_ topic: some RecordReading<LogError>) {
        self.init(topic) { StoreFailure($0) }
    }
}

extension FollowedTopic {
    package init(_ topic: Topic) {
        self.init(TopicReader(topic)) { offset in
            do throws(LogError) {
                return .success(try await topic.waitForRecords(from: offset))
            } catch {
                return .failure(StoreFailure(error))
            }
        }
    }
}

extension LetterSource {
    /// The embedded log's.
    package init(_ topics: Topics) {
        self.init(
            letters: { [TopicReader(topics[.deadLetter])] },
            lane: { lane in TopicReader(topics[lane.topic]) }, targets: RedriveStage.outputs)
    }
}

/// `dead.letter` of the embedded log.
package struct LogLetters: LetterStore {
    package let topic: Topic

    package init(topic: Topic) {
        self.topic = topic
    }

    package func keep(
        _ letters: [Record],
        completion: @escaping @Sendable (Result<Void, StoreFailure>) -> Void
    ) {
        topic.append(letters) { completion($0.map { _ in }.mapError { StoreFailure($0) }) }
    }
}

/// The end of `payment.review` in the embedded log.
package struct LogDecisions: DecisionLog {
    package let topic: Topic

    package init(topic: Topic) {
        self.topic = topic
    }

    package func end(of movement: MovementKey) -> SourcePlace? {
        SourcePlace(topic: .paymentReview, offset: topic.highWatermark)
    }

    package func append(_ decision: Record) async throws(StoreFailure) -> SourcePlace {
        do throws(LogError) {
            return SourcePlace(
                topic: .paymentReview, offset: try await topic.append([decision]).lowerBound)
        } catch {
            throw StoreFailure(error)
        }
    }
}

extension LogView {
    /// The daemon's own.
    package init(log: Log, topics: Topics, ledger: any LedgerReading) {
        self.init(
            topic: { TopicReader(topics[$0]) },
            position: { stage, topic in
                if stage == LedgerStep.name { return Self.position(topic, in: ledger) }
                guard let group = try? GroupName(stage) else { return nil }
                return log.cursors.committed(group: group, topic: topics[topic].name)
            })
    }

    /// A folder's, whether or not a daemon runs in it.
    ///
    /// - Parameter ledger: nil where there is none yet.
    package init(log: ReadOnlyLog, ledger: (any LedgerReading)?) {
        self.init(
            topic: { id in
                (try? TopicName(id.rawValue)).flatMap { log.topic($0) }.map { TopicReader($0) }
            },
            position: { stage, topic in
                if stage == LedgerStep.name {
                    return ledger.flatMap { Self.position(topic, in: $0) }
                }
                guard let group = try? GroupName(stage), let name = try? TopicName(topic.rawValue)
                else { return nil }
                return log.cursors[group]?[name]
            })
    }

    private static func position(_ topic: TopicID, in ledger: any LedgerReading) -> Offset? {
        (try? ledger.position(topic: topic.rawValue)).flatMap { $0 }.map { Offset($0) }
    }
}
