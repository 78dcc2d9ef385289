import AppendLog
import Logging
import Synchronization
import TestSupport
import Testing

@testable import Appliance
@testable import Daemon
@testable import Reconcile
@testable import Vocabulary

private let day = ReconcileFixture.day
/// 02:30 UTC.
private let nightly = 150
/// 2026-02-11T02:30:00Z
private let tonight = ReconcileFixture.now + Int64(nightly) * 60

/// The service itself, with a clock that the test moves; it sleeps by that clock.
@Suite("Reconciliation by itself, every night")
struct ReconcilerScheduleTests {
    /// What the service has been heard to say.
    private final class Heard: Sendable {
        let lines = Mutex<[String]>([])

        func has(_ text: String) -> Bool {
            lines.withLock { $0.contains { $0.contains(text) } }
        }

        func count(_ text: String) -> Int {
            lines.withLock { $0.count { $0.contains(text) } }
        }
    }

    private struct HeardHandler: LogHandler {
        let heard: Heard
        var logLevel = Logger.Level.debug
        var metadata: Logger.Metadata = [:]
        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let values = (event.metadata ?? [:]).map { "\($0.key)=\($0.value)" }.sorted()
            let line = ([event.message.description] + values).joined(separator: " ")
            heard.lines.withLock { $0.append(line) }
        }
    }

    /// The service, and how often and how long it has slept.
    private final class Night: Sendable {
        let fixture: ReconcileFixture
        let heard = Heard()
        let slept: HandSleep
        let reconciler: Reconciler

        /// - Parameter stripeClock: Stripe's time, where it is not the machine's.
        init(
            _ fixture: ReconcileFixture, sweepSeconds: Int64? = nil,
            stripeClock: StripeClock? = nil
        ) {
            self.fixture = fixture
            slept = HandSleep(fixture.clock)
            var settings = ReconcilerSettings()
            settings.schedule = ReconcileSchedule(
                nightlyMinute: nightly, sweepSeconds: sweepSeconds)
            settings.limits.balanceSecondsMax = 0
            let (heard, slept) = (heard, slept)
            reconciler = Reconciler(
                settings: settings, client: fixture.client, store: fixture.store,
                openLedger: { try SQLiteLedgerReader.open(path: fixture.data.ledger) },
                admission: fixture.admission, accepts: { !$0 }, clock: fixture.clock,
                stripeClock: stripeClock,
                sleep: { try? await slept.sleep(milliseconds: $0 * 1000) },
                counters: fixture.counters,
                logger: Logger(label: "test") { _ in HeardHandler(heard: heard) })
        }

        func running(_ body: @escaping @Sendable () async throws -> Void) async throws {
            try await fixture.running { [reconciler] in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await reconciler.run() }
                    defer { group.cancelAll() }
                    try await body()
                }
            }
        }

        var runs: [RunRecord] {
            get throws { try fixture.store.runs(before: nil, limit: 100) }
        }

        /// Moves the clock, and waits until the service has looked at it and sleeps again.
        ///
        /// - Returns: how many seconds it wants to sleep.
        func look(at time: Int64) async throws -> Int64 {
            let before = slept.count
            fixture.clock.set(time)
            try await eventually("it has looked at \(time)") {
                self.slept.count > before
            }
            return (slept.last ?? 0) / 1000
        }

        /// Waits until it sleeps for the first time.
        func settled() async throws {
            try await eventually("it sleeps") { self.slept.count > 0 }
        }
    }

    /// A run of the schedule that went well at `time`.
    private func ran(_ fixture: ReconcileFixture, at time: Int64) throws {
        let at = Instant(seconds: time)
        let id = try fixture.store.create(.schedule, from: Instant(seconds: 0), to: at, at: at)
        try fixture.store.end(id, at: at, failure: nil)
    }

    @Test("a start after missed nights runs at once, from where the last run ended, and says so")
    func missedNights() async throws {
        let fixture = try ReconcileFixture()
        fixture.stripe.charge("x", 5_000, fee: 175, at: ReconcileFixture.now - 2 * day)
        // Three nights have gone by since, and it is midnight again.
        let last = tonight - 4 * day
        try ran(fixture, at: last)
        let night = Night(fixture)
        try await night.running {
            try await night.settled()
            let runs = try night.runs
            #expect(runs.count == 2)
            #expect(runs.first?.state == .finished && runs.first?.cause == .schedule)
            #expect(runs.first?.to.seconds == ReconcileFixture.now)
            // Before the end of the last one by the grace period and a day.
            #expect(runs.first?.from.seconds == last - 3 * day)
            #expect(night.heard.has("nights without reconciliation are made up for now nights=3"))
            #expect(try fixture.processor() == ["usd": -175])
        }
    }

    @Test("what somebody asked of yesterday alone does not make up for the nights before")
    func noGap() async throws {
        let fixture = try ReconcileFixture()
        try ran(fixture, at: tonight - 6 * day)
        let now = Instant(seconds: ReconcileFixture.now)
        let asked = try fixture.store.create(
            .request, from: Instant(seconds: now.seconds - day), to: now, at: now)
        try fixture.store.end(asked, at: now, failure: nil)
        let night = Night(fixture)
        try await night.running {
            try await night.settled()
            #expect(try night.runs.map(\.from.seconds) == [
                tonight - 6 * day - 3 * day, ReconcileFixture.now - day, 0,
            ])
            #expect(try await night.look(at: tonight - 1) == 1)
            #expect(try night.runs.count == 3)
        }
    }

    @Test("answers with a strange date are told of once")
    func strangeDate() async throws {
        let fixture = try ReconcileFixture()
        let date = StripeClock(fixture.clock)
        let night = Night(fixture, stripeClock: date)
        date.note(date: "Wed, 25 Nov 2026 22:31:00 GMT")
        try await night.running {
            try await night.settled()
            #expect(night.heard.count("ahead of this machine") == 1)
            _ = try await night.look(at: ReconcileFixture.now + 60)
            #expect(night.heard.count("ahead of this machine") == 1)
            night.reconciler.confirmClock { true }
            #expect(night.reconciler.dateWarning?.contains("is not believed") == true)
        }
    }

    @Test("the first start reads everything and says so")
    func firstStart() async throws {
        let fixture = try ReconcileFixture()
        let night = Night(fixture)
        try await night.running {
            try await night.settled()
            #expect(try night.runs.map(\.from.seconds) == [0])
            #expect(night.heard.has("the first one reads everything"))
        }
    }

    @Test("the next run is due at its time, not before, and again the next night")
    func nextNight() async throws {
        let fixture = try ReconcileFixture()
        try ran(fixture, at: tonight - day)
        let night = Night(fixture)
        try await night.running {
            try await night.settled()
            #expect(try await night.look(at: tonight - 61) == 60)
            #expect(try await night.look(at: tonight - 1) == 1)
            #expect(try night.runs.count == 1)
            #expect(try await night.look(at: tonight) == 60)
            #expect(try night.runs.map(\.to.seconds) == [tonight, tonight - day])
            #expect(!night.heard.has("made up for"))
            // A clock that is set forward counts at the next look.
            #expect(try await night.look(at: tonight + day - 2) == 2)
            #expect(try night.runs.count == 2)
            #expect(try await night.look(at: tonight + day) == 60)
            #expect(try night.runs.count == 3)
            // It sleeps between its looks, as long as it said.
            #expect(night.slept.count == 6)
        }
    }

    @Test("what is asked for is done at once, again and again, though the clock stands still")
    func asked() async throws {
        let fixture = try ReconcileFixture()
        try ran(fixture, at: tonight - day)
        let night = Night(fixture)
        try await night.running {
            try await night.settled()
            _ = try await night.look(at: tonight - 120)
            for number in 2...4 {
                let name = try night.reconciler.request(from: nil, to: nil, dryRun: false)
                try await eventually("run \(name) is over") {
                    try night.reconciler.report(name)?.run.state == .finished
                }
                #expect(try night.runs.map(\.cause).filter { $0 == .request }.count == number - 1)
            }
            #expect(try await night.look(at: tonight - 60) == 60)
            #expect(night.slept.count <= 6, "it slept between what it was asked for")
        }
    }

    @Test("a run that failed is tried again after ten minutes, until it goes well")
    func failed() async throws {
        let fixture = try ReconcileFixture()
        fixture.stripe.charge("x", 5_000, fee: 175, at: ReconcileFixture.now - day)
        try ran(fixture, at: tonight - day)
        fixture.stripe.script.withLock { $0 = { _, _ in FakeStripe.refused(401, "unauthorised") } }
        let night = Night(fixture)
        try await night.running {
            try await night.settled()
            _ = try await night.look(at: tonight)
            #expect(try night.runs.first?.state == .failed)
            #expect(try night.runs.first?.failure?.contains("stripe.api_key") == true)
            #expect(night.heard.has("reconciliation failed"))
            #expect(try await night.look(at: tonight + 599) == 1)
            #expect(try night.runs.count == 2)
            _ = try await night.look(at: tonight + 600)
            #expect(try night.runs.map(\.state) == [.failed, .failed, .finished])
            fixture.stripe.script.withLock { $0 = { _, _ in nil } }
            _ = try await night.look(at: tonight + 1200)
            #expect(try night.runs.map(\.state) == [.finished, .failed, .failed, .finished])
            // It covers what the failed ones should have.
            #expect(try night.runs.first?.from.seconds == tonight - day - 3 * day)
            #expect(try fixture.processor() == ["usd": -175])
            #expect(try await night.look(at: tonight + 1300) == 60)
            #expect(try night.runs.count == 4)
        }
    }

    @Test("a run that the end of the process interrupted goes on at the next start, alone")
    func interrupted() async throws {
        let fixture = try ReconcileFixture()
        for index in 0..<150 {
            fixture.stripe.charge("c\(1000 + index)", 1_000, at: ReconcileFixture.now - 5 * day)
        }
        let isReading = Atomic(false)
        // Nothing ever comes of it: only the end of its task ends the wait.
        let silence = AsyncStream<Void>.makeStream()
        fixture.stripe.script.withLock {
            $0 = { _, path in
                guard path.contains("starting_after") else { return nil }
                isReading.store(true, ordering: .relaxed)
                for await _ in silence.stream {}
                throw CancellationError()
            }
        }
        let first = Night(fixture)
        try await first.running {
            try await eventually("the second page is asked for") {
                isReading.load(ordering: .relaxed)
            }
        }
        #expect(try first.runs.map(\.state) == [.reading])
        fixture.stripe.script.withLock { $0 = { _, _ in nil } }
        let second = Night(fixture)
        try await second.running {
            try await second.settled()
            #expect(try second.runs.map(\.state) == [.finished])
            #expect(try second.runs.map(\.transactions) == [150])
        }
    }

    @Test("sweeps follow each other by themselves, and a silence that lasts is complained of")
    func sweeps() async throws {
        let fixture = try ReconcileFixture()
        try ran(fixture, at: tonight - day)
        fixture.stripe.charge("x", 5_000, at: ReconcileFixture.now - 3600)
        let night = Night(fixture, sweepSeconds: 3600)
        let now = ReconcileFixture.now
        try await night.running {
            try await night.settled()
            let sweeps = { try fixture.store.sweeps(before: nil, limit: 10) }
            #expect(try sweeps().map(\.missed) == [1])
            #expect(try await night.look(at: now + 3599) == 1)
            #expect(try sweeps().count == 1)
            _ = try await night.look(at: now + 3600)
            #expect(try sweeps().map(\.state) == [.finished, .finished])
            #expect(fixture.counters[.eventsNearExpiry] == 0)
            // Stripe does not answer for weeks: the thirty days of its events run out.
            fixture.stripe.script.withLock {
                $0 = { _, _ in FakeStripe.refused(401, "unauthorised") }
            }
            _ = try await night.look(at: now + 19 * day)
            #expect(fixture.counters[.eventsNearExpiry] == 0)
            _ = try await night.look(at: now + 21 * day)
            #expect(fixture.counters[.eventsNearExpiry] == 1)
            _ = try await night.look(at: now + 21 * day + 1800)
            #expect(fixture.counters[.eventsNearExpiry] == 1)
            _ = try await night.look(at: now + 21 * day + 3601)
            #expect(fixture.counters[.eventsNearExpiry] == 2)
        }
    }

    @Test("a clock that was 40 days ahead once silences neither sweep nor run, and is warned of")
    func clockWasAhead() async throws {
        let now = ReconcileFixture.now
        let fixture = try ReconcileFixture(clock: HandClock(now + 40 * day))
        try ran(fixture, at: now - day)
        let ahead = Night(fixture, sweepSeconds: 3600)
        try await ahead.running { try await ahead.settled() }
        // Run and sweep were done, by that clock.
        #expect(try fixture.store.runs(before: nil, limit: 1).map(\.to.seconds) == [now + 40 * day])
        #expect(try fixture.store.sweeps(before: nil, limit: 1).map(\.state) == [.finished])

        // It is set right, and what was missed meanwhile is looked for at once.
        fixture.clock.set(now)
        fixture.stripe.charge("x", 5_000, fee: 175, at: now - 2 * day)
        let right = Night(fixture, sweepSeconds: 3600)
        try await right.running {
            try await right.settled()
            #expect(right.heard.has("the clock was ahead once"))
            #expect(fixture.counters[.clockJumps] == 1)
            let sweep = try #require(try fixture.store.sweeps(before: nil, limit: 1).first)
            #expect(sweep.missed == 1 && sweep.to.seconds == now - 299)
            // Nothing of an earlier sweep is known, so that it goes back as far as Stripe does.
            #expect(sweep.from.seconds == now - 30 * day)
            let run = try #require(try right.runs.first)
            #expect(run.to.seconds == now && run.from.seconds == now - 4 * day)
            #expect(run.sweptTo?.seconds == now - 299)
            // Both go on: the next hour, the next night.
            _ = try await right.look(at: now + 3600)
            #expect(try fixture.store.sweeps(before: nil, limit: 10).count == 3)
            _ = try await right.look(at: tonight + day)
            #expect(try right.runs.first?.to.seconds == tonight + day)
            #expect(fixture.counters[.clockJumps] == 1)
            let asked = try right.reconciler.request(from: nil, to: nil, dryRun: false)
            try await eventually("a run that is asked for is over") {
                try right.reconciler.report(asked)?.run.state == .finished
            }
        }
    }

    @Test(
        "a clock that was set back 40 days goes on from there, and from the truth once it is right")
    func clockWasBehind() async throws {
        let now = ReconcileFixture.now
        let fixture = try ReconcileFixture(clock: HandClock(now))
        let before = Night(fixture, sweepSeconds: 3600)
        try await before.running { try await before.settled() }
        fixture.clock.set(now - 40 * day)
        let behind = Night(fixture, sweepSeconds: 3600)
        try await behind.running {
            try await behind.settled()
            let sweep = try #require(try fixture.store.sweeps(before: nil, limit: 1).first)
            #expect(sweep.to.seconds == now - 40 * day - 299)
            #expect(try behind.runs.first?.to.seconds == now - 40 * day)
        }
        fixture.clock.set(now + 7200)
        let right = Night(fixture, sweepSeconds: 3600)
        try await right.running {
            try await right.settled()
            let sweep = try #require(try fixture.store.sweeps(before: nil, limit: 1).first)
            #expect(sweep.from.seconds == now - 299 - 3600)
            #expect(sweep.to.seconds == now + 7200 - 299)
        }
    }

    @Test("a failure from the future is tried again now")
    func failedAhead() async throws {
        let now = ReconcileFixture.now
        let fixture = try ReconcileFixture(clock: HandClock(now + 40 * day))
        fixture.stripe.script.withLock { $0 = { _, _ in FakeStripe.refused(401, "unauthorised") } }
        let ahead = Night(fixture, sweepSeconds: 3600)
        try await ahead.running { try await ahead.settled() }
        fixture.stripe.script.withLock { $0 = { _, _ in nil } }
        fixture.clock.set(now)
        let right = Night(fixture, sweepSeconds: 3600)
        try await right.running {
            try await right.settled()
            #expect(try right.runs.map(\.state) == [.finished, .failed])
            let sweeps = try fixture.store.sweeps(before: nil, limit: 10)
            #expect(sweeps.map(\.state) == [.finished, .failed])
        }
    }
}
