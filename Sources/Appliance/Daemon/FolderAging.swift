package import AppendLog
package import Appliance
import Console
import Foundation
package import Logging
import ServiceLifecycle
import Synchronization
import Vocabulary

/// Puts events into a data folder as if they had come over years: by a clock that is set, and else
/// through the admission, the stages, the ledger and the index of payments that a daemon has, so
/// that what is left is a folder as a daemon leaves it. For who measures an old folder.
package struct FolderAging: Sendable {
    private let plane: EmbeddedPlane
    /// How many events leave no record, being of types that move nothing.
    private let ignored: @Sendable () -> Int64
    /// Whether the ledger has read what was scored and decided.
    private let isBooked: @Sendable () -> Bool

    /// Events that are admitted together.
    private static let admittedCount = 512
    /// Seconds without any progress after which nothing more is expected.
    private static let patienceSeconds = 60

    /// A step does not come to what the one before it gave.
    package struct Stuck: Error, CustomStringConvertible {
        var received, validated, scored: Int64

        package var description: String {
            "the stages stand still: of \(received) webhooks \(validated) are validated and "
                + "\(scored) scored"
        }
    }

    /// Runs the stages in a fresh folder beside `body`, which puts events in and moves the clock;
    /// then stops them in good order and leaves the gate's snapshot.
    package static func run(
        _ settings: Settings, clock: any LogClock, logger: Logger,
        _ body: (FolderAging) async throws -> Void
    ) async throws {
        let folder = try DataFolder(at: settings.dataPath)
        let lock = try FolderLock(folder.path)
        defer { lock.release() }
        let counters = Counters()
        let plane = try EmbeddedPlane(
            logAt: folder.log, gateSnapshot: folder.gateSnapshot, settings: settings,
            clock: clock, counters: counters, logger: logger)
        let ledger = try plane.openLedger(at: folder.ledger)
        let pipeline = Pipeline(
            plane: plane, ledger: ledger, steps: try PipelineSteps(settings, counters: counters),
            folder: folder)
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: DaemonPart.inOrder(try pipeline.services()).map { .init(service: $0) },
                logger: logger))
        let aging = FolderAging(plane: plane, ignored: { Int64(counters[.ignored]) }) {
            [TopicID.paymentScored, .paymentReview].allSatisfy { id in
                let position = (try? ledger.position(topic: id.rawValue)) ?? nil
                return position ?? 0 >= plane.topics[id].highWatermark.rawValue
            }
        }
        async let running: Void = group.run()
        let outcome: Result<Void, any Error>
        do {
            outcome = .success(try await body(aging))
        } catch {
            outcome = .failure(error)
        }
        await group.triggerGracefulShutdown()
        try await running
        try outcome.get()
        try index(plane, at: folder.paymentIndex, logger)
        try await AdmissionSnapshot.write(plane.admission, to: folder.gateSnapshot)
        try ledger.close()
        await plane.log.close()
    }

    /// Makes the index of payments that a daemon has made by and by. Blocking.
    private static func index(_ plane: EmbeddedPlane, at path: String, _ logger: Logger) throws {
        let index = PaymentIndex(
            at: path, log: plane.log.identity.description, reader: { plane.reader($0) },
            logger: logger)
        try index.catchUp()
    }

    private init(
        plane: EmbeddedPlane, ignored: @escaping @Sendable () -> Int64,
        isBooked: @escaping @Sendable () -> Bool
    ) {
        self.plane = plane
        self.ignored = ignored
        self.isBooked = isBooked
    }

    /// Admits events; all are on disk when it returns.
    package func admit(_ events: [(identity: EventIdentity, record: Record)]) async throws {
        for first in stride(from: 0, to: events.count, by: Self.admittedCount) {
            let some = events[first..<min(first + Self.admittedCount, events.count)]
            let admissions = Admissions(count: some.count)
            try await withCheckedThrowingContinuation { continuation in
                for event in some {
                    plane.admission.admit(event.identity, record: event.record) { result in
                        admissions.end(of: result, continuation)
                    }
                }
            }
        }
    }

    /// Returns when everything that was admitted is booked.
    ///
    /// - Throws: ``Stuck``
    package func settled() async throws {
        var (seen, since) = (counts, ContinuousClock.now)
        while !isRead(seen) || !isBooked() {
            try await Task.sleep(for: .milliseconds(1))
            let now = counts
            if now != seen { (seen, since) = (now, .now) }
            guard ContinuousClock.now - since < .seconds(Self.patienceSeconds) else {
                throw Stuck(received: seen[0], validated: seen[1], scored: seen[3])
            }
        }
    }

    /// Where the topics end: received, validated, refused, scored, vectors.
    private var counts: [Int64] {
        [
            TopicID.webhookReceived, .paymentValidated, .deadLetter, .paymentScored,
            .paymentFeatures,
        ].map { plane.topics[$0].highWatermark.rawValue }
    }

    /// Whether each webhook has left a record or a letter, or is of a type that leaves none, and
    /// each record a scored one and a vector, which are written side by side.
    private func isRead(_ counts: [Int64]) -> Bool {
        counts[1] + counts[2] + ignored() >= counts[0] && counts[3] >= counts[1]
            && counts[4] >= counts[3]
    }
}

/// Admissions that are waited for together.
private final class Admissions: Sendable {
    private let state: Mutex<(left: Int, failure: StoreFailure?)>

    init(count: Int) { state = Mutex((count, nil)) }

    func end(
        of result: Result<AdmissionOutcome, StoreFailure>,
        _ continuation: CheckedContinuation<Void, any Error>
    ) {
        let (isLast, failure) = state.withLock { state in
            state.left -= 1
            if case .failure(let failure) = result { state.failure = failure }
            return (state.left == 0, state.failure)
        }
        guard isLast else { return }
        continuation.resume(with: failure.map { .failure($0) } ?? .success(()))
    }
}
