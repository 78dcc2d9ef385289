internal import Synchronization

/// Where the segments of a topic lie that somebody reads while the log's owner goes on: in the
/// log's folder, before them in cold ones.
///
/// ```
/// reader                               who holds the log
/// opens the log: 0, 1, 2
///                                      segment 0 noted in log/cold, then deleted
/// reads 0: no such file
/// looks into log/cold: it moved
/// reads 0 in the cold folder
/// ```
///
/// A segment is noted before it is deleted, so that one which is gone and not noted is gone.
final class ColdView: Sendable {
    struct Parts: Sendable {
        /// All of it, the cold segments first.
        var run: SegmentRun
        var cold: ColdRun
    }

    private let topic: TopicName
    /// Of the topic's own segments.
    private let folder: String
    /// The log's folder; nil where cold folders were not asked for.
    private let log: String?
    private let identity: LogIdentity?
    private let disk: any Disk
    private let state: Mutex<Parts>

    init(
        of topic: TopicName, in folder: String, _ run: SegmentRun, log: String?,
        identity: LogIdentity?, disk: any Disk
    ) {
        self.topic = topic
        self.folder = folder
        self.log = log
        self.identity = identity
        self.disk = disk
        state = Mutex(Parts(run: run, cold: Self.cold([], disk)))
    }

    var parts: Parts { state.withLock { $0 } }

    private static func cold(_ segments: [ColdSegment], _ disk: any Disk) -> ColdRun {
        ColdRun(
            segments, disk: disk, indexIntervalBytes: LogConfiguration().indexIntervalBytes)
    }

    /// Goes on in the cold segments where the topic's own begin.
    ///
    /// - Throws: `.coldGap`
    func prepend(_ index: ColdIndex) throws(LogError) {
        let start = parts.run.start
        let cold = Self.cold(try index.segments(of: topic, before: start), disk)
        state.withLock { parts in
            parts.cold = cold
            parts.run.segments = cold.segments + parts.run.segments
        }
    }

    /// Runs `body` with what lies where. A segment that it finds gone and that was moved meanwhile
    /// is read in its cold folder: `body` runs again then, as often as there are such.
    func reading<Value>(_ body: (Parts) throws(LogError) -> Value) throws(LogError) -> Value {
        while true {
            let parts = parts
            do throws(LogError) {
                return try parts.cold.reading { () throws(LogError) in try body(parts) }
            } catch {
                guard try follow(error) else { throw error }
            }
        }
    }

    /// Looks for a segment of the topic's own folder that was not found, and goes on where it was
    /// moved to.
    ///
    /// - Returns: whether it was moved.
    func follow(_ error: LogError) throws(LogError) -> Bool {
        guard case .disk(let failure) = error, failure.isMissing, let log,
            failure.path.hasPrefix(folder + "/"),
            let base = SegmentName.baseOffset(
                ofLog: String(failure.path.dropFirst(folder.count + 1))),
            let index = try ColdIndex.read(ofLog: log, identity: identity, on: disk)
        else { return false }
        return state.withLock { parts in
            // Whoever reads beside this one may have found it.
            if parts.cold.segments.contains(where: { $0.baseOffset == base }) { return true }
            let own = parts.run.segments.dropFirst(parts.cold.segments.count)
            guard let start = own.first?.baseOffset else { return false }
            // What lies before one that is gone is gone too: they go from the front.
            let moved = index.segments(of: topic, from: start).prefix { $0.baseOffset <= base }
            let kept = own.drop { $0.baseOffset <= base }
            guard moved.last?.baseOffset == base, moved.last?.end == kept.first?.baseOffset else {
                return false
            }
            parts.cold.append(Self.cold(Array(moved), disk))
            parts.run.segments = parts.cold.segments + kept
            return true
        }
    }
}
