import AppendLog
import CRDKafka

/// librdkafka's list of partitions with offsets: owned here, lent for a call.
final class KafkaPartitionList {
    private let pointer: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>

    /// - Parameter offsets: an offset, or one of librdkafka's negative marks.
    init(_ offsets: [KafkaPartition: Int64]) {
        guard let list = rd_kafka_topic_partition_list_new(Int32(offsets.count)) else {
            preconditionFailure("no memory for \(offsets.count) partitions")
        }
        pointer = list
        for (partition, offset) in offsets.sorted(by: { $0.key < $1.key }) {
            let entry = rd_kafka_topic_partition_list_add(list, partition.topic, partition.number)
            entry?.pointee.offset = offset
        }
    }

    convenience init(_ offsets: [KafkaPartition: Offset]) {
        self.init(offsets.mapValues(\.rawValue))
    }

    convenience init(_ partitions: [KafkaPartition]) {
        let marks = partitions.map { ($0, Int64(RD_KAFKA_OFFSET_INVALID)) }
        self.init(Dictionary(marks) { first, _ in first })
    }

    convenience init(topics: [String]) {
        self.init(topics.map { KafkaPartition($0, RD_KAFKA_PARTITION_UA) })
    }

    deinit { rd_kafka_topic_partition_list_destroy(pointer) }

    func lend<Result>(
        _ body: (UnsafeMutablePointer<rd_kafka_topic_partition_list_t>) -> Result
    ) -> Result {
        body(pointer)
    }

    /// One partition, where it stands, and what went wrong with it.
    struct Entry {
        var partition: KafkaPartition
        var offset: Int64
        var failure: KafkaAnswer?
    }

    var entries: [Entry] { Self.entries(in: pointer) }

    /// Only what has an offset; the others are left out, so that nobody takes none for 0.
    var offsets: [KafkaPartition: Offset] {
        var result: [KafkaPartition: Offset] = [:]
        for entry in entries where entry.offset >= 0 && entry.failure == nil {
            result[entry.partition] = Offset(entry.offset)
        }
        return result
    }

    /// The first partition with which something went wrong.
    var failed: Entry? { entries.first { $0.failure != nil } }

    static func entries(
        in list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?
    ) -> [Entry] {
        guard let list = list?.pointee else { return [] }
        // SAFETY: librdkafka's array has as many elements as it says.
        return UnsafeBufferPointer(start: list.elems, count: Int(list.cnt)).map { element in
            let code = element.err
            return Entry(
                partition: KafkaPartition(String(cString: element.topic), element.partition),
                offset: element.offset,
                failure: code == RD_KAFKA_RESP_ERR_NO_ERROR ? nil : KafkaAnswer(code))
        }
    }

    static func partitions(
        in list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?
    ) -> [KafkaPartition] {
        entries(in: list).map(\.partition)
    }
}
