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
    /// The same where each look asks a server for the end of every partition.
    private static let pauseElsewhere = Duration.seconds(1)
    /// After a failure of the disk.
    private static let patience = Duration.seconds(1)
    /// Records behind from which on it is said how far it has come, every so often.
    private static let toldLag: Int64 = 50_000
    private static let tellingInterval = Duration.seconds(5)

    /// Where it is kept.
    private enum Place {
        case file(String, log: String)
        /// Nowhere: it is gone with the process, and begins with the oldest records.
        case temporary
    }

    private let place: Place
    /// Every partition of every topic, in the order in which topics follow from each other.
    private let lanes: [SourceLane]
    /// A partition as it is now.
    private let open: @Sendable (SourceLane) throws(StoreFailure) -> TopicReader
    private let logger: Logger
    private let thread = OwnThread("tillbox.console.index")
    private let state: Mutex<State>

    private struct State {
        /// nil until it could be opened.
        var file: IndexFile?
        var next: [SourceLane: Offset] = [:]
        /// As the last look found them; those of a log of this process tell of what came since.
        var readers: [SourceLane: TopicReader] = [:]
        /// Whether it has seen all that was there at its start.
        var hasCaughtUp = false
        /// When each of the last looks was, and the ends that it found, by topic.
        var looks: [(at: ContinuousClock.Instant, ends: [TopicID: Int64])] = []
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
        state = Mutex(State(tally: PaymentTally(since: since)))
        place = .file(path, log: log)
        lanes = TopicID.allCases.map { SourceLane(topic: $0, partition: 0) }
        let readers = Dictionary(uniqueKeysWithValues: lanes.map { ($0, reader($0.topic)) })
        open = { lane throws(StoreFailure) in
            guard let reader = readers[lane] else { preconditionFailure("no \(lane)") }
            return reader
        }
        self.logger = logger
        state.withLock { $0.readers = readers }
    }

    /// Of topics that are elsewhere: nothing of it is kept, and each start reads them from their
    /// beginning.
    ///
    /// - Parameters:
    ///   - partitions: of every topic.
    ///   - reader: a partition with the ends that it has now. Blocking.
    package init(
        partitions: Int32,
        reader: @escaping @Sendable (SourceLane) throws(StoreFailure) -> TopicReader,
        logger: Logger
    ) {
        place = .temporary
        lanes = TopicID.allCases.flatMap { topic in
            (0..<partitions).map { SourceLane(topic: topic, partition: $0) }
        }
        open = reader
        state = Mutex(State(tally: PaymentTally(since: 0)))
        self.logger = logger
    }

    // MARK: How far it is

    /// Records of a topic that are not in the index yet.
    package func lag(of topic: TopicID) -> Int64 {
        let (readers, next) = state.withLock { ($0.readers, $0.next) }
        return readers.reduce(0) { lag, one in
            guard one.key.topic == topic else { return lag }
            let (start, end) = (one.value.start, one.value.end)
            return lag + max(0, max(next[one.key] ?? .zero, start).distance(to: end))
        }
    }

    /// What is still to be read, in words: `12 records`, and behind a start that reads all of it
    /// `12 records of 3,000`; nil where nothing is.
    var behind: String? {
        let (readers, hasCaughtUp) = state.withLock { ($0.readers, $0.hasCaughtUp) }
        let lag = lag
        guard case .temporary = place, !hasCaughtUp else {
            return lag == 0 ? nil : ShownNumber.count(lag, "record")
        }
        guard readers.count == lanes.count else { return "all records" }
        let all = readers.values.reduce(0) { $0 + max(0, $1.start.distance(to: $1.end)) }
        return "\(ShownNumber.count(lag, "record")) of \(ShownAmount.grouped(all))"
    }

    /// Records of all topics that are not in the index yet.
    package var lag: Int64 { TopicID.allCases.reduce(0) { $0 + lag(of: $1) } }

    /// Offsets from the first that is kept of a topic to its end, as of the last look.
    func count(of topic: TopicID) -> Int64 {
        state.withLock { $0.readers }.reduce(0) { count, one in
            one.key.topic == topic ? count + one.value.start.distance(to: one.value.end) : count
        }
    }

    /// Offsets a second that a topic has grown by over the last looks; 0 before the second one.
    func rate(of topic: TopicID) -> Double {
        let (first, last) = state.withLock { ($0.looks.first, $0.looks.last) }
        guard let first, let last, first.at < last.at else { return 0 }
        let grown = (last.ends[topic] ?? 0) - (first.ends[topic] ?? 0)
        return max(0, Double(grown) / (first.at.duration(to: last.at) / .seconds(1)))
    }

    /// Looks that a rate is taken over.
    private static let lookCountMax = 10

    /// Why it does not come further; nil where nothing is in its way.
    package var trouble: String? { state.withLock { $0.trouble } }

    /// What this index has taken in of payments that came since it was made.
    package var tally: PaymentTally { state.withLock { $0.tally } }
    /// Whether records are named by their partition, too.
    var hasPartitions: Bool {
        if case .temporary = place { true } else { false }
    }

    // MARK: Reading

    /// Runs `body` on one snapshot. Blocking.
    func reading<Value>(_ body: (Database) throws -> Value) throws(StoreFailure) -> Value {
        do {
            return try opened().database.read(body)
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
        let file =
            switch place {
            case .file(let path, let log): try IndexFile(at: path, log: log)
            case .temporary: try IndexFile()
            }
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
            defer {
                (state.file, state.next, state.isDamaged) = (nil, [:], false)
                state.hasCaughtUp = false
            }
            // All of it is counted again.
            state.tally = PaymentTally(since: state.tally.since)
            return state.file
        }
        try? file?.database.close()
        if case .file(let path, _) = place { IndexFile.remove(path) }
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
        try? state.withLock({ $0.file })?.database.close()
    }

    /// - Returns: how long to rest.
    private func step(_ feed: IndexFeed) -> Duration {
        let begun = ContinuousClock.now
        do {
            let isMore = try turn(feed)
            state.withLock { $0.trouble = nil }
            return isMore ? min(begun.duration(to: .now), Self.pause) : pause
        } catch {
            failed(error, feed)
            return Self.patience
        }
    }

    private var pause: Duration {
        if case .temporary = place { Self.pauseElsewhere } else { Self.pause }
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
        guard let (lane, reader, end) = feed.plan.first else {
            state.withLock { $0.hasCaughtUp = true }
            return false
        }
        let next = max(state.withLock { $0.next[lane] } ?? .zero, reader.start)
        guard next < end else {
            feed.plan.removeFirst()
            if feed.plan.isEmpty { state.withLock { $0.hasCaughtUp = true } }
            return !feed.plan.isEmpty
        }
        let records = try reader.read(from: next, byteCountMax: Self.turnByteCountMax)
            .prefix(Self.turnRecordCountMax).filter { $0.offset < end }
        let reached = records.last.map { $0.offset.advanced(by: 1) } ?? end
        let before = tally
        let counted = try file.database.write { database in
            var (draft, tally) = (
                IndexDraft(database, isOneOfSeveral: hasPartitions), before
            )
            for stored in records {
                let look = feed.looker.look(at: stored.record, of: lane.topic)
                try draft.take(stored, of: lane, look)
            }
            try draft.write(lane, next: reached)
            draft.count(into: &tally)
            return tally
        }
        state.withLock { ($0.next[lane], $0.tally) = (reached, counted) }
        return true
    }

    /// What is to be read: every partition up to its end, in the order in which topics follow from
    /// each other. The ends are taken from the last one on, so that what a record follows from has
    /// been read before it.
    private func plan() throws -> [IndexFeed.Piece] {
        var plan: [IndexFeed.Piece] = []
        for lane in lanes.reversed() {
            let reader = try open(lane)
            plan.append((lane, reader, reader.end))
        }
        var ends: [TopicID: Int64] = [:]
        for piece in plan { ends[piece.lane.topic, default: 0] += piece.end.rawValue }
        let next = state.withLock { [ends] state in
            state.looks.append((.now, ends))
            if state.looks.count > Self.lookCountMax { state.looks.removeFirst() }
            state.readers = Dictionary(uniqueKeysWithValues: plan.map { ($0.lane, $0.reader) })
            return state.next
        }
        if plan.contains(where: { next[$0.lane] ?? .zero > $0.end }) {
            // The log was cut back: what is here follows from records that are gone.
            remake()
            _ = try opened()
        }
        let current = state.withLock { $0.next }
        return plan.reversed().filter { max(current[$0.lane] ?? .zero, $0.reader.start) < $0.end }
    }
}

/// What the follower keeps from turn to turn. For one thread.
final class IndexFeed {
    /// A partition, and how far it is to be read.
    typealias Piece = (lane: SourceLane, reader: TopicReader, end: Offset)

    let looker = RecordLooker()
    var plan: [Piece] = []
}
