import AppendLog
import Foundation
import GRDB
package import Logging
import ServiceLifecycle
import Synchronization
package import Vocabulary

/// A rebuildable index of the payments in the log, from which lists, searches, stories and reports
/// are answered. It follows all seven topics and holds nobody up: it only reads what they have, a
/// bounded piece at a time, on a thread of its own, and rests as long as it works.
package final class PaymentIndex: Service {
    /// Records and bytes that one turn takes in, in one transaction.
    static let turnRecordCountMax = 1_000
    static let turnByteCountMax = 1 << 18
    /// Between two looks where nothing new is there; what comes meanwhile is taken in together.
    private static let pause = Duration.milliseconds(100)
    /// After a failure of the disk.
    private static let patience = Duration.seconds(1)
    /// Records behind from which on it is said how far it has come, every so often.
    private static let toldLag: Int64 = 50_000
    private static let tellingInterval = Duration.seconds(5)

    private let path: String
    private let log: String
    private let readers: [TopicID: TopicReader]
    private let logger: Logger
    private let thread = OwnThread("tillbox.console.index")
    private let state: Mutex<State>

    private struct State {
        /// nil until it could be opened.
        var file: IndexFile?
        var next: [TopicID: Offset] = [:]
        var trouble: String?
        /// Somebody who read it found that it is no sound database.
        var isDamaged = false
        var tally: PaymentTally
    }

    /// - Parameters:
    ///   - path: of the file, in a folder that is made where it is missing.
    ///   - log: the identity of the log; an index of another one is thrown away.
    ///   - since: milliseconds since 1970 from when on payments are counted in ``tally``.
    package init(
        at path: String, log: String, since: Int64 = 0, reader: (TopicID) -> TopicReader,
        logger: Logger
    ) {
        self.path = path
        self.log = log
        state = Mutex(State(tally: PaymentTally(since: since)))
        readers = Dictionary(
            uniqueKeysWithValues: TopicID.allCases.map { ($0, reader($0)) })
        self.logger = logger
    }

    // MARK: How far it is

    /// Records of a topic that are not in the index yet.
    package func lag(of topic: TopicID) -> Int64 {
        guard let reader = readers[topic] else { return 0 }
        let (start, end) = (reader.start, reader.end)
        let next = max(state.withLock { $0.next[topic] } ?? .zero, start)
        return max(0, next.distance(to: end))
    }

    /// Records of all topics that are not in the index yet.
    package var lag: Int64 { TopicID.allCases.reduce(0) { $0 + lag(of: $1) } }

    /// Why it does not come further; nil where nothing is in its way.
    package var trouble: String? { state.withLock { $0.trouble } }

    /// What this index has taken in of payments that came since it was made.
    package var tally: PaymentTally { state.withLock { $0.tally } }

    // MARK: Reading

    /// Runs `body` on one snapshot. Blocking.
    func reading<Value>(_ body: (Database) throws -> Value) throws(StoreFailure) -> Value {
        do {
            return try opened().pool.read(body)
        } catch {
            if Self.isDamage(error) { state.withLock { $0.isDamaged = true } }
            throw .outside(
                "the index of payments cannot be read now (\(error)); it makes itself anew from "
                    + "the log where it is damaged")
        }
    }

    private static func isDamage(_ error: any Error) -> Bool {
        let codes: [ResultCode] = [.SQLITE_CORRUPT, .SQLITE_NOTADB]
        guard let error = error as? DatabaseError else { return false }
        return codes.contains(error.resultCode.primaryResultCode)
    }

    private func opened() throws -> IndexFile {
        if let file = state.withLock({ $0.file }) { return file }
        let file = try IndexFile(at: path, log: log)
        let positions = try file.positions()
        return state.withLock { state in
            // Somebody else may have opened it meanwhile.
            if let first = state.file { return first }
            (state.file, state.next) = (file, positions)
            return file
        }
    }

    /// Throws the file away; the next look makes it anew.
    private func remake() {
        let file = state.withLock { state in
            defer { (state.file, state.next, state.isDamaged) = (nil, [:], false) }
            // All of it is counted again.
            state.tally = PaymentTally(since: state.tally.since)
            return state.file
        }
        try? file?.pool.close()
        IndexFile.remove(path)
    }

    // MARK: Following

    package func run() async throws {
        await withTaskExecutorPreference(thread) { await follow() }
    }

    private func follow() async {
        let feed = IndexFeed()
        var told = ContinuousClock.now
        while !Task.isShuttingDownGracefully, !Task.isCancelled {
            let rest = step(feed)
            if lag > Self.toldLag, told.duration(to: .now) > Self.tellingInterval {
                told = .now
                logger.info("indexing payments", metadata: ["records_left": "\(lag)"])
            }
            try? await cancelWhenGracefulShutdown { try await Task.sleep(for: rest) }
        }
        try? state.withLock({ $0.file })?.pool.close()
    }

    /// - Returns: how long to rest.
    private func step(_ feed: IndexFeed) -> Duration {
        let begun = ContinuousClock.now
        do {
            let isMore = try turn(feed)
            state.withLock { $0.trouble = nil }
            return isMore ? min(begun.duration(to: .now), Self.pause) : Self.pause
        } catch {
            failed(error, feed)
            return Self.patience
        }
    }

    private func failed(_ error: any Error, _ feed: IndexFeed) {
        let isNew = state.withLock { state in
            defer { state.trouble = "\(error)" }
            return state.trouble != "\(error)"
        }
        if isNew {
            logger.warning(
                "the index of payments does not come further", metadata: ["error": "\(error)"])
        }
        guard Self.isDamage(error) else { return }
        remake()
        feed.plan = []
    }

    /// Takes in all that the topics hold now. Blocking.
    package func catchUp() throws {
        let feed = IndexFeed()
        while try turn(feed) {}
    }

    /// Takes the next piece of the plan in.
    ///
    /// - Returns: whether more is there already.
    func turn(_ feed: IndexFeed) throws -> Bool {
        if state.withLock({ $0.isDamaged }) {
            remake()
            feed.plan = []
        }
        let file = try opened()
        if feed.plan.isEmpty { feed.plan = try plan() }
        guard let (topic, end) = feed.plan.first, let reader = readers[topic] else { return false }
        let next = max(state.withLock { $0.next[topic] } ?? .zero, reader.start)
        guard next < end else {
            feed.plan.removeFirst()
            return !feed.plan.isEmpty
        }
        let records = try reader.read(from: next, byteCountMax: Self.turnByteCountMax)
            .prefix(Self.turnRecordCountMax).filter { $0.offset < end }
        let reached = records.last.map { $0.offset.advanced(by: 1) } ?? end
        let before = tally
        let counted = try file.pool.write { database in
            var (draft, tally) = (IndexDraft(database), before)
            for stored in records {
                try draft.take(stored, of: topic, feed.looker.look(at: stored.record, of: topic))
            }
            try draft.write(topic, next: reached)
            draft.count(into: &tally)
            return tally
        }
        state.withLock { ($0.next[topic], $0.tally) = (reached, counted) }
        return true
    }

    /// What is to be read: every topic up to its end, in the order in which they follow from each
    /// other. The ends are taken from the last one on, so that what a record follows from has been
    /// read before it.
    private func plan() throws -> [(topic: TopicID, end: Offset)] {
        var plan: [(topic: TopicID, end: Offset)] = []
        for topic in TopicID.allCases.reversed() {
            guard let reader = readers[topic] else { continue }
            plan.append((topic, reader.end))
        }
        let next = state.withLock { $0.next }
        if plan.contains(where: { next[$0.topic] ?? .zero > $0.end }) {
            // The log was cut back: what is here follows from records that are gone.
            remake()
            _ = try opened()
        }
        let current = state.withLock { $0.next }
        return plan.reversed().filter { current[$0.topic] ?? .zero < $0.end }
    }
}

/// What the follower keeps from turn to turn. For one thread.
final class IndexFeed {
    let looker = RecordLooker()
    var plan: [(topic: TopicID, end: Offset)] = []
}
