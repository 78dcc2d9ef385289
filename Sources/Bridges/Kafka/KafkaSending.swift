import AppendLog
import CRDKafka
import Synchronization

/// Hands records to librdkafka's queue: the part that both producers share.
final class KafkaSending: Sendable {
    let handle: KafkaHandle
    private let messageBytesMax: Int
    private let topics: Mutex<[String: TopicHandle]> = Mutex([:])

    /// librdkafka's handle of a topic, which it looks up by name otherwise, for each record.
    private final class TopicHandle: @unchecked Sendable {
        // `@unchecked Sendable`: the pointer is only read, and librdkafka counts its users.
        private let pointer: OpaquePointer
        /// A topic's handle must not outlive its client's.
        private let owner: KafkaHandle

        init?(_ name: String, of owner: KafkaHandle) {
            guard let topic = owner.lend({ rd_kafka_topic_new($0, name, nil) }) else { return nil }
            pointer = topic
            self.owner = owner
        }

        deinit { rd_kafka_topic_destroy(pointer) }

        @inline(__always)
        func lend<Result>(_ body: (OpaquePointer) -> Result) -> Result { body(pointer) }
    }

    init(
        _ configuration: KafkaConfiguration, _ kind: KafkaProperties.Kind
    ) throws(KafkaError) {
        handle = try KafkaHandle(configuration, kind)
        messageBytesMax = configuration.messageBytesMax
    }

    /// Queues a record, whose bytes are copied once. Does not block.
    ///
    /// - Returns: why it was not queued, in which case `completion` is not called.
    func queue(_ outgoing: KafkaOutgoing, completion: KafkaCompletion?) -> KafkaAnswer? {
        guard let topic = topicHandle(outgoing.topic) else {
            return KafkaAnswer(RD_KAFKA_RESP_ERR__INVALID_ARG, text: "no topic's name")
        }
        let record = outgoing.record
        // SAFETY: released once: by the record's report (`KafkaDelivered`), or below where
        // librdkafka does not take the record and so never reports it.
        let opaque = completion.map { Unmanaged.passRetained($0) }
        let headers = Self.headers(record.headers, outgoing.extraHeaders)
        let answer = handle.answer { client in
            topic.lend { topic in
                Self.lend(record.key) { key, keyCount in
                    Self.lend(record.value) { value, valueCount in
                        tillbox_produce(
                            client, topic, outgoing.partition ?? RD_KAFKA_PARTITION_UA,
                            key, keyCount, value, valueCount,
                            Self.moment(record.timestamp), headers, opaque?.toOpaque())
                    }
                }
            }
        }
        guard let answer else { return nil }
        if let headers { rd_kafka_headers_destroy(headers) }
        opaque?.release()
        return answer
    }

    /// The error that such an answer is.
    func error(_ answer: KafkaAnswer, for outgoing: KafkaOutgoing) -> KafkaError {
        if answer.code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE.rawValue {
            return .messageTooLarge(topic: outgoing.topic, bytesMax: messageBytesMax)
        }
        if answer.code == RD_KAFKA_RESP_ERR__FATAL.rawValue, let fatal = handle.fatalAnswer {
            return handle.error(fatal, "produce")
        }
        return handle.error(
            answer, "produce", topic: outgoing.topic, partition: outgoing.partition)
    }

    /// Records that are not acknowledged yet.
    var queuedCount: Int { handle.lend { Int(rd_kafka_outq_len($0)) } }

    /// Sends at once what waits for more, and waits for the acknowledgements. Blocking.
    ///
    /// - Returns: whether nothing is waiting any more.
    func flush(within patience: Duration) -> Bool {
        handle.lend { rd_kafka_flush($0, patience.wholeMilliseconds) }
            == RD_KAFKA_RESP_ERR_NO_ERROR
    }

    /// Gives up what is waiting, so that each completion is called. Blocking for a moment.
    func purge() { handle.lend(KafkaHandle.purge) }

    private func topicHandle(_ name: String) -> TopicHandle? {
        topics.withLock { topics in
            if let known = topics[name] { return known }
            let made = TopicHandle(name, of: handle)
            topics[name] = made
            return made
        }
    }

    /// librdkafka takes 0 for "now", and −1 is Kafka's "not known". The first millisecond of 1970
    /// becomes the second one; no other moment changes.
    private static func moment(_ timestamp: Timestamp) -> Int64 {
        timestamp.milliseconds == 0 ? 1 : timestamp.milliseconds
    }

    /// A null pointer is Kafka's null, so that no bytes need a pointer that is none.
    @inline(__always)
    private static func lend<Result>(
        _ bytes: ArraySlice<UInt8>?, _ body: (UnsafeRawPointer?, Int) -> Result
    ) -> Result {
        guard let bytes else { return body(nil, 0) }
        // SAFETY: the buffer outlives the call, which copies it.
        return bytes.withUnsafeBytes { buffer in
            if let start = buffer.baseAddress { return body(start, buffer.count) }
            // SAFETY: likewise; of no bytes none is read, but the pointer must not be null.
            var nothing: UInt8 = 0
            return withUnsafeBytes(of: &nothing) { body($0.baseAddress, 0) }
        }
    }

    /// - Returns: nil for none; else they belong to who gets them.
    private static func headers(
        _ own: [RecordHeader], _ extra: [RecordHeader]
    ) -> OpaquePointer? {
        guard !own.isEmpty || !extra.isEmpty else { return nil }
        let list = rd_kafka_headers_new(own.count + extra.count)
        for headers in [own, extra] {
            for header in headers {
                var name = header.name
                name.withUTF8 { name in
                    lend(header.value) { value, count in
                        // SAFETY: name and value outlive the call, which copies them. UInt8 and
                        // CChar have one layout.
                        name.withMemoryRebound(to: CChar.self) { name in
                            _ = rd_kafka_header_add(
                                list, name.baseAddress, name.count, value, count)
                        }
                    }
                }
            }
        }
        return list
    }
}
