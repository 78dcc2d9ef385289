import AppendLog
package import Appliance
package import Bridges
package import Vocabulary

/// `dead.letter` at Kafka, partition by partition, and the records that its letters came from. What
/// is read is committed, and held in pieces of a scan's size. Blocking.
package final class KafkaLetterSource: @unchecked Sendable {
    // `@unchecked Sendable`: only one redriver asks it, which does one thing after the other.
    private let reader: KafkaReader
    private let topics: KafkaAdmin
    private let names: KafkaNames

    /// Topics that a role reads. What was validated is scored in the same transaction, so that
    /// nothing of ours reads `payment.validated`.
    package static let targets: [TopicID] = [
        .webhookReceived, .paymentFeatures, .paymentScored, .paymentReview,
    ]

    package init(
        _ configuration: KafkaConfiguration, names: KafkaNames
    ) throws(KafkaError) {
        reader = try KafkaReader(configuration, group: names.group(RedriveStage.name))
        topics = try KafkaAdmin(configuration)
        self.names = names
    }

    /// The same for a redriver.
    ///
    /// - Parameter sizes: for one that only foretells; nil where they are not known.
    package func source(foretellingBy sizes: KafkaSizes?) -> LetterSource {
        LetterSource(
            letters: { () throws(StoreFailure) in try self.letters() },
            lane: { lane in self.topicReader(self.names.partition(lane)) },
            targets: Self.targets, tooLarge: { record, topic in
                sizes?.refusal(of: record, to: topic)
            })
    }

    /// What one question to Kafka may take.
    private static let answerPatience = Duration.seconds(20)
    /// What other transactions may take that hide orders behind them: a broker ends each after a
    /// transaction's time.
    private static let settlingPatience = Duration.seconds(60)

    private func letters() throws(StoreFailure) -> [TopicReader] { try lanes(of: .deadLetter) }

    /// All partitions of a topic, with whatever was committed in them by now.
    package func lanes(of topic: TopicID) throws(StoreFailure) -> [TopicReader] {
        do throws(KafkaError) {
            let partitions = try partitions(of: topic)
            try reader.settle(partitions, within: Self.settlingPatience)
            return partitions.map(topicReader)
        } catch {
            throw StoreFailure(error)
        }
    }

    private func partitions(of topic: TopicID) throws(KafkaError) -> [KafkaPartition] {
        let name = names.topic(topic)
        let found = try topics.describe([name], within: Self.answerPatience)
        guard let topic = found[name] else { throw .topicMissing(name) }
        return (0..<topic.partitions).map { KafkaPartition(name, $0) }
    }

    /// A dead letter; nil where none is.
    package func letter(at place: SourcePlace) throws(StoreFailure) -> StoredLetter? {
        let count: Int
        do throws(KafkaError) { count = try partitions(of: .deadLetter).count } catch {
            throw StoreFailure(error)
        }
        guard place.partition < count, let record = try record(at: place) else { return nil }
        return StoredLetter(
            StoredRecord(offset: place.offset, record: record), partition: place.partition)
    }

    private func record(at place: SourcePlace) throws(StoreFailure) -> Record? {
        try topicReader(names.partition(place.lane)).record(at: place.offset)
    }

    private func topicReader(_ partition: KafkaPartition) -> TopicReader {
        TopicReader(Lane(reader: reader, partition: partition)) { StoreFailure($0) }
    }

    /// One partition. Its ends are asked for with each reading, since both of them move.
    private struct Lane: RecordReading, @unchecked Sendable {
        // `@unchecked Sendable`: as the source.
        typealias Failure = KafkaError

        let reader: KafkaReader
        let partition: KafkaPartition

        var start: Offset { .zero }
        var end: Offset { .largest }

        func read(
            from offset: Offset, byteCountMax: Int
        ) throws(KafkaError) -> [StoredRecord] {
            let ends = try reader.ends(of: partition, within: answerPatience)
            let from = max(offset, ends.first)
            guard from < ends.stableEnd else { return [] }
            var records: [StoredRecord] = []
            try reader.read(
                partition, from: from, to: ends.stableEnd, bytesMax: byteCountMax,
                within: answerPatience
            ) { batch in
                records = batch.records
                return false
            }
            return records
        }

        func offset(at timestamp: Timestamp) throws(KafkaError) -> Offset? {
            try reader.offset(of: partition, at: timestamp, within: answerPatience)
        }
    }
}
