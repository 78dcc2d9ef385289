import AppendLog
import Bridges
import Vocabulary

/// Reads every partition again beside the local log: each record of the log must be there once, in
/// its order, with its key, value, headers and time, and nothing else.
///
/// A record that Kafka found too large when it was copied is told of by a letter instead, and is
/// left out; whether it would fit by now does not matter.
///
/// What has been copied since it began is left out, so that it can run while the bridge does.
struct KafkaComparison {
    let place: KafkaPlace
    let source: RelaySource
    let patience: Duration

    func run() throws(RelayFailure) -> BridgeVerification {
        let positions = KafkaPositions(place: place, source: source, patience: patience)
        let found = try positions.find { false }
        let reader = try RelayFailure.of { () throws(KafkaError) in
            try KafkaReader(place.configuration, group: place.group(of: source.log))
        }
        let told = try told(reader)
        var verification = BridgeVerification()
        for topic in TopicID.allCases {
            guard let entry = found[topic] else { continue }
            let known = entry.committed ?? entry.floors.highest?.advanced(by: 1)
            let end = known ?? .zero
            var sides = Sides(told: told)
            if known == nil, source[topic].start < source[topic].end {
                sides.note(
                    "\(place.names.topic(topic)) has nothing of this log, nor a position of it: it "
                        + "was made anew, or the bridge has never run")
            }
            for partition in place.partitions(of: topic) {
                try compare(partition, topic, upTo: end, reader, &sides)
            }
            verification.parts.append(sides.part(named: topic.rawValue))
            verification.firstDifference = verification.firstDifference ?? sides.firstDifference
        }
        return verification
    }

    /// Offsets that are read in one go, and how long that may take.
    private static let windowCount: Int64 = 10_000
    private static let windowPatience: Duration = .seconds(60)

    /// The places that letters of this log name.
    private func told(_ reader: KafkaReader) throws(RelayFailure) -> Set<SourcePlace> {
        var told: Set<SourcePlace> = []
        for partition in place.partitions(of: .deadLetter) {
            try read(partition, reader) { stored throws(RelayFailure) in
                guard stored.record.text(CopyHeader.log) == source.log,
                    let place = CopyHeader.placeInstead(in: stored.record)
                else { return }
                told.insert(place)
            }
        }
        return told
    }

    private func compare(
        _ partition: KafkaPartition, _ topic: TopicID, upTo end: Offset, _ reader: KafkaReader,
        _ sides: inout Sides
    ) throws(RelayFailure) {
        var local = LocalPartition(
            source: source, topic: topic, partition: partition.number, count: place.partitions,
            end: end, bytesMax: place.recordBytesMax)
        try read(partition, reader) { stored throws(RelayFailure) in
            try meet(stored, partition, upTo: end, &local, &sides)
        }
        while let missing = try local.next() { sides.addMissing(missing, topic, partition) }
    }

    /// Every committed record of a partition, one by one.
    private func read(
        _ partition: KafkaPartition, _ reader: KafkaReader,
        _ body: (StoredRecord) throws(RelayFailure) -> Void
    ) throws(RelayFailure) {
        let ends = try RelayFailure.of { () throws(KafkaError) in
            try reader.ends(of: partition, within: patience)
        }
        var failure: RelayFailure?
        var next = ends.first
        while next < ends.stableEnd, failure == nil {
            let from = next
            next = min(from.advanced(by: Self.windowCount), ends.stableEnd)
            try RelayFailure.of { () throws(KafkaError) in
                try reader.read(partition, from: from, to: next, within: Self.windowPatience) {
                    do throws(RelayFailure) {
                        for stored in $0.records { try body(stored) }
                        return true
                    } catch {
                        failure = error
                        return false
                    }
                }
            }
        }
        if let failure { throw failure }
    }

    private func meet(
        _ stored: StoredRecord, _ partition: KafkaPartition, upTo end: Offset,
        _ local: inout LocalPartition, _ sides: inout Sides
    ) throws(RelayFailure) {
        let copy = stored.record
        guard let copied = CopyHeader.source(of: copy) else {
            // A letter in place of a record that is too large; the log has none for it.
            if CopyHeader.placeInstead(in: copy) == nil {
                sides.note("\(partition) offset \(stored.offset) was copied by no bridge")
            }
            return
        }
        guard copied.offset < end else { return }
        let bare = Record(
            key: copy.key, value: copy.value,
            headers: copy.headers.filter {
                $0.name != CopyHeader.log && $0.name != CopyHeader.offset
            },
            timestamp: copy.timestamp)
        sides.addTarget(bare, copied.offset)
        let name = local.topic.rawValue
        while let next = try local.peek(), next.offset < copied.offset {
            sides.addMissing(next, local.topic, partition)
            local.advance()
        }
        guard let own = try local.peek(), own.offset == copied.offset else {
            return sides.note(
                "\(partition) offset \(stored.offset) is \(name)/\(copied.offset) again, or out "
                    + "of its order")
        }
        sides.addLocal(own.record, own.offset)
        local.advance()
        guard own.record != bare else { return }
        sides.note("\(name)/\(copied.offset) is another record in \(partition)")
    }

    /// What both sides of a topic come to.
    private struct Sides {
        private var local = (count: Int64(0), digest: UInt64(0))
        private var target = (count: Int64(0), digest: UInt64(0))
        private(set) var firstDifference: String?
        /// Places of records that a letter stands for.
        private let told: Set<SourcePlace>

        init(told: Set<SourcePlace>) { self.told = told }

        /// A record of the log that the partition does not have.
        mutating func addMissing(
            _ stored: StoredRecord, _ topic: TopicID, _ partition: KafkaPartition
        ) {
            let place = SourcePlace(topic: topic, offset: stored.offset)
            guard !told.contains(place) else { return }
            addLocal(stored.record, stored.offset)
            note("\(place) is not in \(partition)")
        }

        mutating func addLocal(_ record: Record, _ offset: Offset) {
            local = (local.count + 1, local.digest &+ Self.digest(of: record, offset))
        }

        mutating func addTarget(_ record: Record, _ offset: Offset) {
            target = (target.count + 1, target.digest &+ Self.digest(of: record, offset))
        }

        mutating func note(_ difference: String) {
            firstDifference = firstDifference ?? difference
        }

        func part(named name: String) -> BridgeVerification.Part {
            BridgeVerification.Part(
                name: name, localCount: local.count, targetCount: target.count,
                localDigest: String(hex: local.digest),
                targetDigest: String(hex: target.digest))
        }

        /// Summed over all, so that the order of partitions does not matter.
        private static func digest(of record: Record, _ offset: Offset) -> UInt64 {
            var hash = FNV1a()
            add(offset.rawValue, to: &hash)
            add(record.timestamp.milliseconds, to: &hash)
            add(record.key, to: &hash)
            add(record.value, to: &hash)
            for header in record.headers {
                hash.add(header.name.utf8)
                add(header.value, to: &hash)
            }
            return hash.digest
        }

        private static func add(_ number: Int64, to hash: inout FNV1a) {
            for shift in stride(from: 0, to: 64, by: 8) {
                hash.add(UInt8(truncatingIfNeeded: number >> Int64(shift)))
            }
        }

        private static func add(_ bytes: ArraySlice<UInt8>?, to hash: inout FNV1a) {
            add(Int64(bytes?.count ?? -1), to: &hash)
            // Byte by byte here: the generic call would ask a witness for each of them.
            for byte in bytes ?? [] { hash.add(byte) }
        }
    }
}

/// Those records of a local topic that belong in one partition.
private struct LocalPartition {
    let source: RelaySource
    let topic: TopicID
    let partition: Int32
    let count: Int32
    let end: Offset
    /// Larger ones are told of by a letter instead.
    let bytesMax: Int
    private var place: Offset
    private var buffer: ArraySlice<StoredRecord> = []

    init(
        source: RelaySource, topic: TopicID, partition: Int32, count: Int32, end: Offset,
        bytesMax: Int
    ) {
        self.source = source
        self.topic = topic
        self.partition = partition
        self.count = count
        self.end = end
        self.bytesMax = bytesMax
        place = source[topic].start
    }

    mutating func peek() throws(RelayFailure) -> StoredRecord? {
        while buffer.isEmpty, place < end {
            let records = try source.records(topic, from: place, limit: end)
            guard let last = records.last else { return nil }
            place = last.offset.advanced(by: 1)
            buffer = records.filter {
                KafkaPartitioner.partition(ofKey: $0.record.key, count: count) == partition
                    && $0.record.byteCount <= bytesMax
            }[...]
        }
        return buffer.first
    }

    mutating func advance() { buffer.removeFirst() }

    mutating func next() throws(RelayFailure) -> StoredRecord? {
        guard let first = try peek() else { return nil }
        advance()
        return first
    }
}
