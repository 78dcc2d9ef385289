import Bridges
import Dispatch
package import Logging
import ServiceLifecycle
import Synchronization
import Vocabulary

/// Asks Kafka now and then how the topics are, so that a role which has nothing to do says, too,
/// what is in its way.
///
///     not answered yet ─▶ answered: topics that cannot be used end the process, as at the start
///                            └─▶ from then on they are told of, and the process stays
///
/// A broker that is slow once is no trouble: two questions in a row have to fail.
package final class KafkaWatch: Service {
    private struct State {
        var hasAnswered: Bool
        var failures = 0
        var trouble: String?
        var warning: String?
        /// What the start would have refused, had Kafka answered then.
        var refusal: (any Error)?
        /// Of its silence, for the log.
        var tale = TroubleTale()
    }

    private let asker: Asker
    private let logger: Logger
    private let state: Mutex<State>

    private static let pause = Duration.seconds(1)
    /// From one question to the next.
    private static let pausesPerQuestion = 5
    private static let failuresMin = 2

    /// - Parameter trouble: what was in the way of the check at the start; nil where it was passed.
    package init(_ topics: CloudTopics, trouble: String?, logger: Logger) {
        asker = Asker(topics)
        self.logger = logger
        var state = State(hasAnswered: trouble == nil, trouble: trouble)
        // The start has said that.
        _ = state.tale.hear(trouble)
        self.state = Mutex(state)
    }

    /// What keeps the role from its work.
    package var trouble: String? { state.withLock { $0.trouble } }
    /// What somebody changed at the topics, and should not have.
    package var warning: String? { state.withLock { $0.warning } }
    var refusal: (any Error)? { state.withLock { $0.refusal } }

    /// Runs until graceful shutdown, which waits for no answer.
    package func run() async throws {
        var pauses = 0
        while !Task.isShuttingDownGracefully, !Task.isCancelled {
            // Ended early by a stop, which the next look notices.
            try? await cancelWhenGracefulShutdown { try await Task.sleep(for: Self.pause) }
            if let refusal { throw refusal }
            pauses += 1
            guard pauses % Self.pausesPerQuestion == 0 else { continue }
            asker.ask { [weak self] in self?.note($0) }
        }
    }

    func note(_ result: Result<Void, any Error>) {
        switch result {
        case .success: noteAnswer()
        case .failure(let error as KafkaError) where error.isRetryable: noteSilence("\(error)")
        case .failure(let error): noteRefusal(error)
        }
    }

    private func noteAnswer() {
        let news = state.withLock { state in
            defer { state = State(hasAnswered: true) }
            return state.tale.hear(nil)
        }
        if news == .ends { logger.info("Kafka answers again") }
    }

    private func noteSilence(_ sentence: String) {
        let news = state.withLock { state -> TroubleTale.News? in
            state.failures += 1
            guard state.failures >= Self.failuresMin else { return nil }
            state.trouble = sentence
            return state.tale.hear(sentence)
        }
        guard case .begins(let sentence) = news else { return }
        logger.warning("Kafka does not answer", metadata: ["error": "\(sentence)"])
    }

    private func noteRefusal(_ error: any Error) {
        // What was there before is gone, and was not forgotten.
        let gone = (error as? CloudUnprepared).map { KafkaTopicGone(topic: $0.topic) }
        let sentence = gone.map { "\($0)" } ?? "\(error)"
        let isNew = state.withLock { state in
            guard state.hasAnswered else {
                state.refusal = error
                return false
            }
            let isNew = state.trouble != sentence && state.warning != sentence
            state = State(hasAnswered: true)
            // One topic that somebody changed keeps nobody from the others.
            if error is KafkaTopicRefusal { state.warning = sentence } else {
                state.trouble = sentence
            }
            return isNew
        }
        guard isNew else { return }
        logger.error("Kafka is otherwise than it was", metadata: ["error": "\(sentence)"])
    }
}

/// Asks on a thread of its own, one question at a time: whoever waits for it would be held up by a
/// broker that hangs.
private final class Asker: Sendable {
    private struct State {
        /// Kept from one question to the next, with its connection.
        var admin: KafkaAdmin?
        var isAsking = false
    }

    private let topics: CloudTopics
    private let queue = DispatchQueue(label: "tillbox.kafka-watch")
    private let state = Mutex(State())

    private static let patience = Duration.seconds(3)

    init(_ topics: CloudTopics) { self.topics = topics }

    /// Nothing where a question is still under way.
    func ask(_ answered: @escaping @Sendable (Result<Void, any Error>) -> Void) {
        let isFree = state.withLock { state in
            defer { state.isAsking = true }
            return !state.isAsking
        }
        guard isFree else { return }
        queue.async { [self] in
            let result = Result { try topics.check(with: try admin(), within: Self.patience) }
            state.withLock { $0.isAsking = false }
            answered(result)
        }
    }

    private func admin() throws(KafkaError) -> KafkaAdmin {
        if let known = state.withLock({ $0.admin }), !known.isOutdated { return known }
        let new = try topics.admin()
        state.withLock { $0.admin = new }
        return new
    }
}
