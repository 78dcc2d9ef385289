import CRDKafka

/// A client of librdkafka's: owns its handle, frees it, and takes its callbacks.
///
/// The handle is only lent, to a closure for the time of a call. librdkafka's handles may be used
/// from several threads at once.
final class KafkaHandle: @unchecked Sendable {
    // `@unchecked Sendable`: the pointers are set by `init` and then only read; what they point to
    // has its own locks.
    private let pointer: OpaquePointer
    private let callbacks: Unmanaged<KafkaCallbacks>
    private let isConsumer: Bool
    /// What the brokers' certificates are held against; nil for the system's own, or no TLS.
    private let authorities: KafkaAuthorities?
    let bootstrap: String
    /// What librdkafka calls back into.
    var context: KafkaCallbacks { callbacks.takeUnretainedValue() }

    /// - Throws: `.configuration` with what librdkafka says about a value.
    init(
        _ configuration: KafkaConfiguration, _ kind: KafkaProperties.Kind
    ) throws(KafkaError) {
        bootstrap = configuration.bootstrap
        isConsumer = kind.isConsumer
        // Before librdkafka reads it: a file that is changed in between counts as another one.
        authorities = configuration.security.caFile.map { KafkaAuthorities(at: $0) }
        let settings = KafkaSettings()
        try settings.set(KafkaProperties(configuration, kind).pairs)
        let password = try configuration.security.readPassword()
        if let password { try settings.set([("sasl.password", password.reveal())]) }
        callbacks = Unmanaged.passRetained(KafkaCallbacks(configuration, password))
        settings.setCallbacks(callbacks.toOpaque(), kind, configuration.security)
        do throws(KafkaError) {
            pointer = try settings.start(
                isConsumer: kind.isConsumer, caFile: configuration.security.caFile)
        } catch {
            callbacks.release()
            throw error
        }
        serveInBackground(configuration.security)
    }

    /// Hands the client to a thread that ends it; see `KafkaClients`.
    deinit {
        let ending = Ending(pointer: pointer, callbacks: callbacks, isConsumer: isConsumer)
        KafkaClients.end { ending.run() }
    }

    /// Everything that ends a client, apart from it: `deinit` hands it to another thread.
    private struct Ending: @unchecked Sendable {
        // `@unchecked Sendable`: made by `deinit`, when nobody else has the handle any more.
        let pointer: OpaquePointer
        let callbacks: Unmanaged<KafkaCallbacks>
        let isConsumer: Bool

        func run() {
            // Each record that still waits is told its fate, and its completion is freed.
            if !isConsumer, rd_kafka_outq_len(pointer) > 0 { KafkaHandle.purge(pointer) }
            // SAFETY: the handle is this object's own; nobody else can reach it any more. A
            // consumer has been closed, or leaves its group by falling silent.
            rd_kafka_destroy_flags(pointer, Int32(RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE))
            callbacks.release()
        }
    }

    /// Gives up what a producer has not been told about, and waits until all of it has been told.
    static func purge(_ client: OpaquePointer) {
        giveUpRecords(client)
        _ = rd_kafka_flush(client, 1000)
    }

    /// Gives up what a producer has not been told about. Without `NON_BLOCKING` it would wait for
    /// each broker's thread, one of which may be looking up a name.
    static func giveUpRecords(_ client: OpaquePointer) {
        _ = rd_kafka_purge(
            client,
            RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING)
    }

    /// Lends the handle to `body`, which does not keep it.
    @inline(__always)
    func lend<Result>(_ body: (OpaquePointer) -> Result) -> Result { body(pointer) }

    /// A call that gives an error object.
    ///
    /// - Returns: nil where it succeeded.
    func answer(_ body: (OpaquePointer) -> OpaquePointer?) -> KafkaAnswer? {
        KafkaAnswer(consuming: body(pointer))
    }

    /// A call that gives a bare code.
    ///
    /// - Returns: nil where it succeeded.
    func code(_ body: (OpaquePointer) -> rd_kafka_resp_err_t) -> KafkaAnswer? {
        let code = body(pointer)
        return code == RD_KAFKA_RESP_ERR_NO_ERROR ? nil : KafkaAnswer(code)
    }

    func error(
        _ answer: KafkaAnswer, _ call: String, topic: String? = nil, partition: Int32? = nil
    ) -> KafkaError {
        KafkaError(
            answer,
            KafkaErrorContext(
                call: call, bootstrap: bootstrap, topic: topic, partition: partition,
                trouble: context.trouble))
    }

    /// Whether this client trusts no broker that it meets, and the file of authorities is another
    /// one than it has read: only a new client can come in.
    var isOutdated: Bool {
        guard let authorities, context.trouble?.isOfCertificate == true else { return false }
        return authorities.haveChanged
    }

    /// What has ended this client; nil while it lives.
    var fatalAnswer: KafkaAnswer? {
        // Asked before each record: only an end has words.
        guard rd_kafka_fatal_error(pointer, nil, 0) != RD_KAFKA_RESP_ERR_NO_ERROR else {
            return nil
        }
        var text = [CChar](repeating: 0, count: 512)
        let code = rd_kafka_fatal_error(pointer, &text, text.count)
        guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return nil }
        return KafkaAnswer(code, text: KafkaSettings.text(text), isFatal: true)
    }

    /// The value that librdkafka runs with; nil for a name that it does not know, and for secrets.
    func effective(_ name: String) -> String? {
        guard !KafkaProperties.isSecret(name) else { return nil }
        var value = [CChar](repeating: 0, count: 1024)
        var size = value.count
        let result = rd_kafka_conf_get(rd_kafka_conf(pointer), name, &value, &size)
        return result == RD_KAFKA_CONF_OK ? KafkaSettings.text(value) : nil
    }

    /// Gives what a client tells of itself to librdkafka's own background thread: a caller who is
    /// silent, or waits in another call, would learn of no trouble, and without a token's renewal
    /// it would lose its connections. A consumer's records and its group's changes have a queue of
    /// their own, which `KafkaFetched` asks.
    private func serveInBackground(_ security: KafkaSecurity) {
        if let main = rd_kafka_queue_get_main(pointer),
            let background = rd_kafka_queue_get_background(pointer)
        {
            rd_kafka_queue_forward(main, background)
            rd_kafka_queue_destroy(main)
            rd_kafka_queue_destroy(background)
        }
        if case .saslGoogle = security,
            let failure = answer({ rd_kafka_sasl_background_callbacks_enable($0) })
        {
            context.log(KafkaLogLine(level: 3, facility: "TOKEN", text: failure.text))
        }
    }
}

extension KafkaProperties.Kind {
    var isConsumer: Bool { if case .consumer = self { true } else { false } }
}

/// librdkafka's configuration on its way to a client, which takes it over.
final class KafkaSettings {
    private var pointer: OpaquePointer?

    init() { pointer = rd_kafka_conf_new() }

    /// A client that started has taken it over.
    deinit { if let pointer { rd_kafka_conf_destroy(pointer) } }

    func set(_ pairs: [(name: String, value: String)]) throws(KafkaError) {
        for (name, value) in pairs {
            var text = [CChar](repeating: 0, count: 512)
            let result = rd_kafka_conf_set(pointer, name, value, &text, text.count)
            guard result == RD_KAFKA_CONF_OK else {
                let detail = KafkaProperties.isSecret(name) ? "not accepted" : Self.text(text)
                throw .configuration(property: name, detail: detail)
            }
        }
    }

    func setCallbacks(
        _ opaque: UnsafeMutableRawPointer, _ kind: KafkaProperties.Kind, _ security: KafkaSecurity
    ) {
        rd_kafka_conf_set_opaque(pointer, opaque)
        rd_kafka_conf_set_log_cb(pointer, KafkaCallbacks.didLog)
        rd_kafka_conf_set_error_cb(pointer, KafkaCallbacks.didFail)
        rd_kafka_conf_set_background_event_cb(pointer, KafkaCallbacks.didHappen)
        var events = RD_KAFKA_EVENT_ERROR
        if kind.isConsumer {
            rd_kafka_conf_set_rebalance_cb(pointer, KafkaCallbacks.didRebalance)
        } else {
            events |= RD_KAFKA_EVENT_DR
        }
        if case .saslGoogle = security {
            rd_kafka_conf_enable_sasl_queue(pointer, 1)
            rd_kafka_conf_set_oauthbearer_token_refresh_cb(pointer, KafkaCallbacks.renewsToken)
        }
        rd_kafka_conf_set_events(pointer, events)
    }

    func start(isConsumer: Bool, caFile: String?) throws(KafkaError) -> OpaquePointer {
        var text = [CChar](repeating: 0, count: 512)
        let type = isConsumer ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER
        guard let client = rd_kafka_new(type, pointer, &text, text.count) else {
            // The only file that is read here; librdkafka does not name it.
            let property = caFile.map { "ssl.ca.location=\($0)" } ?? "of this client"
            throw .configuration(property: property, detail: Self.text(text))
        }
        pointer = nil
        return client
    }

    /// The text up to the null byte.
    static func text(_ buffer: [CChar]) -> String {
        String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

extension KafkaSecurity {
    /// The password as it is now; nil where none is used.
    fileprivate func readPassword() throws(KafkaError) -> Secret? {
        guard case .saslPlain(_, _, let password) = self else { return nil }
        do {
            return try password()
        } catch {
            throw .configuration(property: "sasl.password", detail: "\(error)")
        }
    }
}
