import AppendLog
import Logging
import Synchronization
import TestSupport
import Testing

@testable import Appliance
@testable import Vocabulary

/// Where the stores wait for other servers, one clock stands over all their waits.
@Suite("The gate's clock")
struct AnswerClockTests {
    private typealias Told = @Sendable (Result<AdmissionOutcome, StoreFailure>) -> Void

    /// Answers when a test says so.
    private final class HeldAdmission: AdmissionStore {
        private let waiting = Mutex<[Told]>([])

        func admit(
            _ identity: EventIdentity, record: Record,
            completion: @escaping @Sendable (Result<AdmissionOutcome, StoreFailure>) -> Void
        ) {
            waiting.withLock { $0.append(completion) }
        }

        func answer(_ outcome: AdmissionOutcome) {
            let waiting = waiting.withLock { waiting in
                defer { waiting = [] }
                return waiting
            }
            for completion in waiting { completion(.success(outcome)) }
        }
    }

    private struct HeldLetters: LetterStore {
        func keep(
            _ letters: [Record],
            completion: @escaping @Sendable (Result<Void, StoreFailure>) -> Void
        ) {}
    }

    private final class Answers: Sendable {
        private let given = Mutex<[GateAnswer]>([])
        var all: [GateAnswer] { given.withLock { $0 } }
        func give(_ answer: GateAnswer) { given.withLock { $0.append(answer) } }
    }

    private let admission = HeldAdmission()
    private let counters = Counters()
    private let clock = SetClock()

    private func gate(within patience: Duration) -> Gate {
        Gate(
            endpoints: [
                WebhookEndpoint(name: "", secrets: [GateFixture.secret], livemode: .any)
            ], toleranceSeconds: 300, bodyByteCountMax: 1 << 20, admission: admission,
            deadLetters: HeldLetters(), answerPatience: patience, clock: clock,
            counters: counters, logger: PipelineFixture.quiet)
    }

    private func deliver(_ body: String, to gate: Gate) -> Answers {
        let answers = Answers()
        let signature = StripeSignature.header(
            signing: ArraySlice(body.utf8),
            at: Instant(seconds: clock.now().milliseconds / 1000), secrets: [GateFixture.secret])
        gate.receive(endpoint: "", signature: signature, body: Array(body.utf8)) {
            answers.give($0)
        }
        return answers
    }

    /// Whether the clock has answered; waited for much longer than its patience.
    private static func struck(_ answers: Answers) async -> Bool {
        (try? await eventually("the clock strikes") { !answers.all.isEmpty }) != nil
    }

    private static let late = GateAnswer.unavailable(
        reason: "cannot store deliveries now; retry later")

    @Test("answers 503 where nobody answers it, and a late answer changes nothing")
    func nobody() async throws {
        let answers = deliver(GateFixture.event(), to: gate(within: .milliseconds(50)))
        #expect(await Self.struck(answers), "the clock does not strike")
        #expect(answers.all == [Self.late])
        #expect(counters[.unavailable] == 1)
        #expect(counters.standstills.outside != nil)
        admission.answer(.admitted(SourcePlace(topic: .webhookReceived, offset: .zero)))
        #expect(answers.all == [Self.late])
        #expect(counters[.unavailable] == 1)
    }

    @Test("strikes over a letter that is not kept, as over an event that is not stored")
    func letter() async throws {
        let answers = deliver("no event", to: gate(within: .milliseconds(50)))
        #expect(await Self.struck(answers), "the clock does not strike")
        #expect(answers.all == [Self.late])
    }

    @Test("leaves what was answered in time alone, and takes back what it said before")
    func inTime() async throws {
        counters.standstills.outsideFails("Redis does not answer")
        let answers = deliver(GateFixture.event(), to: gate(within: .seconds(3_600)))
        #expect(answers.all.isEmpty)
        admission.answer(.duplicate)
        #expect(answers.all == [.received(isDuplicate: true)])
        #expect(counters.standstills.outside == nil)
    }
}
