package import AppendLog
package import Logging
import ServiceLifecycle
package import Vocabulary

/// Fetches the event of a charge that does not arrive though its intent has, as where the endpoint
/// gets no `charge.*`: the payment would wait in review for want of a card until the next sweep.
///
/// What it finds is Stripe's own event and enters through the sweep's door, so that a delivery that
/// still comes is a repetition and a replay books the same. It keeps nothing: a start reads again
/// as much of the log as may still wait.
package struct ChargeFetch: Service {
    /// `payment.validated`.
    package let validated: FollowedTopic
    package let sweep: EventSweep
    /// Seconds that a charge has to arrive by itself.
    package let waitSeconds: Int64
    package let clock: any LogClock
    package let counters: Counters
    package let logger: Logger
    var sleep: @Sendable (_ milliseconds: Int64) async throws -> Void

    package init(
        validated: FollowedTopic, sweep: EventSweep, waitSeconds: Int64, clock: any LogClock,
        counters: Counters, logger: Logger,
        sleep: @escaping @Sendable (_ milliseconds: Int64) async throws -> Void = {
            try await Task.sleep(for: .milliseconds($0))
        }
    ) {
        self.validated = validated
        self.sweep = sweep
        self.waitSeconds = waitSeconds
        self.clock = clock
        self.counters = counters
        self.logger = logger
        self.sleep = sleep
    }

    /// The least time between two looks, and so between two lists of events.
    private static let paceMilliseconds: Int64 = 1000
    /// Longest time between two looks while something waits.
    private static let lookMillisecondsMax: Int64 = 30_000
    /// Bytes of the log that are read at once.
    private static let readByteCount = 1 << 20
    private static let types = ["charge.succeeded", "charge.captured"]

    package func run() async throws {
        do {
            // It reads the log from the disk.
            try await withTaskExecutorPreference(OwnThread("tillbox.chargefetch")) {
                try await cancelWhenGracefulShutdown { try await self.work() }
            }
        } catch is CancellationError {
            return
        } catch StoreFailure.stopping {
            return
        }
    }

    private func work() async throws {
        var awaited = AwaitedCharges()
        let life = AwaitedCharges.lifeSeconds(wait: waitSeconds)
        let back = Timestamp(milliseconds: clock.now().milliseconds - life * 1000)
        var next = try validated.reader.offset(at: back) ?? validated.reader.end
        while true {
            next = try read(from: next, into: &awaited)
            let wait: Int64
            if awaited.waits.isEmpty {
                try await validated.waitForRecords(from: next)
                wait = Self.paceMilliseconds
            } else {
                try await fetch(&awaited)
                wait = (awaited.nextDue ?? 0) - clock.monotonicMilliseconds()
            }
            try await sleep(min(max(wait, Self.paceMilliseconds), Self.lookMillisecondsMax))
        }
    }

    /// Takes what was validated since.
    ///
    /// - Returns: where to read on.
    private func read(from start: Offset, into awaited: inout AwaitedCharges) throws -> Offset {
        let topic = validated.reader
        var next = max(start, topic.start)
        let document = JSONDocument()
        while next < topic.end {
            try Task.checkCancellation()
            let records = try topic.read(from: next, byteCountMax: Self.readByteCount)
            guard let last = records.last else { break }
            let (now, monotonic) = (clock.now(), clock.monotonicMilliseconds())
            for stored in records {
                guard let value = stored.record.value,
                    let event = try? PaymentEvent(json: document.parse(value))
                else { continue }
                let age = now.milliseconds - stored.record.timestamp.milliseconds
                let left = min(max(waitSeconds * 1000 - age, 0), waitSeconds * 1000)
                awaited.take(event, dueAt: monotonic + left)
            }
            next = last.offset.advanced(by: 1)
        }
        return next
    }

    private func fetch(_ awaited: inout AwaitedCharges) async throws {
        for window in awaited.due(at: clock.monotonicMilliseconds()) {
            let listed = await fetch(window)
            try Task.checkCancellation()
            awaited.asked(
                window, listed: listed, now: clock.monotonicMilliseconds(),
                waitMilliseconds: waitSeconds * 1000)
            try await sleep(Self.paceMilliseconds)
        }
    }

    /// - Returns: the charges that Stripe has told of.
    private func fetch(_ window: AwaitedCharges.Window) async -> Set<MovementKey> {
        var listed: Set<MovementKey> = []
        var record = SweepRecord(
            id: 0, state: .reading, from: window.from, to: window.to,
            startedAt: Instant(seconds: clock.now().milliseconds / 1000))
        do {
            try await sweep.read(
                window.account, from: window.from, to: window.to, types: Self.types, into: &record
            ) { listed.insert(MovementKey("charge:\($0)")) }
            counters.add(.chargesFetched, Int(record.missed))
            if record.missed > 0 {
                logger.info(
                    "charges that had not arrived were fetched",
                    metadata: [
                        "count": "\(record.missed)", "account": "\(window.account)",
                    ])
            }
        } catch {
            // The next attempt comes later, and after the last one the sweep.
            logger.warning(
                "charges that have not arrived could not be fetched",
                metadata: [
                    "count": "\(window.movements.count)", "error": "\(error)",
                ])
        }
        return listed
    }
}
