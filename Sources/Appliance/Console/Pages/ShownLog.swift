package import AppendLog
import Appliance
import HTTPTypes
package import Vocabulary

/// The log as pages read it, partition by partition: one of each topic in a data folder, several at
/// Kafka. Blocking.
package struct ShownLog: Sendable {
    /// What the list of topics tells of a partition.
    package struct Figures: Sendable {
        /// The topic and its partition.
        package var lane: SourceLane
        /// The first offset that is kept, and the next one.
        package var start, end: Offset
        /// Who reads it, and how many records each has still to read.
        package var readers: [(group: String, lag: Int64)]
        /// Bytes on the disk; nil where they are on another machine's.
        package var byteCount: Int64?

        package init(
            lane: SourceLane, start: Offset, end: Offset, readers: [(group: String, lag: Int64)],
            byteCount: Int64? = nil
        ) {
            (self.lane, self.start, self.end) = (lane, start, end)
            (self.readers, self.byteCount) = (readers, byteCount)
        }
    }

    /// Of every topic.
    let partitionCount: Int32
    /// Where the records are, as the page says it.
    let place: String
    let figures: @Sendable () throws -> [Figures]
    let reader: @Sendable (SourceLane) throws -> TopicReader
    /// Whether its records are on this machine; each that is read of another one takes its time.
    var isNear: Bool

    package init(
        partitionCount: Int32, place: String, figures: @escaping @Sendable () throws -> [Figures],
        reader: @escaping @Sendable (SourceLane) throws -> TopicReader
    ) {
        (self.partitionCount, self.place) = (partitionCount, place)
        (self.figures, self.reader) = (figures, reader)
        isNear = false
    }

    /// Of a data folder.
    init(_ sources: ConsoleSources) {
        self.init(
            partitionCount: 1, place: "each a file on this disk",
            figures: {
                let lags = sources.lags()
                return TopicID.allCases.map { id in
                    let reader = sources.reader(id)
                    return Figures(
                        lane: SourceLane(topic: id, partition: 0), start: reader.start,
                        end: reader.end,
                        readers: lags.filter { $0.topic == id.rawValue }
                            .map { ($0.group, $0.recordCount) },
                        byteCount: sources.byteCount(id))
                }
            }, reader: { sources.reader($0.topic) })
        isNear = true
    }

    /// The partition that a page is asked for; the first one where none is named.
    func lane(_ asked: PageRequest) throws(Problem) -> ShownLane {
        let topic = try RecordPages.topic(asked)
        let word = asked.query("partition") ?? "0"
        guard let partition = QueryNumber.offset(word), partition.rawValue < partitionCount else {
            throw Problem(
                .notFound, "\(topic.rawValue) has the partitions 0 to \(partitionCount - 1)")
        }
        return ShownLane(
            lane: SourceLane(topic: topic, partition: Int32(partition.rawValue)),
            isOnly: partitionCount == 1)
    }
}

/// How pages name a record that they lead to.
enum LogPath {
    /// A page of a topic.
    ///
    /// - Parameters:
    ///   - partition: nil where the topic has one, which nobody names.
    ///   - query: without `?`, and with every value escaped; empty for none.
    static func page(
        _ topic: TopicID, _ partition: Int32?, _ rest: String = "", query: String = ""
    ) -> String {
        ShownLane(
            lane: SourceLane(topic: topic, partition: partition ?? 0), isOnly: partition == nil
        ).path(rest, query: query)
    }

    /// `payment.scored @ 1,204`; of several partitions `payment.scored/2 @ 1,204`.
    static func words(_ topic: TopicID, _ partition: Int32?, _ offset: Offset) -> String {
        topic.rawValue + (partition.map { "/\($0)" } ?? "")
            + " @ \(ShownAmount.grouped(offset.rawValue))"
    }
}

/// A partition in the addresses of its pages.
struct ShownLane: Hashable, Sendable {
    var lane: SourceLane
    /// Whether its topic has no other: addresses leave its number out then.
    var isOnly: Bool

    var topic: TopicID { lane.topic }
    /// nil for the only one.
    var number: String? { isOnly ? nil : "\(lane.partition)" }

    /// A page of this partition.
    ///
    /// - Parameter query: without `?`, and with every value escaped; empty for none.
    func path(_ rest: String = "", query: String = "") -> String {
        let own = isOnly ? "" : "partition=\(lane.partition)"
        let whole = [own, query].filter { !$0.isEmpty }.joined(separator: "&")
        return "/log/\(topic.rawValue)\(rest)" + (whole.isEmpty ? "" : "?\(whole)")
    }
}
