import CRDKafka
internal import Dispatch
internal import Synchronization

/// The thread on which a transactional producer makes librdkafka's waiting calls.
///
/// librdkafka 2.0.2 does not keep the time of `rd_kafka_send_offsets_to_transaction`: its request
/// to the group's coordinator (`rd_kafka_coord_req_fsm`) is looked at when a broker comes up or
/// goes down, and its own time-out is never looked at. With a broker that takes connections and
/// answers nothing, the call returns when that broker goes on. Nothing ends such a call, and a
/// client must not be destroyed under one; so it is left to this thread, which ends the client when
/// it returns.
///
/// The other calls (init, commit, abort) keep their time, but for a last step that waits without
/// end for librdkafka's main thread. That one waits for no broker; they are made here all the same.
final class KafkaCallThread: Sendable {
    /// A call's answer, or none: it is abandoned.
    enum Outcome {
        case returned(KafkaAnswer?)
        case abandoned
    }

    /// What may pass beyond a call's own time before it is given up.
    static let grace = Duration.seconds(1)

    private let queue = DispatchQueue(label: "tillbox.kafka.calls")
    private let abandoned: KafkaAbandoned

    init(_ abandoned: KafkaAbandoned) { self.abandoned = abandoned }

    /// One call, between the thread that makes it and the one that waits for it.
    private final class Call: @unchecked Sendable {
        // `@unchecked Sendable`: `body` is called once, by the one thread; `state` has its lock.
        private enum State {
            case underWay
            case returned(KafkaAnswer?)
            case abandoned
        }

        private let body: (OpaquePointer) -> OpaquePointer?
        private let state = Mutex(State.underWay)
        private let end = DispatchSemaphore(value: 0)

        private let abandoned: KafkaAbandoned

        init(_ abandoned: KafkaAbandoned, _ body: @escaping (OpaquePointer) -> OpaquePointer?) {
            self.abandoned = abandoned
            self.body = body
        }

        func make(with handle: KafkaHandle) {
            let answer = handle.answer(body)
            let isAwaited = state.withLock { state in
                if case .abandoned = state { return false }
                state = .returned(answer)
                return true
            }
            if isAwaited { end.signal() } else { abandoned.remove() }
        }

        func wait(_ patience: Duration) -> Outcome {
            _ = end.wait(timeout: .now() + .milliseconds(Int(patience.wholeMilliseconds)))
            return state.withLock { state in
                if case .returned(let answer) = state { return .returned(answer) }
                state = .abandoned
                abandoned.add()
                return .abandoned
            }
        }
    }

    /// Makes a call and waits for its answer, at most `patience` and `grace`. Blocking.
    ///
    /// - Parameters:
    ///   - handle: lives until the call has returned, whoever lets it go. After `.abandoned` it
    ///     must not be used for another call.
    ///   - body: owns what it lends to librdkafka.
    func run(
        _ handle: KafkaHandle, within patience: Duration,
        _ body: @escaping (OpaquePointer) -> OpaquePointer?
    ) -> Outcome {
        let call = Call(abandoned, body)
        queue.async { call.make(with: handle) }
        return call.wait(patience + Self.grace)
    }
}
