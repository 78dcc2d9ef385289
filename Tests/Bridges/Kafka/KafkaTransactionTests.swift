@testable import Bridges
import Testing

@Suite("Kafka: what comes next in a transaction")
struct KafkaTransactionTests {
    typealias Call = KafkaTransaction.Call

    private static func answer(
        _ code: Int32 = 1, fatal: Bool = false, retriable: Bool = false, abort: Bool = false
    ) -> KafkaAnswer {
        KafkaAnswer(
            code: code, name: "N", text: "t", isFatal: fatal, isRetriable: retriable,
            requiresAbort: abort)
    }

    private let again = answer(retriable: true)
    private let abort = answer(abort: true)
    private let fatal = answer(fatal: true)
    private let fenced = answer(-144)
    private let other = answer()

    /// A transaction that has come so far, with every call answered by success.
    private func after(_ calls: Call...) -> KafkaTransaction {
        var transaction = KafkaTransaction()
        for call in calls {
            let step = transaction.did(call, nil)
            #expect(step == .proceed)
        }
        return transaction
    }

    @Test("a transaction that goes well can be followed by another")
    func well() {
        let transaction = after(
            .start, .begin, .produce, .offsets, .commit, .begin, .produce, .abort, .begin)
        #expect(transaction.phase == .open)
    }

    @Test("a commit without an answer allows nothing but the same commit")
    func unknownCommit() {
        var transaction = after(.start, .begin, .produce)
        #expect(transaction.did(.commit, again) == .callAgain(again))
        #expect(transaction.phase == .committing)
        for call in [Call.begin, .produce, .offsets, .abort, .start] {
            #expect(!transaction.allows(call), "\(call)")
        }
        #expect(transaction.did(.commit, again) == .callAgain(again))
        #expect(transaction.did(.commit, nil) == .proceed)
        #expect(transaction.phase == .idle)
    }

    @Test("a commit or an abort that timed out and succeeds late was the producer's last",
        arguments: [Call.commit, .abort])
    func late(call: Call) {
        let timedOut = Self.answer(-185, retriable: true)
        var transaction = after(.start, .begin, .produce)
        #expect(transaction.did(call, timedOut) == .callAgain(timedOut))
        #expect(transaction.allows(call))
        #expect(transaction.did(call, nil) == .proceed)
        #expect(transaction.phase == .over(KafkaTransaction.late))
        #expect(!transaction.allows(.begin))
        let error = KafkaError(KafkaTransaction.late, KafkaErrorContext(call: "begin"))
        #expect(error.remedy == .recreate)
    }

    @Test("an abort without an answer allows nothing but the same abort")
    func unknownAbort() {
        var transaction = after(.start, .begin)
        #expect(transaction.did(.abort, again) == .callAgain(again))
        for call in [Call.begin, .produce, .offsets, .commit] {
            #expect(!transaction.allows(call), "\(call)")
        }
        #expect(transaction.did(.abort, nil) == .proceed)
        #expect(transaction.allows(.begin))
    }

    @Test("what requires an abort leaves nothing but the abort", arguments: [
        Call.produce, .offsets, .commit,
    ])
    func requiresAbort(call: Call) {
        var transaction = after(.start, .begin)
        #expect(transaction.did(call, abort) == .abort(abort))
        #expect(transaction.phase == .broken(abort))
        #expect(!transaction.allows(.commit) && !transaction.allows(.begin))
        #expect(transaction.allows(.abort))
    }

    /// -172 is librdkafka's `_STATE`.
    @Test("an open transaction that is found in another state was ended by a record: it is aborted",
        arguments: [Call.produce, .offsets])
    func foundElsewhere(call: Call) {
        var transaction = after(.start, .begin)
        #expect(transaction.did(call, Self.answer(-172)) == .abort(Self.answer(-172, abort: true)))
        #expect(transaction.allows(.abort) && !transaction.allows(.commit))
    }

    @Test("a fatal answer ends the producer, from anywhere", arguments: [
        [], [Call.start], [.start, .begin], [.start, .begin, .produce],
    ])
    func isFatal(calls: [Call]) {
        for cause in [fatal, fenced] {
            var transaction = KafkaTransaction()
            for call in calls { _ = transaction.did(call, nil) }
            let next: Call = calls.isEmpty ? .start : calls.count == 1 ? .begin : .commit
            #expect(transaction.did(next, cause) == .over(cause))
            for call in [Call.start, .begin, .produce, .offsets, .commit, .abort] {
                #expect(!transaction.allows(call))
            }
        }
    }

    @Test("one that is fenced is expired only where its transaction was older than its time")
    func expired() {
        for (cause, isOverTime, isExpired) in [
            (fenced, true, true), (fenced, false, false),
            // A broker that says this means another producer, however long it took.
            (Self.answer(90), true, false), (fatal, true, false),
        ] {
            var transaction = after(.start, .begin, .produce)
            #expect(transaction.did(.commit, cause, isOverTime: isOverTime) == .over(cause))
            #expect(transaction.isExpired == isExpired, "\(cause)")
        }
    }

    @Test("a call that does not return ends the producer, from wherever it was", arguments: [
        [], [Call.start, .begin], [.start, .begin, .produce],
    ])
    func hangs(calls: [Call]) {
        var transaction = KafkaTransaction()
        for call in calls { _ = transaction.did(call, nil) }
        let step = transaction.didNotReturn(from: .offsets)
        #expect(step == .over(KafkaTransaction.hung(.offsets)))
        for call in [Call.start, .begin, .produce, .offsets, .commit, .abort] {
            #expect(!transaction.allows(call))
        }
        let error = KafkaError(KafkaTransaction.hung(.offsets), KafkaErrorContext(call: "c"))
        #expect(error.remedy == .recreate)
        #expect(error.description.contains("send offsets does not come back"))
    }

    @Test("fatal is asked for before abort, and abort before retriable")
    func orderOfFlags() {
        var transaction = after(.start, .begin)
        let all = Self.answer(fatal: true, retriable: true, abort: true)
        #expect(transaction.did(.commit, all) == .over(all))
        transaction = after(.start, .begin)
        let two = Self.answer(retriable: true, abort: true)
        #expect(transaction.did(.commit, two) == .abort(two))
    }

    @Test("a start that is not answered is made again; one that is refused stays refused")
    func start() {
        var transaction = KafkaTransaction()
        #expect(transaction.did(.start, again) == .callAgain(again))
        #expect(transaction.did(.start, other) == .refused(other))
        #expect(transaction.phase == .fresh)
        #expect(transaction.did(.start, nil) == .proceed)
    }

    @Test("an abort that is refused ends the producer: its successor ends the transaction")
    func refusedAbort() {
        var transaction = after(.start, .begin)
        #expect(transaction.did(.abort, other) == .over(other))
    }

    @Test("a full queue leaves the transaction open")
    func fullQueue() {
        var transaction = after(.start, .begin)
        #expect(transaction.did(.produce, again) == .callAgain(again))
        #expect(transaction.phase == .open)
    }
}
