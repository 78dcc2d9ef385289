package import AppendLog
import Bridges
package import Vocabulary

/// Copies every topic of the local log to Kafka: keys, values, headers and times as they are, the
/// partition by the key, each record once.
///
/// One transaction takes a run of all topics together with the offset that the local log is read
/// from next, so that both are there or neither. Where that offset has expired, or the broker has
/// lost what it had acknowledged, the partitions themselves say what they have (`KafkaFloors`).
package final class KafkaTarget: RelayTarget {
    package let topics = TopicID.allCases

    private let makePlace: @Sendable () throws(RelayFailure) -> KafkaPlace
    private var place: KafkaPlace?
    private var producer: KafkaTransactionalProducer?
    private var found: [TopicID: KafkaPositions.Found] = [:]
    private var log = ""
    /// How often in a row somebody else has taken over the transactional id.
    private var fencedCount = 0

    /// Records of one transaction at most: fewer where the broker is too slow for more.
    private var partCount = KafkaTarget.partCounts.upperBound
    private static let partCounts = 64...16_384

    /// How long one blocking call may take while it is opened, one of a transaction's before it is
    /// told what it waits for, and one transaction in all.
    private static let patience: Duration = .seconds(3)
    private static let answerPatience: Duration = .seconds(2)
    private static let transactionPatience: Duration = .seconds(30)
    /// Once may be this bridge's own past; a producer that comes again and again is another daemon.
    private static let fencedCountMax = 3

    /// - Parameter place: asked at each opening, so that a new password needs no restart.
    package init(_ place: @escaping @Sendable () throws(RelayFailure) -> KafkaPlace) {
        makePlace = place
    }

    // MARK: Opening

    package func open(
        _ source: RelaySource, during attempt: RelayAttempt
    ) async throws(RelayFailure) -> [TopicID: Offset] {
        let place = try makePlace()
        try checkTopics(place, source)
        let producer = try RelayFailure.of { () throws(KafkaError) in
            // It ends whatever a predecessor has left open, before anything is looked at.
            let producer = try KafkaTransactionalProducer(
                place.configuration, transactionalID: place.group(of: source.log))
            try Self.start(producer, attempt)
            return producer
        }
        let positions = KafkaPositions(place: place, source: source, patience: Self.patience)
        let found = try positions.find(attempt.isStopping)
        (self.place, self.producer, self.found, log) = (place, producer, found, source.log)
        return found.reduce(into: [:]) { places, entry in
            places[entry.key] = entry.value.floors.resume(from: source[entry.key].start)
        }
    }

    /// What a predecessor has left open may take a while to end, and is told of meanwhile.
    private static func start(
        _ producer: KafkaTransactionalProducer, _ attempt: RelayAttempt
    ) throws(KafkaError) {
        let deadline = ContinuousClock.now + transactionPatience
        while true {
            do throws(KafkaError) {
                return try producer.start(within: patience)
            } catch {
                guard error.isRetryable, ContinuousClock.now < deadline, !attempt.isStopping()
                else { throw error }
                attempt.waits("\(error)")
            }
        }
    }

    /// Makes the topics that are missing, and refuses those that are otherwise.
    private func checkTopics(
        _ place: KafkaPlace, _ source: RelaySource
    ) throws(RelayFailure) {
        let age = try oldestAge(source)
        let prepared = try RelayFailure.of { () throws(KafkaError) in
            try KafkaAdmin(place.configuration).prepare(
                place.wantedTopics, oldestRecordAge: age, within: Self.patience,
                creatingWithin: Self.transactionPatience)
        }
        if let first = prepared.refusals.first { throw .permanent("\(first)") }
    }

    /// How old the oldest record of the local log is.
    private func oldestAge(_ source: RelaySource) throws(RelayFailure) -> Duration? {
        let now = SystemLogClock().now().milliseconds
        var age: Int64?
        for topic in TopicID.allCases {
            let reader = source[topic]
            guard let first = try source.record(topic, at: reader.start) else { continue }
            age = max(age ?? 0, now - first.timestamp.milliseconds)
        }
        return age.map { .milliseconds($0) }
    }

    package func close() async {
        producer = nil
        found = [:]
    }

    // MARK: Delivering

    /// One record on its way.
    private struct Item {
        var topic: TopicID
        var offset: Offset
        /// nil for what Kafka has already: only the position moves.
        var outgoing: KafkaOutgoing?
    }

    package func deliver(
        _ run: RelayRun, during attempt: RelayAttempt
    ) async throws(RelayFailure) -> [TopicID: Offset] {
        guard let place else { throw .passing("the Kafka bridge is not open") }
        var items: [Item] = []
        items.reserveCapacity(run.count)
        for topic in TopicID.allCases {
            for stored in run.records[topic] ?? [] { items.append(item(stored, topic, place)) }
        }
        var rest = items[...]
        while !rest.isEmpty {
            let part = rest.prefix(partCount)
            try send(part, place, attempt)
            rest = rest.dropFirst(part.count)
            if part.count == partCount {
                partCount = min(partCount * 2, Self.partCounts.upperBound)
            }
        }
        fencedCount = 0
        return run.next
    }

    private func item(_ stored: StoredRecord, _ topic: TopicID, _ place: KafkaPlace) -> Item {
        let record = stored.record
        let partition = KafkaPartitioner.partition(ofKey: record.key, count: place.partitions)
        var item = Item(topic: topic, offset: stored.offset)
        if found[topic]?.floors.has(stored.offset, in: partition) == true { return item }
        guard record.byteCount <= place.recordBytesMax else {
            item.outgoing = letter(insteadOf: stored, topic, place)
            return item
        }
        item.outgoing = KafkaOutgoing(
            record, to: place.names.topic(topic), partition: partition,
            extraHeaders: CopyHeader.headers(log: log, offset: stored.offset))
        return item
    }

    /// Sends everything in one transaction; what the broker finds too large is searched for by
    /// halves and told of, so that it blocks nobody.
    private func send(
        _ items: ArraySlice<Item>, _ place: KafkaPlace, _ attempt: RelayAttempt
    ) throws(RelayFailure) {
        guard !items.isEmpty else { return }
        guard let refused = try transact(items, place, attempt) else { return }
        guard items.count > 1 else {
            // A letter of the log is a record like others; one that already stands for another
            // record has no place to be told of in.
            guard let item = items.first, item.outgoing?.isInstead == false
            else { throw .permanent("\(refused)") }
            var told = item
            told.outgoing = letter(
                insteadOf: StoredRecord(
                    offset: item.offset, record: item.outgoing?.record ?? .empty),
                item.topic, place)
            if let again = try transact([told], place, attempt) {
                throw .permanent("\(again)")
            }
            return
        }
        let middle = items.startIndex + items.count / 2
        try send(items[..<middle], place, attempt)
        try send(items[middle...], place, attempt)
    }

    /// - Returns: why the broker finds a record too large; nil where everything is committed.
    private func transact(
        _ items: ArraySlice<Item>, _ place: KafkaPlace, _ attempt: RelayAttempt
    ) throws(RelayFailure) -> KafkaError? {
        guard let producer else { throw .passing("the Kafka bridge is not open") }
        var offsets: [KafkaPartition: Offset] = [:]
        for item in items {
            // What is passed over again, because a partition lacks something, is no step back.
            offsets[place.positionPlace(of: item.topic)] = max(
                item.offset.advanced(by: 1), found[item.topic]?.committed ?? .zero)
        }
        var outcome = producer.transact(
            items.compactMap(\.outgoing), offsets: offsets,
            group: .withoutMembers(place.group(of: log)), within: Self.answerPatience)
        let deadline = ContinuousClock.now + Self.transactionPatience
        while case .unfinished(let error) = outcome, ContinuousClock.now < deadline,
            !attempt.isStopping()
        {
            attempt.waits("\(error)")
            outcome = producer.resume(within: Self.answerPatience)
        }
        switch outcome {
        case .committed: return nil
        case .refused(let error):
            if case .messageTooLarge = error { return error }
            throw Self.gone(error) ?? RelayFailure(error)
        case .aborted(let error), .unfinished(let error), .recreate(let error):
            partCount = max(partCount / 2, Self.partCounts.lowerBound)
            throw .passing("\(error)")
        case .fenced(let error): throw fenced(error)
        }
    }

    /// The topics were there when it was opened: somebody has deleted one, perhaps on purpose.
    ///
    /// - Returns: nil where it is something else.
    private static func gone(_ error: KafkaError) -> RelayFailure? {
        let topic: String
        switch error {
        case .topicMissing(let name): topic = name
        case .partitionMissing(let partition): topic = partition.topic
        default: return nil
        }
        return .permanent(
            "the Kafka topic \(topic) was deleted, or made anew with fewer partitions, while it "
                + "was copied to; `tillbox bridge resume kafka` makes it again where it is "
                + "missing, and copies to it all that the log still has")
    }

    private func fenced(_ error: KafkaError) -> RelayFailure {
        fencedCount += 1
        guard fencedCount >= Self.fencedCountMax else { return .passing("\(error)") }
        return .permanent(
            "another daemon copies this log to the same Kafka topics: two folders are copies of "
                + "one another; stop one of the daemons, or give it a folder of its own "
                + "(\(error))")
    }

    // MARK: Too large

    /// What stands in Kafka's dead.letter in place of a record that does not fit: where it is.
    private func letter(
        insteadOf stored: StoredRecord, _ topic: TopicID, _ place: KafkaPlace
    ) -> KafkaOutgoing? {
        // It was told of in an earlier run: the position had passed it.
        if found[topic]?.isTold(stored.offset) == true { return nil }
        let failed = stored.record
        let source = SourcePlace(topic: topic, offset: stored.offset)
        let record = DeadLetter(
            of: source, stage: BridgeName.kafka.group, reason: "message_too_large",
            detail: "\(failed.byteCount) bytes; it stays in the log of the box"
        ).record(
            key: failed.key?.prefix(Self.letterKeyBytesMax), value: nil,
            eventID: failed.text("event-id"), timestamp: failed.timestamp)
        return KafkaOutgoing(
            record, to: place.names.topic(.deadLetter),
            partition: KafkaPartitioner.partition(ofKey: record.key, count: place.partitions),
            extraHeaders: [
                RecordHeader(CopyHeader.log, log), CopyHeader.instead(of: source),
            ])
    }

    /// Bytes of a key that a letter keeps.
    private static let letterKeyBytesMax = 1_024

    // MARK: Verifying

    package func verify(
        _ source: RelaySource
    ) async throws(RelayFailure) -> BridgeVerification {
        let place = try makePlace()
        return try KafkaComparison(place: place, source: source, patience: Self.patience).run()
    }
}

extension KafkaOutgoing {
    /// Whether it is a letter in place of a record that is too large.
    fileprivate var isInstead: Bool { extraHeaders.contains { $0.name == CopyHeader.instead } }
}

extension Record {
    fileprivate static var empty: Record {
        Record(key: nil, value: nil, timestamp: Timestamp(milliseconds: 0))
    }

    /// Key, value and headers together.
    var byteCount: Int {
        (key?.count ?? 0) + (value?.count ?? 0)
            + headers.reduce(0) { $0 + $1.name.utf8.count + ($1.value?.count ?? 0) + 8 }
    }
}
