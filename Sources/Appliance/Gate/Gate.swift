import AppendLog
import Logging
import Synchronization

/// What the gate says to a delivery. Its HTTP form stands in ``WebhookRoutes``.
enum GateAnswer: Hashable, Sendable {
    /// It is on disk; a retry is not needed.
    case received(isDuplicate: Bool)
    /// The signature does not hold; nothing was stored.
    case refused(code: String, message: String)
    case unknownEndpoint(String)
    /// Nothing was stored, and a retry may succeed.
    case unavailable(reason: String)
}

/// Receives deliveries: verifies the signature over the raw bytes, admits each event once, and
/// answers only when what it must keep is on disk (contracts §1).
final class Gate: Sendable {
    let bodyByteCountMax: Int
    private let endpoints: [String: Endpoint]
    private let toleranceSeconds: Int64
    private let admission: Admission
    private let deadLetters: Topic
    private let scanners = ScannerPool()
    private let clock: any LogClock
    private let counters: Counters
    private let logger: Logger

    private struct Endpoint: Sendable {
        var name: String
        var verifier: SignatureVerifier
        var livemode: WebhookEndpoint.Livemode
    }

    /// - Parameters:
    ///   - endpoints: where Stripe delivers to; the unnamed one is `/webhooks/stripe`.
    ///   - deadLetters: the topic `dead.letter`.
    ///   - clock: gives the arrival time and the "now" of the signature's tolerance.
    init(
        endpoints: [WebhookEndpoint], toleranceSeconds: Int64, bodyByteCountMax: Int,
        admission: Admission, deadLetters: Topic, clock: any LogClock, counters: Counters,
        logger: Logger
    ) {
        self.endpoints = Dictionary(
            endpoints.map {
                ($0.name, Endpoint(
                    name: $0.name, verifier: SignatureVerifier(secrets: $0.secrets),
                    livemode: $0.livemode))
            }, uniquingKeysWith: { first, _ in first })
        self.toleranceSeconds = toleranceSeconds
        self.bodyByteCountMax = bodyByteCountMax
        self.admission = admission
        self.deadLetters = deadLetters
        self.clock = clock
        self.counters = counters
        self.logger = logger
    }

    /// Takes one delivery through signature, scan and admission.
    ///
    /// - Parameters:
    ///   - name: the endpoint's name; empty for the unnamed one.
    ///   - signature: the value of `Stripe-Signature`, if there is one.
    ///   - body: the raw bytes.
    func receive(endpoint name: String, signature: String?, body: [UInt8]) async -> GateAnswer {
        guard let endpoint = endpoints[name] else { return .unknownEndpoint(name) }
        let now = clock.now()
        do {
            _ = try endpoint.verifier.verify(
                header: signature, body: body[...],
                now: Instant(seconds: now.milliseconds / 1000), toleranceSeconds: toleranceSeconds)
        } catch {
            counters.add(.signatureRefused)
            return .refused(code: error.code, message: error.message)
        }
        let delivery = Delivery(
            endpoint: endpoint, signature: signature ?? "", body: body, arrived: now)
        do {
            return try await store(delivery)
        } catch {
            counters.add(.unavailable)
            logger.warning("delivery answered with 503", metadata: ["error": "\(error)"])
            return .unavailable(reason: Self.reason(of: error))
        }
    }

    /// A delivery whose signature holds.
    private struct Delivery {
        var endpoint: Endpoint
        var signature: String
        var body: [UInt8]
        var arrived: Timestamp
    }

    private func store(_ delivery: Delivery) async throws(LogError) -> GateAnswer {
        let event: ScannedEvent
        do throws(EventBodyRefusal) {
            event = try scanners.scan(delivery.body)
        } catch {
            // Stripe would only send the same bytes again, so it is told to stop.
            return try await bury(delivery, eventID: nil, error.code, error.detail)
        }
        if let livemode = event.livemode, !delivery.endpoint.livemode.accepts(livemode) {
            return try await bury(
                delivery, eventID: event.id.rawValue, "livemode_mismatch",
                "the event's livemode is \(livemode), the endpoint takes "
                    + delivery.endpoint.livemode.rawValue)
        }
        switch try await admission.admit(event.identity, record: record(of: event, delivery)) {
        case .admitted:
            counters.add(.admitted)
            return .received(isDuplicate: false)
        case .duplicate:
            counters.add(.duplicates)
            return .received(isDuplicate: true)
        case .conflict:
            counters.add(.conflicts)
            logger.error("another event under a known id", metadata: ["event": "\(event.id)"])
            return try await bury(
                delivery, eventID: event.id.rawValue, "conflicting_event",
                "an event of this id with another type or creation time was stored before")
        }
    }

    /// Stores the raw bytes with the reason, and answers that they arrived.
    private func bury(
        _ delivery: Delivery, eventID: String?, _ reason: String, _ detail: String
    ) async throws(LogError) -> GateAnswer {
        let letter = DeadLetter(
            topic: "webhook", offset: nil, stage: "gate", reason: reason, detail: detail)
        let record = letter.record(
            key: eventID.map { ArraySlice($0.utf8) }, value: delivery.body[...], eventID: eventID,
            timestamp: delivery.arrived)
        _ = try await deadLetters.append([record])
        counters.add(.deadLetters)
        return .received(isDuplicate: false)
    }

    private func record(of event: ScannedEvent, _ delivery: Delivery) -> Record {
        Record(
            key: ArraySlice(event.id.rawValue.utf8), value: delivery.body[...],
            headers: [
                RecordHeader("endpoint", delivery.endpoint.name),
                RecordHeader("received-at", String(delivery.arrived.milliseconds)),
                RecordHeader("signature", delivery.signature),
                RecordHeader("event-id", event.id.rawValue),
                RecordHeader("source-offset", "-1"),
                RecordHeader("schema", "webhook.received/1"),
            ],
            timestamp: delivery.arrived)
    }

    /// What a client may know of the failure: enough to retry, nothing of paths or disks.
    private static func reason(of error: LogError) -> String {
        switch error {
        case .diskFull: "out of space; retry later"
        case .queueFull: "too many deliveries wait for the disk; retry later"
        case .closed, .cancelled: "shutting down; retry later"
        default: "cannot store deliveries now; retry later"
        }
    }
}

extension ScannedEvent {
    /// What a second delivery of the same event repeats.
    var identity: EventIdentity {
        EventIdentity(id: id, type: type ?? "", created: created ?? "")
    }
}

/// Scanners for whichever thread needs one: parsing keeps its buffers, and a scanner serves one
/// thread at a time.
final class ScannerPool: @unchecked Sendable {
    // `@unchecked Sendable`: `idle` is touched under `lock` alone, and a scanner that was taken
    // out is used by its taker alone until it is put back.
    private let lock = Mutex<Void>(())
    private var idle: [EventScanner] = []

    func scan(_ body: some Collection<UInt8>) throws(EventBodyRefusal) -> ScannedEvent {
        let scanner = lock.withLock { _ in idle.popLast() } ?? EventScanner()
        defer { lock.withLock { _ in idle.append(scanner) } }
        return try scanner.scan(body)
    }
}
