import AppendLog
import Synchronization
import TestSupport
import Testing

@testable import Appliance
@testable import Reconcile
@testable import Vocabulary

private let start = ReconcileFixture.start
private let day = ReconcileFixture.day

/// A sweep that meets an event which cannot be stored for itself.
@Suite("An event that cannot be stored")
struct RefusedEventTests {
    /// Refuses some events, each for its reason; all others go on to the log.
    final class Choosy: AdmissionStore {
        let refuses = Mutex<[String: StoreFailure]>([:])
        private let log: any AdmissionStore

        init(_ log: any AdmissionStore) { self.log = log }

        func admit(
            _ identity: EventIdentity, record: Record,
            completion: @escaping @Sendable (Result<AdmissionOutcome, StoreFailure>) -> Void
        ) {
            guard let failure = refuses.withLock({ $0[identity.id.rawValue] }) else {
                return log.admit(identity, record: record, completion: completion)
            }
            completion(.failure(failure))
        }
    }

    private static let tooLarge = StoreFailure.tooLarge("raise the topic's max.message.bytes")

    /// Three payments, whose events never arrived.
    private static func fixture() throws -> ReconcileFixture {
        let fixture = try ReconcileFixture()
        for (index, name) in ["a", "b", "c"].enumerated() {
            fixture.stripe.charge(name, 5_000, at: start + Int64(index) * day)
        }
        return fixture
    }

    @Test("it is listed with its reason, the others are fetched, and it is fetched once it can be")
    func goesOn() async throws {
        let fixture = try Self.fixture()
        let choosy = Choosy(fixture.admission)
        choosy.refuses.withLock { $0["evt_ch_b"] = Self.tooLarge }
        try await fixture.running {
            let sweep = try await fixture.sweep(through: choosy)
            #expect(sweep.events == 3 && sweep.missed == 2)
            #expect(
                sweep.failure == "an event of Stripe's list cannot be stored, and each sweep tries "
                    + "again: evt_ch_b (charge.succeeded): too large: raise the topic's "
                    + "max.message.bytes")
            let kept = try #require(try fixture.store.sweep(sweep.id))
            #expect(kept.state == .finished && kept.failure == sweep.failure)
            // The next one begins before what is missing.
            #expect(kept.to == Instant(seconds: start + day))
            try await fixture.drained()
            let run = try await fixture.reconcile()
            #expect(!run.isClean && run.run.sweptTo == kept.to)
            #expect(
                try fixture.found(run) == ["event_refused evt_ch_b", "missing_in_ledger txn_b"])

            // It is met again by each, and stands in each run, until there is room for it.
            let again = try await fixture.sweep(from: kept.to.seconds - 3_600, through: choosy)
            #expect(again.events == 2 && again.missed == 0 && again.to == kept.to)
            choosy.refuses.withLock { $0 = [:] }
            let mended = try await fixture.sweep(from: again.to.seconds - 3_600, through: choosy)
            #expect(mended.missed == 1 && mended.failure == nil)
            #expect(mended.to == Instant(seconds: ReconcileFixture.now))
            try await fixture.drained()
            let clean = try await fixture.reconcile()
            #expect(try fixture.found(clean) == [])
            #expect(try fixture.store.openBreaks(.eventRefused, after: 0, limit: 9).isEmpty)
        }
    }

    @Test("that the log itself finds it too large is no other case")
    func largerThanTheLog() async throws {
        let fixture = try Self.fixture()
        let filling = String(repeating: "x", count: Limits.recordBytesMax)
        fixture.stripe.change { state in
            state.events.append(
                FakeStripe.Event(
                    id: "evt_large", type: "customer.updated", created: start + 5 * day,
                    object: "{\"id\": \"cus_1\", \"object\": \"customer\", \"f\": \"\(filling)\"}"))
        }
        let sweep = try await fixture.sweep()
        #expect(sweep.missed == 3 && sweep.refusedCount == 1)
        #expect(sweep.failure?.contains("evt_large (customer.updated): too large: ") == true)
        #expect(sweep.to == Instant(seconds: start + 5 * day))
    }

    @Test("one that somebody else has claimed and not stored keeps nobody from the others")
    func claimed() async throws {
        let fixture = try Self.fixture()
        let choosy = Choosy(fixture.admission)
        choosy.refuses.withLock { $0["evt_ch_b"] = .pending }
        let sweep = try await fixture.sweep(through: choosy)
        #expect(sweep.missed == 2 && sweep.to == Instant(seconds: start + day))
        #expect(sweep.failure?.contains("evt_ch_b (charge.succeeded): under way: ") == true)
        choosy.refuses.withLock { $0 = [:] }
        let later = try await fixture.sweep(from: sweep.to.seconds - 3_600, through: choosy)
        #expect(later.missed == 1 && later.failure == nil)
    }

    @Test("what is in the way of all ends the sweep, and moves no mark")
    func ofAll() async throws {
        let fixture = try Self.fixture()
        let choosy = Choosy(fixture.admission)
        choosy.refuses.withLock {
            ($0["evt_ch_a"], $0["evt_ch_b"]) = (Self.tooLarge, .outside("no broker answers"))
        }
        await #expect(throws: StoreFailure.outside("no broker answers")) {
            _ = try await fixture.sweep(through: choosy)
        }
        let latest = Instant(seconds: ReconcileFixture.now)
        #expect(try fixture.store.lastFinishedSweep(notAfter: latest) == nil)
    }

    @Test("many are counted, and the first of them told")
    func many() {
        var sweep = SweepRecord(
            id: 1, state: .reading, from: Instant(seconds: 0), to: Instant(seconds: 9_000),
            startedAt: Instant(seconds: 9_000))
        let count = RefusedEvent.namedCountMax + 5
        let events = (0..<count).reversed().map { index in
            RefusedEvent(
                id: EventID("evt_\(index)"), type: "t", created: Instant(seconds: Int64(index)),
                account: index == 3 ? StripeAccount("acct_1") : .own, why: "no")
        }
        sweep.note(Array(events.prefix(700)))
        sweep.note(Array(events.dropFirst(700)))
        #expect(sweep.refusedCount == Int64(count))
        #expect(sweep.refused.count == RefusedEvent.namedCountMax)
        #expect(sweep.refused.map(\.created).first == Instant(seconds: 0))
        #expect(sweep.swept(.own) == Instant(seconds: 0))
        #expect(sweep.swept(StripeAccount("acct_1")) == Instant(seconds: 3))
        #expect(sweep.swept(StripeAccount("acct_2")) == sweep.to)
        let sentence = RefusedEvent.sentence(of: sweep.refused, count: sweep.refusedCount)
        #expect(sentence?.hasPrefix("\(count) events of Stripe's list cannot be stored") == true)
        #expect(sentence?.hasSuffix("evt_2 (t): no; and \(count - 3) more") == true)
        #expect(RefusedEvent.sentence(of: [], count: 0) == nil)
    }
}
