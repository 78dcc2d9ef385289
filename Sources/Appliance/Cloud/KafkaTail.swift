package import AppendLog
import Appliance
package import Bridges
import Foundation
package import Vocabulary

/// What comes into some topics from now on, for who only looks: a consumer without a group, which
/// begins at the end of every partition and holds nobody up.
///
/// A take is bounded, whatever the rate of the topics: who is further behind than that is put to
/// the end, and told how much was passed over.
///
///     take: records … up to `recordsMax` ─▶ more than that left? put to the end, `passed`
///     the broker is away: the take throws; the next one goes on where this one was
package final class KafkaTail: @unchecked Sendable {
    // `@unchecked Sendable`: everything that changes is touched only under `lock`.
    /// What came since the take before.
    package struct Piece: Sendable {
        /// Those of one partition in their order.
        package var records: [(lane: SourceLane, stored: StoredRecord)] = []
        /// Offsets that were passed over by topic; Kafka's own markers are among them.
        package var passed: [TopicID: Int64] = [:]
    }

    private let lock = NSLock()
    private let configuration: KafkaConfiguration
    private let names: KafkaNames
    private let lanes: [SourceLane]
    private let recordsMax: Int
    private var consumer: KafkaConsumer?
    private var reader: KafkaReader?
    /// Where each partition goes on; empty before the first take.
    private var next: [SourceLane: Offset] = [:]
    /// What a take met behind its records; the next one throws it.
    private var met: KafkaError?

    /// Bytes that are asked of the client at once.
    private static let bytesMax = 64 << 10
    /// What is fetched ahead of the takes, all partitions together.
    private static let queueBytesMax = 2 << 20
    /// What one question for ends may take.
    private static let answerPatience = Duration.seconds(2)

    /// Opens nothing yet.
    ///
    /// - Parameters:
    ///   - partitions: of every topic.
    ///   - recordsMax: records that one take hands out, about.
    package init(
        _ configuration: KafkaConfiguration, names: KafkaNames, topics: [TopicID],
        partitions: Int32, recordsMax: Int = 500
    ) {
        var configuration = configuration
        configuration.consumerQueueBytesMax = max(
            Self.queueBytesMax, configuration.messageBytesMax)
        self.configuration = configuration
        self.names = names
        self.recordsMax = recordsMax
        lanes = topics.flatMap { topic in
            (0..<partitions).map { SourceLane(topic: topic, partition: $0) }
        }
    }

    /// What has come since the last take; the first one only notes where the ends are. It waits
    /// for no record, and for an answer of the broker's at the beginning and where it is put to
    /// the end. Blocking.
    ///
    /// - Throws: `StoreFailure`; the next take goes on where this one began, or as near to that as
    ///   the topic still has.
    package func take() throws(StoreFailure) -> Piece {
        lock.lock()
        defer { lock.unlock() }
        var piece = Piece()
        do throws(KafkaError) {
            if let error = met {
                met = nil
                throw error
            }
            let consumer = try opened()
            try fill(&piece, from: consumer)
            if piece.records.count >= recordsMax { try skip(&piece, consumer) }
            return piece
        } catch {
            // What was taken already is handed out first.
            guard piece.records.isEmpty else {
                met = error
                return piece
            }
            // Where it was is in `next`: another client goes on from there.
            if !error.isRetryable || consumer?.isOutdated == true {
                (consumer, reader) = (nil, nil)
            }
            if case .offsetOutOfRange(let partition, _) = error, let lane = names.lane(partition) {
                next[lane] = nil
            }
            throw StoreFailure(error)
        }
    }

    private func fill(_ piece: inout Piece, from consumer: KafkaConsumer) throws(KafkaError) {
        // An end is told for each partition that was read to it.
        var looksLeft = recordsMax + lanes.count
        while piece.records.count < recordsMax, looksLeft > 0 {
            looksLeft -= 1
            switch try consumer.next(bytesMax: Self.bytesMax, within: .zero) {
            case .records(let batch):
                guard let lane = names.lane(batch.partition) else { continue }
                piece.records += batch.records.map { (lane: lane, stored: $0) }
                next[lane] = batch.next
            case .endOfPartition(let partition, let offset):
                if let lane = names.lane(partition) { next[lane] = offset }
            case .assigned, .revoked, .lost: continue
            case .nothing: return
            }
        }
    }

    /// Goes on at the ends where too much is left.
    private func skip(_ piece: inout Piece, _ consumer: KafkaConsumer) throws(KafkaError) {
        let ends = try ends(of: lanes)
        let left = ends.reduce(0) { left, end in
            left + max(0, (next[end.key] ?? end.value).distance(to: end.value))
        }
        guard left > recordsMax else { return }
        for (lane, end) in ends { pass(to: end, in: lane, &piece) }
        try assign(consumer)
    }

    private func pass(to end: Offset, in lane: SourceLane, _ piece: inout Piece) {
        if let place = next[lane], place < end {
            piece.passed[lane.topic, default: 0] += place.distance(to: end)
        }
        next[lane] = end
    }

    /// The consumer at its places; those that have none begin at the end.
    private func opened() throws(KafkaError) -> KafkaConsumer {
        if let consumer, next.count == lanes.count { return consumer }
        let ends = try ends(of: lanes.filter { next[$0] == nil })
        for (lane, end) in ends { next[lane] = end }
        let own: KafkaConsumer
        if let consumer {
            own = consumer
        } else {
            own = try KafkaConsumer(configuration, group: group)
        }
        consumer = own
        try assign(own)
        return own
    }

    /// Nothing is written under it; its name is one that the broker allows to this client.
    private var group: String { names.group(CloudStage<RedisFeatures>.name) }

    private func assign(_ consumer: KafkaConsumer) throws(KafkaError) {
        try consumer.assign(
            Dictionary(
                uniqueKeysWithValues: next.map { (names.partition($0.key), .offset($0.value)) }))
    }

    private func ends(of lanes: [SourceLane]) throws(KafkaError) -> [SourceLane: Offset] {
        let own: KafkaReader
        if let reader { own = reader } else { own = try KafkaReader(configuration, group: group) }
        reader = own
        var ends: [SourceLane: Offset] = [:]
        for lane in lanes {
            ends[lane] = try own.ends(
                of: names.partition(lane), within: Self.answerPatience
            ).stableEnd
        }
        return ends
    }
}
