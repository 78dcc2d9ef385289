import CRDKafka

/// Makes topics and says how they are. Every method blocks, at most its patience.
public final class KafkaAdmin: Sendable {
    private let handle: KafkaHandle

    /// - Throws: `.configuration`.
    public init(_ configuration: KafkaConfiguration) throws(KafkaError) {
        handle = try KafkaHandle(configuration, .admin)
    }

    /// Whether it trusts no broker, and would if it were made anew; see `KafkaProducer.isOutdated`.
    public var isOutdated: Bool { handle.isOutdated }

    /// Creates topics with their own timestamps kept. One that is there already is left as it is:
    /// check it afterwards.
    ///
    /// - Throws: `.unreachable`, `.timedOut`, `.notAuthorized`, `.broker` with the broker's words.
    public func create(_ topics: [KafkaTopic], within patience: Duration) throws(KafkaError) {
        guard !topics.isEmpty else { return }
        let wishes = try KafkaNewTopics(topics)
        try request(RD_KAFKA_ADMIN_OP_CREATETOPICS, "create topics", patience) {
            client, options, queue in
            wishes.lend { rd_kafka_CreateTopics(client, $0, $1, options, queue) }
        } outcome: { event in
            var count = 0
            let results = rd_kafka_CreateTopics_result_topics(
                rd_kafka_event_CreateTopics_result(event), &count)
            return Self.failure(
                in: results, count, except: RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
        }
    }

    /// Deletes topics with all that is in them. One that is not there is no error.
    public func delete(_ names: [String], within patience: Duration) throws(KafkaError) {
        guard !names.isEmpty else { return }
        let topics = names.map { rd_kafka_DeleteTopic_new($0) }
        defer { for topic in topics { rd_kafka_DeleteTopic_destroy(topic) } }
        try request(RD_KAFKA_ADMIN_OP_DELETETOPICS, "delete topics", patience) {
            client, options, queue in
            var list = topics
            rd_kafka_DeleteTopics(client, &list, list.count, options, queue)
        } outcome: { event in
            var count = 0
            let results = rd_kafka_DeleteTopics_result_topics(
                rd_kafka_event_DeleteTopics_result(event), &count)
            return Self.failure(
                in: results, count, except: RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        }
    }

    /// How topics are. One that does not exist, or that this client may not see, is not in the
    /// result; asking makes none.
    public func describe(
        _ names: [String], within patience: Duration
    ) throws(KafkaError) -> [String: KafkaTopic] {
        let deadline = KafkaDeadline(patience)
        let counts = try partitionCounts(within: deadline.rest)
        let existing = names.filter { counts[$0] != nil }
        guard !existing.isEmpty else { return [:] }
        let settings = try settings(of: existing, within: deadline.rest)
        var result: [String: KafkaTopic] = [:]
        for name in existing {
            let values = settings[name] ?? [:]
            let retention = values["retention.ms"].flatMap { Int64($0) } ?? -1
            result[name] = KafkaTopic(
                name, partitions: counts[name] ?? 0,
                retention: retention < 0 ? nil : .milliseconds(retention),
                messageBytesMax: values["max.message.bytes"].flatMap { Int($0) } ?? 1_048_588)
        }
        return result
    }

    /// Makes the topics that are missing, and looks at all of them.
    ///
    /// - Parameters:
    ///   - oldestRecordAge: as `KafkaTopicCheck` takes it.
    ///   - patience: for one look; where a topic is missing there are two.
    ///   - creationPatience: for making those that are missing.
    /// - Returns: the names of those that were missing, and why any cannot be used as it is.
    /// - Throws: what `describe` and `create` throw.
    public func prepare(
        _ wanted: [KafkaTopic], oldestRecordAge: Duration? = nil, within patience: Duration,
        creatingWithin creationPatience: Duration
    ) throws(KafkaError) -> (made: [String], refusals: [KafkaTopicRefusal]) {
        let names = wanted.map(\.name)
        var found = try describe(names, within: patience)
        let missing = wanted.filter { found[$0.name] == nil }
        if !missing.isEmpty {
            try create(missing, within: creationPatience)
            found = try describe(names, within: patience)
        }
        let refusals = KafkaTopicCheck.refusals(
            wanted: wanted, found: found, oldestRecordAge: oldestRecordAge)
        return (missing.map(\.name), refusals)
    }

    /// How many partitions each topic of the cluster has.
    public func partitionCounts(within patience: Duration) throws(KafkaError) -> [String: Int32] {
        guard let pointer = try metadata(within: patience) else { return [:] }
        defer { rd_kafka_metadata_destroy(pointer) }
        handle.context.didSucceed()
        var result: [String: Int32] = [:]
        // SAFETY: the array has as many elements as librdkafka says, until the metadata is freed.
        let topics = UnsafeBufferPointer(
            start: pointer.pointee.topics, count: Int(pointer.pointee.topic_cnt))
        for topic in topics where topic.err == RD_KAFKA_RESP_ERR_NO_ERROR {
            result[String(cString: topic.topic)] = topic.partition_cnt
        }
        return result
    }

    /// The id that the cluster tells of itself; nil where it tells none, as brokers before 0.10.1.
    public func clusterID(within patience: Duration) throws(KafkaError) -> String? {
        // Told with the topics, and kept.
        _ = try partitionCounts(within: patience)
        let id: String? = handle.lend { client in
            // SAFETY: the text is the caller's own, null-terminated, and copied before it is freed.
            guard let text = rd_kafka_clusterid(client, 0) else { return nil }
            defer { rd_kafka_mem_free(client, text) }
            return String(cString: text)
        }
        return id?.isEmpty == true ? nil : id
    }

    /// After so long it is looked at why there is no answer yet: who is kept out by a password or a
    /// certificate need not wait any longer to be told.
    private static let lookAfter = Duration.seconds(1)

    private func metadata(
        within patience: Duration
    ) throws(KafkaError) -> UnsafePointer<rd_kafka_metadata>? {
        let deadline = KafkaDeadline(patience)
        // Longer each time: an answer that is late is lost, and a slow broker shall be heard.
        var lookAfter = Self.lookAfter
        while true {
            var pointer: UnsafePointer<rd_kafka_metadata>?
            let slice = min(deadline.rest, lookAfter)
            lookAfter = lookAfter * 2
            // All topics: naming one in the request could make it.
            let answer = handle.code { client in
                rd_kafka_metadata(client, 1, nil, &pointer, slice.wholeMilliseconds)
            }
            guard let answer else { return pointer }
            let error = handle.error(answer, "ask for topics")
            guard error.isRetryable, !deadline.hasPassed else { throw error }
            // Some answers come at once.
            KafkaDeadline.pause(min(deadline.rest, .milliseconds(50)))
        }
    }

    private func settings(
        of names: [String], within patience: Duration
    ) throws(KafkaError) -> [String: [String: String]] {
        var result: [String: [String: String]] = [:]
        let resources = names.map { rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, $0) }
        defer { for resource in resources { rd_kafka_ConfigResource_destroy(resource) } }
        try request(RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, "describe topics", patience) {
            client, options, queue in
            var list = resources
            rd_kafka_DescribeConfigs(client, &list, list.count, options, queue)
        } outcome: { event in
            var count = 0
            let found = rd_kafka_DescribeConfigs_result_resources(
                rd_kafka_event_DescribeConfigs_result(event), &count)
            // SAFETY: the array has `count` elements and belongs to the event.
            for resource in UnsafeBufferPointer(start: found, count: count) {
                let code = rd_kafka_ConfigResource_error(resource)
                let name = String(cString: rd_kafka_ConfigResource_name(resource))
                guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { return (KafkaAnswer(code), name) }
                result[name] = Self.entries(of: resource)
            }
            return nil
        }
        return result
    }
}

extension KafkaAdmin {
    /// librdkafka looks for requests whose time is over a few times a second.
    private static let marginMilliseconds: Int32 = 500

    /// Sends a request and waits for its answer. One that comes later is thrown away.
    private func request(
        _ operation: rd_kafka_admin_op_t, _ call: String, _ patience: Duration,
        _ send: (OpaquePointer, OpaquePointer?, OpaquePointer?) -> Void,
        outcome: (OpaquePointer) -> (answer: KafkaAnswer, topic: String)?
    ) throws(KafkaError) {
        let failure: (answer: KafkaAnswer, topic: String?)? = handle.lend { client in
            let milliseconds = patience.wholeMilliseconds
            let options = rd_kafka_AdminOptions_new(client, operation)
            defer { rd_kafka_AdminOptions_destroy(options) }
            // Ends before the patience does, so that librdkafka's own words for it are heard.
            let margin = min(milliseconds / 4, Self.marginMilliseconds)
            rd_kafka_AdminOptions_set_request_timeout(options, milliseconds - margin, nil, 0)
            // So that a topic is there, on all brokers, when the call returns; a part of the
            // patience, or the broker's answer would come after it.
            rd_kafka_AdminOptions_set_operation_timeout(options, milliseconds / 2, nil, 0)
            let queue = rd_kafka_queue_new(client)
            defer { rd_kafka_queue_destroy(queue) }
            send(client, options, queue)
            guard let event = rd_kafka_queue_poll(queue, milliseconds) else {
                return (KafkaAnswer(RD_KAFKA_RESP_ERR__TIMED_OUT), nil)
            }
            defer { rd_kafka_event_destroy(event) }
            let code = rd_kafka_event_error(event)
            guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
                let text = rd_kafka_event_error_string(event).map { String(cString: $0) }
                return (KafkaAnswer(code, text: text), nil)
            }
            return outcome(event).map { ($0.answer, $0.topic) }
        }
        if let failure { throw handle.error(failure.answer, call, topic: failure.topic) }
        handle.context.didSucceed()
    }

    /// The first result that is an error, and the topic that it is about.
    private static func failure(
        in results: UnsafeMutablePointer<OpaquePointer?>?, _ count: Int,
        except harmless: rd_kafka_resp_err_t
    ) -> (answer: KafkaAnswer, topic: String)? {
        // SAFETY: the array has `count` elements and belongs to the event.
        for result in UnsafeBufferPointer(start: results, count: count) {
            let code = rd_kafka_topic_result_error(result)
            if code == RD_KAFKA_RESP_ERR_NO_ERROR || code == harmless { continue }
            let text = rd_kafka_topic_result_error_string(result).map { String(cString: $0) }
            return (
                KafkaAnswer(code, text: text), String(cString: rd_kafka_topic_result_name(result))
            )
        }
        return nil
    }

    private static func entries(of resource: OpaquePointer?) -> [String: String] {
        var count = 0
        let entries = rd_kafka_ConfigResource_configs(resource, &count)
        var result: [String: String] = [:]
        // SAFETY: the array has `count` elements and belongs to the resource.
        for entry in UnsafeBufferPointer(start: entries, count: count) {
            guard let value = rd_kafka_ConfigEntry_value(entry) else { continue }
            result[String(cString: rd_kafka_ConfigEntry_name(entry))] = String(cString: value)
        }
        return result
    }
}

/// Topics on their way to the broker: owned here, lent for a call.
private final class KafkaNewTopics {
    private var pointers: [OpaquePointer?] = []

    init(_ topics: [KafkaTopic]) throws(KafkaError) {
        for topic in topics {
            var text = [CChar](repeating: 0, count: 512)
            guard let pointer = rd_kafka_NewTopic_new(
                topic.name, topic.partitions, Int32(topic.replication ?? -1), &text, text.count)
            else {
                throw .configuration(property: topic.name, detail: KafkaSettings.text(text))
            }
            pointers.append(pointer)
            let retention = topic.retention.map { $0.components.seconds * 1000 } ?? -1
            let settings = [
                ("retention.ms", String(retention)),
                ("max.message.bytes", String(topic.messageBytesMax)),
                ("cleanup.policy", "delete"),
                ("message.timestamp.type", "CreateTime"),
            ]
            for (name, value) in settings { rd_kafka_NewTopic_set_config(pointer, name, value) }
        }
    }

    deinit { for pointer in pointers { rd_kafka_NewTopic_destroy(pointer) } }

    func lend(_ body: (UnsafeMutablePointer<OpaquePointer?>, Int) -> Void) {
        let count = pointers.count
        body(&pointers, count)
    }
}
