import CRDKafka
import Synchronization

/// What librdkafka calls back into: its words, its troubles, acknowledgements, a group's changes
/// and the renewal of a token. One for each client, which keeps it alive.
final class KafkaCallbacks: Sendable {
    let log: @Sendable (KafkaLogLine) -> Void
    private let security: KafkaSecurity
    private let bootstrap: String
    private let state: Mutex<State>

    private struct State {
        var trouble: KafkaAnswer?
        var deliveryFailure: (answer: KafkaAnswer, place: KafkaPartition)?
        var rebalance: KafkaRebalance?
        /// What brokers are shown, and since when it is another one than before.
        var password: Secret?
        var renewedAt: ContinuousClock.Instant?
    }

    /// - Parameter password: the one that the client begins with.
    init(_ configuration: KafkaConfiguration, _ password: Secret?) {
        state = Mutex(State(password: password))
        log = configuration.log
        security = configuration.security
        bootstrap = configuration.bootstrap
    }

    // MARK: What the client reads

    /// What last went wrong on a connection, until something succeeds again.
    var trouble: KafkaAnswer? { state.withLock { $0.trouble } }

    /// A broker has answered: what went wrong before explains nothing any more.
    func didSucceed() { state.withLock { $0.trouble = nil } }

    /// The first record that was not written since this was last asked.
    func takeDeliveryFailure() -> (answer: KafkaAnswer, place: KafkaPartition)? {
        state.withLock { state in
            defer { state.deliveryFailure = nil }
            return state.deliveryFailure
        }
    }

    /// A change of the group that waits for its acknowledgement.
    func takeRebalance() -> KafkaRebalance? {
        state.withLock { state in
            defer { state.rebalance = nil }
            return state.rebalance
        }
    }

    var hasRebalance: Bool { state.withLock { $0.rebalance != nil } }

    // MARK: What librdkafka calls

    private static func of(_ opaque: UnsafeMutableRawPointer?) -> KafkaCallbacks? {
        // SAFETY: the opaque is the object that the handle retains until librdkafka's threads have
        // ended.
        opaque.map { Unmanaged<KafkaCallbacks>.fromOpaque($0).takeUnretainedValue() }
    }

    /// Called from any of librdkafka's threads.
    static let didLog: @convention(c) (
        OpaquePointer?, Int32, UnsafePointer<CChar>?, UnsafePointer<CChar>?
    ) -> Void = { client, level, facility, text in
        guard let client, let facility, let text else { return }
        of(rd_kafka_opaque(client))?.log(
            KafkaLogLine(
                level: Int(level), facility: String(cString: facility),
                text: String(cString: text)))
    }

    static let didFail: @convention(c) (
        OpaquePointer?, Int32, UnsafePointer<CChar>?, UnsafeMutableRawPointer?
    ) -> Void = { client, code, reason, opaque in
        let code = rd_kafka_resp_err_t(rawValue: code)
        of(opaque)?.didFail(client, KafkaAnswer(code, text: reason.map { String(cString: $0) }))
    }

    static let didRebalance: @convention(c) (
        OpaquePointer?, rd_kafka_resp_err_t, UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?,
        UnsafeMutableRawPointer?
    ) -> Void = { client, code, partitions, opaque in
        let isLost = rd_kafka_assignment_lost(client) != 0
        let change = KafkaRebalance(
            isAssignment: code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS, isLost: isLost,
            partitions: KafkaPartitionList.partitions(in: partitions))
        of(opaque)?.state.withLock { $0.rebalance = change }
        // So that the poll that called this returns, and the caller hears of it at once.
        rd_kafka_yield(client)
    }

    /// Called on librdkafka's background thread alone.
    static let didHappen: @convention(c) (
        OpaquePointer?, OpaquePointer?, UnsafeMutableRawPointer?
    ) -> Void = { client, event, opaque in
        guard let event else { return }
        defer { rd_kafka_event_destroy(event) }
        guard let callbacks = of(opaque) else { return }
        switch rd_kafka_event_type(event) {
        case RD_KAFKA_EVENT_DR: callbacks.didDeliver(event)
        case RD_KAFKA_EVENT_ERROR:
            let text = rd_kafka_event_error_string(event).map { String(cString: $0) }
            callbacks.didFail(client, KafkaAnswer(rd_kafka_event_error(event), text: text))
        default: break
        }
    }

    /// Called on librdkafka's background thread too, before a token ends.
    static let renewsToken: @convention(c) (
        OpaquePointer?, UnsafePointer<CChar>?, UnsafeMutableRawPointer?
    ) -> Void = { client, _, opaque in
        guard let client else { return }
        of(opaque)?.renewToken(client)
    }

    private func didFail(_ client: OpaquePointer?, _ answer: KafkaAnswer) {
        if answer.code == RD_KAFKA_RESP_ERR__AUTHENTICATION.rawValue, let client,
            renewsPassword(client)
        {
            return log(KafkaLogLine(level: 6, facility: "PASSWORD", text: "it was read again"))
        }
        state.withLock { state in
            // "All brokers are down" follows upon the reason and would hide it.
            if answer.code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN.rawValue || state.trouble == nil {
                state.trouble = answer
            }
        }
        log(KafkaLogLine(level: 4, facility: answer.name, text: answer.text))
    }

    private func didDeliver(_ event: OpaquePointer) {
        while let message = rd_kafka_event_message_next(event) {
            let delivered = KafkaDelivered(message)
            state.withLock { state in
                guard let answer = delivered.failure else { return state.trouble = nil }
                if state.deliveryFailure == nil {
                    state.deliveryFailure = (answer, delivered.partition)
                }
            }
            delivered.completion?.call(delivered, bootstrap: bootstrap, trouble: trouble)
        }
    }

    /// Reads the password again that a broker has refused.
    ///
    /// - Returns: whether it may be accepted next time: it is another one now, or was a moment ago,
    ///   when this connection had still been shown the old one.
    private func renewsPassword(_ client: OpaquePointer) -> Bool {
        guard case .saslPlain(let user, _, let read) = security, let fresh = try? read() else {
            return false
        }
        let (isNew, isRecent) = state.withLock { state in
            let isNew = state.password != fresh
            if isNew { (state.password, state.renewedAt) = (fresh, .now) }
            let isRecent = state.renewedAt.map { $0 + Self.reconnectTime > .now } ?? false
            return (isNew, isRecent)
        }
        guard isNew else { return isRecent }
        let error = rd_kafka_sasl_set_credentials(client, user, fresh.reveal())
        return KafkaAnswer(consuming: error) == nil
    }

    /// Within it every connection has been tried anew: `reconnect.backoff.max.ms` and a handshake.
    private static let reconnectTime = Duration.seconds(5)

    private func renewToken(_ client: OpaquePointer) {
        guard case .saslGoogle(let account, _, let token) = security else { return }
        var text = [CChar](repeating: 0, count: 512)
        do {
            let fresh = try token()
            // Whatever a token's giver says of its end: it never traps.
            let (milliseconds, isTooFar) = fresh.expiresAt.multipliedReportingOverflow(by: 1000)
            let code = rd_kafka_oauthbearer_set_token(
                client, fresh.threeParts(account: account).reveal(), isTooFar ? .max : milliseconds,
                account, nil, 0, &text, text.count)
            guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return }
            _ = rd_kafka_oauthbearer_set_token_failure(client, KafkaSettings.text(text))
        } catch {
            _ = rd_kafka_oauthbearer_set_token_failure(client, "\(error)")
        }
    }
}

/// A change of the group: what a member has, or has no longer.
struct KafkaRebalance {
    var isAssignment: Bool
    /// The partitions have gone without being asked for: somebody else may have them already.
    var isLost: Bool
    var partitions: [KafkaPartition]
}
