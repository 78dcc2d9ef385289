import AppendLog
import Synchronization

@testable import Relay
@testable import Vocabulary

/// A target in memory that keeps what it was given with its position, and fails as it is told.
final class FakeStore: Sendable {
    struct Contents: Sendable {
        var records: [TopicID: [StoredRecord]] = [:]
        var next: [TopicID: Offset] = [:]
        var openCount = 0
        var closeCount = 0
        var deliveryCount = 0
        /// Thrown by the calls to come, the first one first.
        var openFailures: [RelayFailure] = []
        var deliveryFailures: [RelayFailure] = []
        /// Whether a delivery that fails has arrived all the same.
        var losesAnswers = false
        /// Deliveries neither come back nor fail while it is set.
        var hangs = false
        /// Whether one does.
        var isHanging = false
    }

    let contents = Mutex(Contents())

    func change(_ body: (inout Contents) -> Void) { contents.withLock { body(&$0) } }

    func records(_ topic: TopicID) -> [StoredRecord] {
        contents.withLock { $0.records[topic] ?? [] }
    }
}

final class FakeTarget: RelayTarget {
    let topics: [TopicID]
    private let store: FakeStore

    init(_ store: FakeStore, topics: [TopicID] = TopicID.allCases) {
        self.store = store
        self.topics = topics
    }

    func open(
        _ source: RelaySource, during attempt: RelayAttempt
    ) async throws(RelayFailure) -> [TopicID: Offset] {
        let (failure, next) = store.contents.withLock { contents in
            contents.openCount += 1
            let failure = contents.openFailures.isEmpty ? nil : contents.openFailures.removeFirst()
            return (failure, contents.next)
        }
        if let failure { throw failure }
        return topics.reduce(into: [:]) { $0[$1] = next[$1] ?? source[$1].start }
    }

    func deliver(
        _ run: RelayRun, during attempt: RelayAttempt
    ) async throws(RelayFailure) -> [TopicID: Offset] {
        while store.contents.withLock({ $0.hangs }), !attempt.isStopping() {
            store.change { $0.isHanging = true }
            try? await Task.sleep(for: .milliseconds(2))
        }
        if attempt.isStopping() {
            attempt.waits("it was about to say so")
            throw .passing("stopped")
        }
        let failure = store.contents.withLock { contents -> RelayFailure? in
            contents.deliveryCount += 1
            let failure =
                contents.deliveryFailures.isEmpty ? nil : contents.deliveryFailures.removeFirst()
            guard failure == nil || contents.losesAnswers else { return failure }
            for (topic, records) in run.records {
                contents.records[topic, default: []] += records
            }
            contents.next.merge(run.next) { $1 }
            return failure
        }
        if let failure { throw failure }
        return run.next
    }

    func close() async { store.change { $0.closeCount += 1 } }

    func verify(_ source: RelaySource) async throws(RelayFailure) -> BridgeVerification {
        BridgeVerification()
    }
}
