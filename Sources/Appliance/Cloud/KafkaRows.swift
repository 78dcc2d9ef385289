import AppendLog
import Bridges
import Vocabulary

/// Rows of the ledger as their topics have them. What is in the topic is the truth about what was
/// published: a note of it elsewhere could expire, or be of a transaction that never came to its
/// end.
struct KafkaRows {
    private let reader: KafkaReader
    private let topics: KafkaAdmin
    private let names: KafkaNames

    init(_ configuration: KafkaConfiguration, names: KafkaNames) throws(KafkaError) {
        reader = try KafkaReader(configuration, group: names.group("rows"))
        topics = try KafkaAdmin(configuration)
        self.names = names
    }

    /// The highest row in any partition: they come out in their order, each transaction's together,
    /// by one instance at a time.
    func last(in topic: TopicID, within patience: Duration) throws(KafkaError) -> Int64? {
        var last: Int64?
        let name = names.topic(topic)
        guard let found = try topics.describe([name], within: patience)[name] else {
            throw .topicMissing(name)
        }
        for number in 0..<found.partitions {
            let partition = KafkaPartition(name, number)
            guard let row = try self.last(of: partition, patience) else { continue }
            last = max(row, last ?? row)
        }
        return last
    }

    /// Looks further and further back: what people decided stands among the rows.
    private func last(
        of partition: KafkaPartition, _ patience: Duration
    ) throws(KafkaError) -> Int64? {
        var count = 16
        while true {
            let records = try reader.tail(of: partition, count: count, within: patience)
            if let row = records.lazy.compactMap({ Self.row($0.record) }).max() { return row }
            if records.count < count { return nil }
            count *= 16
        }
    }

    /// The row that a record is of; nil for what people decided.
    private static func row(_ record: Record) -> Int64? {
        guard let text = record.text(SourcedRecord.headerName), let number = Int64(text),
            number > 0
        else { return nil }
        return number
    }
}
