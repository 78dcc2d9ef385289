package import AppendLog
import Appliance
package import Bridges
import Foundation
package import Vocabulary

/// The topics at Kafka for who only looks: one partition at a time, as it is when it is asked for.
/// What is read is committed. Blocking; those who ask at once wait for each other.
package final class KafkaLog: @unchecked Sendable {
    // `@unchecked Sendable`: `records` and `scores` are asked, and replaced, only under `lock`.
    private let lock = NSLock()
    private let configuration: KafkaConfiguration
    /// Writes nothing under this group; its name is one that the broker allows to this client.
    private var records: KafkaReader
    /// Knows how far the score role is.
    private var scores: KafkaReader
    private let names: KafkaNames
    /// Of every topic.
    package let partitions: Int32

    /// What one question may take.
    fileprivate let answerPatience: Duration

    /// Opens nothing yet.
    ///
    /// - Parameter answerPatience: what one question may take; somebody waits for the page.
    package init(
        _ configuration: KafkaConfiguration, names: KafkaNames, partitions: Int32,
        answerPatience: Duration = .seconds(5)
    ) throws(KafkaError) {
        self.answerPatience = answerPatience
        let group = Self.group(names)
        self.configuration = configuration
        records = try KafkaReader(configuration, group: group)
        scores = try KafkaReader(configuration, group: group)
        self.names = names
        self.partitions = partitions
    }

    /// Every partition of every topic, in order.
    package var lanes: [SourceLane] {
        TopicID.allCases.flatMap { topic in
            (0..<partitions).map { SourceLane(topic: topic, partition: $0) }
        }
    }

    /// A partition with the ends that it has now.
    package func reader(_ lane: SourceLane) throws(StoreFailure) -> TopicReader {
        let ends = try ends(of: lane)
        let own = Partition(
            log: self, partition: names.partition(lane), start: ends.first, end: ends.stableEnd)
        return TopicReader(own) { StoreFailure($0) }
    }

    /// The oldest offset that is kept, and the one behind the last that is committed.
    package func ends(
        of lane: SourceLane
    ) throws(StoreFailure) -> (first: Offset, stableEnd: Offset) {
        try asked { () throws(KafkaError) in
            try records.ends(of: names.partition(lane), within: answerPatience)
        }
    }

    /// Where the score role goes on, by partition; one that it has never read is not in it.
    package func scored() throws(StoreFailure) -> [SourceLane: Offset] {
        let wanted = CloudStage<RedisFeatures>.inputs.flatMap {
            names.partitions(of: $0, count: partitions)
        }
        let found = try asked { () throws(KafkaError) in
            try scores.committed(wanted, within: answerPatience)
        }
        var places: [SourceLane: Offset] = [:]
        for (partition, next) in found {
            if let lane = names.lane(partition) { places[lane] = next }
        }
        return places
    }

    private func asked<Value>(
        _ body: () throws(KafkaError) -> Value
    ) throws(StoreFailure) -> Value {
        do throws(KafkaError) { return try alone(body) } catch { throw StoreFailure(error) }
    }

    /// One question at a time, by readers that know who is to be trusted.
    fileprivate func alone<Value>(
        _ body: () throws(KafkaError) -> Value
    ) throws(KafkaError) -> Value {
        lock.lock()
        defer { lock.unlock() }
        if records.isOutdated { records = try anew() }
        if scores.isOutdated { scores = try anew() }
        return try body()
    }

    private func anew() throws(KafkaError) -> KafkaReader {
        try KafkaReader(configuration, group: Self.group(names))
    }

    private static func group(_ names: KafkaNames) -> String {
        names.group(CloudStage<RedisFeatures>.name)
    }

    private struct Partition: RecordReading {
        typealias Failure = KafkaError

        let log: KafkaLog
        let partition: KafkaPartition
        let start: Offset
        let end: Offset

        func read(
            from offset: Offset, byteCountMax: Int
        ) throws(KafkaError) -> [StoredRecord] {
            let from = max(offset, start)
            guard from < end else { return [] }
            return try log.alone { () throws(KafkaError) in
                var found: [StoredRecord] = []
                try log.records.read(
                    partition, from: from, to: end, bytesMax: byteCountMax,
                    within: log.answerPatience
                ) { batch in
                    found = batch.records
                    return false
                }
                return found
            }
        }

        func offset(at timestamp: Timestamp) throws(KafkaError) -> Offset? {
            try log.alone { () throws(KafkaError) in
                try log.records.offset(of: partition, at: timestamp, within: log.answerPatience)
            }
        }
    }
}
