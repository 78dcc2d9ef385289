import AppendLog
import CRDKafka

/// Records that librdkafka has fetched and the consumer has not asked for: owns them, and makes
/// batches of them.
///
/// A batch's keys, values and headers are copied once, into one piece of memory that all of its
/// records share.
final class KafkaFetched {
    /// A record of librdkafka's, which this object frees.
    private struct Held {
        let pointer: UnsafeMutablePointer<rd_kafka_message_t>
        /// Key, value and headers' values; 0 for what is no record.
        let byteCount: Int

        init(_ pointer: UnsafeMutablePointer<rd_kafka_message_t>) {
            self.pointer = pointer
            byteCount = KafkaFetched.byteCount(of: pointer)
        }

        // SAFETY: the message is this object's own from librdkafka's hand until `free`, which its
        // owner calls once, when it takes it out of the list.
        var isRecord: Bool { pointer.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR }
        var partition: KafkaPartition { KafkaFetched.partition(of: pointer) }
        func free() { rd_kafka_message_destroy(pointer) }
    }

    struct Failure {
        var answer: KafkaAnswer
        var partition: KafkaPartition?
        var offset: Offset?
    }

    enum Taken {
        case records(KafkaBatch)
        case end(KafkaPartition, Offset)
        case failure(Failure)
    }

    private let handle: KafkaHandle
    /// The consumer's queue at librdkafka; nil when the consumer has ended.
    private var queue: OpaquePointer?
    private var messages: [Held] = []
    /// Before this one they have been taken.
    private var first = 0

    init(_ handle: KafkaHandle) {
        self.handle = handle
        queue = handle.lend { rd_kafka_queue_get_consumer($0) }
    }

    deinit { end() }

    /// Gives everything back to librdkafka.
    func end() {
        drop { _ in true }
        if let queue { rd_kafka_queue_destroy(queue) }
        queue = nil
    }

    func isEmpty(without paused: Set<KafkaPartition>) -> Bool {
        if paused.isEmpty { return first == messages.count }
        return messages[first...].allSatisfy { paused.contains($0.partition) }
    }

    func holds(_ partition: KafkaPartition) -> Bool {
        messages[first...].contains { $0.partition == partition }
    }

    /// Takes over what librdkafka has, up to about `bytesMax`; where there is nothing, waits for
    /// the first record. Blocking. A group's change ends the wait.
    func fetch(bytesMax: Int, within patience: Duration) {
        compact()
        var byteCount = 0
        if drain(&byteCount, bytesMax) { return }
        let message = handle.lend { client in
            rd_kafka_consumer_poll(client, patience.wholeMilliseconds)
        }
        guard let message else { return }
        let held = Held(message)
        messages.append(held)
        byteCount += held.byteCount
        _ = drain(&byteCount, bytesMax)
    }

    /// - Returns: whether anything was there.
    private func drain(_ byteCount: inout Int, _ bytesMax: Int) -> Bool {
        let before = messages.count
        while byteCount < bytesMax {
            var round = [UnsafeMutablePointer<rd_kafka_message_t>?](repeating: nil, count: 128)
            // A patience of 0: with more, librdkafka waits until the array is full.
            let count = rd_kafka_consume_batch_queue(queue, 0, &round, round.count)
            for case let message? in round.prefix(max(0, count)) {
                let held = Held(message)
                messages.append(held)
                byteCount += held.byteCount
            }
            if count < round.count { break }
        }
        return messages.count > before
    }

    private func compact() {
        messages.removeFirst(first)
        first = 0
    }

    /// Forgets what is held of some partitions.
    func drop(_ isDropped: (KafkaPartition) -> Bool) {
        compact()
        var kept: [Held] = []
        for message in messages {
            if isDropped(message.partition) { message.free() } else { kept.append(message) }
        }
        messages = kept
    }

    /// The next thing: a failure, an end, or a run of records of one partition.
    func take(bytesMax: Int, without paused: Set<KafkaPartition>) -> Taken? {
        if !paused.isEmpty { moveBehind(paused) }
        guard first < messages.count else { return nil }
        let head = messages[first]
        if !paused.isEmpty, paused.contains(head.partition) { return nil }
        if !head.isRecord {
            first += 1
            defer { head.free() }
            return Self.exception(head.pointer)
        }
        gather(bytesMax: bytesMax)
        let (end, byteCount) = run(bytesMax: bytesMax)
        defer {
            for message in messages[first..<end] { message.free() }
            first = end
        }
        return .records(Self.batch(messages[first..<end].map(\.pointer), byteCount: byteCount))
    }

    /// Brings what is paused behind the rest; the order within a partition stays.
    private func moveBehind(_ paused: Set<KafkaPartition>) {
        compact()
        let held = messages.filter { paused.contains($0.partition) }
        guard !held.isEmpty else { return }
        messages = messages.filter { !paused.contains($0.partition) } + held
    }

    /// Brings together what is held of the first record's partition, which was fetched in pieces
    /// between those of others: whoever takes a run spends a transaction on it.
    private func gather(bytesMax: Int) {
        guard messages.count - first > 1 else { return }
        let head = messages[first].pointer.pointee
        let order = FetchedOrder(
            messages[first...].lazy.map { held in
                let message = held.pointer.pointee
                guard message.rkt == head.rkt, message.partition == head.partition else {
                    return .other
                }
                if held.isRecord { return .record(byteCount: held.byteCount) }
                return message.err == RD_KAFKA_RESP_ERR__PARTITION_EOF ? .end : .trouble
            }, bytesMax: bytesMax)
        let held = messages[first...]
        for place in order.outdated { held[first + place].free() }
        messages = (order.together + order.behind).map { held[first + $0] }
        first = 0
    }

    /// Where the run of records ends that begins with the first one.
    private func run(bytesMax: Int) -> (end: Int, byteCount: Int) {
        // SAFETY: everything in the list is held, and not freed yet.
        let head = messages[first].pointer.pointee
        var byteCount = messages[first].byteCount
        var end = first + 1
        while end < messages.count {
            let next = messages[end]
            guard next.isRecord, next.pointer.pointee.rkt == head.rkt,
                next.pointer.pointee.partition == head.partition,
                byteCount + next.byteCount <= bytesMax
            else { break }
            byteCount += next.byteCount
            end += 1
        }
        return (end, byteCount)
    }
}

extension KafkaFetched {
    fileprivate static func partition(
        of message: UnsafeMutablePointer<rd_kafka_message_t>
    ) -> KafkaPartition {
        // SAFETY: the name lives as long as the topic, which the message keeps; it is copied.
        let topic = message.pointee.rkt.map { String(cString: rd_kafka_topic_name($0)) } ?? ""
        return KafkaPartition(topic, message.pointee.partition)
    }

    private static func exception(
        _ message: UnsafeMutablePointer<rd_kafka_message_t>
    ) -> Taken {
        let code = message.pointee.err
        let partition = message.pointee.rkt == nil ? nil : partition(of: message)
        if code == RD_KAFKA_RESP_ERR__PARTITION_EOF, let partition {
            return .end(partition, Offset(message.pointee.offset))
        }
        // SAFETY: the words belong to the message, or are constants; they are copied.
        let text = rd_kafka_message_errstr(message).map { String(cString: $0) }
        let isFatal = code == RD_KAFKA_RESP_ERR__FATAL
        let offset = Offset(named: message.pointee.offset)
        return .failure(
            Failure(
                answer: KafkaAnswer(code, text: text, isFatal: isFatal), partition: partition,
                offset: offset))
    }

    /// Key, value and headers' values.
    fileprivate static func byteCount(
        of message: UnsafeMutablePointer<rd_kafka_message_t>
    ) -> Int {
        guard message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR else { return 0 }
        var count = message.pointee.key_len + message.pointee.len
        forEachHeader(of: message) { _, value in count += value?.count ?? 0 }
        return count
    }

    private static func forEachHeader(
        of message: UnsafeMutablePointer<rd_kafka_message_t>,
        _ body: (UnsafePointer<CChar>, UnsafeRawBufferPointer?) -> Void
    ) {
        var headers: OpaquePointer?
        guard rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR else {
            return
        }
        var index = 0
        var name: UnsafePointer<CChar>?
        var value: UnsafeRawPointer?
        var count = 0
        while rd_kafka_header_get_all(headers, index, &name, &value, &count)
            == RD_KAFKA_RESP_ERR_NO_ERROR, let name
        {
            // SAFETY: name and value belong to the message, which outlives the closure.
            body(name, value.map { UnsafeRawBufferPointer(start: $0, count: count) })
            index += 1
        }
    }

    private static func batch(
        _ messages: [UnsafeMutablePointer<rd_kafka_message_t>], byteCount: Int
    ) -> KafkaBatch {
        // SAFETY: what is copied is exactly what `byteCount(of:)` counted, message by message, and
        // belongs to messages that are freed after this.
        let bytes = [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
            var writer = Writer(buffer: buffer)
            for message in messages {
                writer.copy(message.pointee.key, message.pointee.key_len)
                writer.copy(message.pointee.payload, message.pointee.len)
                forEachHeader(of: message) { _, value in
                    writer.copy(value?.baseAddress, value?.count ?? 0)
                }
            }
            count = writer.position
        }
        var reader = Reader(bytes: bytes)
        let records = messages.map { message in
            let key = reader.slice(message.pointee.key, message.pointee.key_len)
            let value = reader.slice(message.pointee.payload, message.pointee.len)
            var headers: [RecordHeader] = []
            forEachHeader(of: message) { name, value in
                headers.append(
                    RecordHeader(
                        String(cString: name),
                        reader.slice(value?.baseAddress, value?.count ?? 0)))
            }
            let moment = rd_kafka_message_timestamp(message, nil)
            return StoredRecord(
                offset: Offset(message.pointee.offset),
                record: Record(
                    key: key, value: value, headers: headers,
                    timestamp: Timestamp(milliseconds: moment)))
        }
        return KafkaBatch(
            partition: messages.first.map(partition(of:)) ?? KafkaPartition("", -1),
            records: records, byteCount: byteCount)
    }

    private struct Writer {
        let buffer: UnsafeMutableBufferPointer<UInt8>
        var position = 0

        mutating func copy(_ source: UnsafeRawPointer?, _ count: Int) {
            guard let source, count > 0 else { return }
            // SAFETY: the buffer has room for what was counted before, and this is a part of it;
            // the source has `count` bytes, and lies elsewhere.
            let rest = UnsafeMutableRawBufferPointer(buffer)[position...]
            UnsafeMutableRawBufferPointer(rebasing: rest).copyMemory(
                from: UnsafeRawBufferPointer(start: source, count: count))
            position += count
        }
    }

    /// Cuts the copied bytes up again, in the order in which they were copied.
    private struct Reader {
        let bytes: [UInt8]
        var position = 0

        /// nil where the source was Kafka's null.
        mutating func slice(_ source: UnsafeRawPointer?, _ count: Int) -> ArraySlice<UInt8>? {
            guard source != nil else { return nil }
            defer { position += count }
            return bytes[position..<position + count]
        }
    }
}
