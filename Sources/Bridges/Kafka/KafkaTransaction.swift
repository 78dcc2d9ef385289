import CRDKafka

/// What comes next in a transaction, given what librdkafka answered. Pure.
///
/// ```
///  fresh ──start──▶ idle ──begin──▶ open ──commit──▶ idle
///                    ▲               │  ╲
///                    │               │   retriable: committing ──commit again──▶ idle
///                    │               │ requires abort, or refused
///                    └────abort──── broken ──retriable: aborting ──abort again──▶ idle
///
///  a fatal answer, from anywhere: over; also after a commit or an abort that was answered late,
///  and after a call that did not return
/// ```
///
/// Three kinds of answer, asked for in this order (librdkafka, "Transactional producer API"):
/// fatal ends the producer; one that requires an abort ends the transaction; a retriable one wants
/// **the same call again**. While a commit has not returned, its outcome is not known, and neither
/// an abort nor a new transaction is possible: both answer `_CONFLICT`.
///
/// A commit or an abort that timed out and succeeds later was the producer's last. librdkafka 2.0.2
/// may give such a call's answer twice, and the second one to the next call: a `begin` has been
/// seen to succeed with it before there was a transaction. The successor begins with a clean slate.
///
/// That the producer is fenced has two meanings (KIP-588). Another one has begun with the same id;
/// or the broker has ended this transaction, whose time was over, by the same means. Brokers have
/// different codes for them, INVALID_PRODUCER_EPOCH and PRODUCER_FENCED, but give the first for
/// both to a client as old as librdkafka 2.0.2, which makes `_FENCED` of either. The time tells
/// them apart: a transaction that is younger than its time was not ended by the broker.
struct KafkaTransaction {
    enum Call: String, Sendable {
        case start, begin, produce, offsets = "send offsets", commit, abort
    }

    enum Phase: Hashable, Sendable {
        case fresh
        case idle
        case open
        /// Only an abort is possible, because of this.
        case broken(KafkaAnswer)
        /// A commit was asked for and has not returned.
        case committing
        /// An abort was asked for, because of this, and has not returned.
        case aborting(KafkaAnswer)
        case over(KafkaAnswer)
    }

    enum Step: Hashable, Sendable {
        case proceed
        /// The same call again, after a while where the answer came at once.
        case callAgain(KafkaAnswer)
        case abort(KafkaAnswer)
        /// Nothing was begun, and the call is refused for a reason that lasts.
        case refused(KafkaAnswer)
        case over(KafkaAnswer)
    }

    private(set) var phase = Phase.fresh
    /// A commit or an abort has timed out.
    private var isLate = false
    /// It was fenced when its transaction had outlived its time: perhaps by the broker alone.
    private(set) var isExpired = false

    /// Why a producer is over whose last transaction has ended well, but late.
    static let late = KafkaAnswer(
        code: RD_KAFKA_RESP_ERR__TIMED_OUT.rawValue, name: "LATE",
        text: "the last transaction was answered late, so its producer is not used again",
        isFatal: true)

    /// Why a producer is over that is still in a call which does not return.
    static func hung(_ call: Call) -> KafkaAnswer {
        KafkaAnswer(
            code: RD_KAFKA_RESP_ERR__TIMED_OUT.rawValue, name: "HUNG",
            text: "a broker hangs, and \(call.rawValue) does not come back from it", isFatal: true)
    }

    /// Whether librdkafka can take this call now.
    func allows(_ call: Call) -> Bool {
        switch (call, phase) {
        case (.start, .fresh), (.begin, .idle), (.produce, .open), (.offsets, .open),
            (.commit, .open), (.commit, .committing), (.abort, .open), (.abort, .broken),
            (.abort, .aborting): true
        default: false
        }
    }

    /// Takes in what a call answered; nil is success.
    ///
    /// - Parameter isOverTime: the transaction is older than the broker lets one become.
    mutating func did(_ call: Call, _ answer: KafkaAnswer?, isOverTime: Bool = false) -> Step {
        precondition(allows(call), "\(call.rawValue) in \(phase)")
        guard var answer else { return succeeded(call) }
        // The call was in its place, so that librdkafka's own state is another one: a record that
        // was refused in the midst of the call has ended the transaction.
        if answer.code == RD_KAFKA_RESP_ERR__STATE.rawValue, !answer.isRetriable,
            call == .produce || call == .offsets
        {
            answer.requiresAbort = true
        }
        if answer.code == RD_KAFKA_RESP_ERR__FENCED.rawValue { isExpired = isOverTime }
        if answer.isFatal || KafkaError.fencing.contains(answer.code) {
            phase = .over(answer)
            return .over(answer)
        }
        if answer.requiresAbort, call != .abort, call != .start {
            phase = .broken(answer)
            return .abort(answer)
        }
        return answer.isRetriable ? again(call, answer) : refused(call, answer)
    }

    /// A call has not returned in its time: the producer is left to it.
    mutating func didNotReturn(from call: Call) -> Step {
        let answer = Self.hung(call)
        phase = .over(answer)
        return .over(answer)
    }

    /// The caller will not go on with the open transaction.
    mutating func giveUp(because answer: KafkaAnswer) {
        precondition(phase == .open, "given up in \(phase)")
        phase = .broken(answer)
    }

    private mutating func succeeded(_ call: Call) -> Step {
        switch call {
        case .start: phase = .idle
        case .commit, .abort: phase = isLate ? .over(Self.late) : .idle
        case .begin: phase = .open
        case .produce, .offsets: break
        }
        return .proceed
    }

    private mutating func again(_ call: Call, _ answer: KafkaAnswer) -> Step {
        if call == .commit || call == .abort,
            answer.code == RD_KAFKA_RESP_ERR__TIMED_OUT.rawValue
        {
            isLate = true
        }
        switch (call, phase) {
        case (.commit, _): phase = .committing
        case (.abort, .broken(let cause)): phase = .aborting(cause)
        case (.abort, .open): phase = .aborting(answer)
        default: break
        }
        return .callAgain(answer)
    }

    /// Neither fatal, nor retriable, nor a word of the transaction's state.
    private mutating func refused(_ call: Call, _ answer: KafkaAnswer) -> Step {
        switch call {
        case .start, .begin:
            return .refused(answer)
        case .produce, .offsets, .commit:
            phase = .broken(answer)
            return .abort(answer)
        case .abort:
            // A transaction that can neither be committed nor aborted: the successor's start ends
            // it.
            phase = .over(answer)
            return .over(answer)
        }
    }
}
