package import AppendLog
package import Logging
package import Vocabulary

/// What the gate says to a delivery. Its HTTP form is ``PortResponse``.
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
package final class Gate: Sendable {
    package let bodyByteCountMax: Int
    private let endpoints: [String: Endpoint]
    private let toleranceSeconds: Int64
    private let admission: any AdmissionStore
    private let deadLetters: any LetterStore
    private let answerPatience: Duration?
    private let scanner = EventScanner()
    private let clock: any LogClock
    private let counters: Counters
    private let logger: Logger
    private let refusals: RationedLog
    /// What the times of the signatures say about this machine's clock.
    package let clockSuspicion: ClockSuspicion

    private struct Endpoint: Sendable {
        var name: String
        var verifier: SignatureVerifier
        var livemode: WebhookEndpoint.Livemode
    }

    /// - Parameters:
    ///   - endpoints: where Stripe delivers to; the unnamed one is `/webhooks/stripe`.
    ///   - deadLetters: where deliveries go that are no events.
    ///   - answerPatience: after which a delivery is answered whatever the stores wait for; nil
    ///     where they wait for nothing but the disk.
    ///   - clock: gives the arrival time and the "now" of the signature's tolerance.
    package init(
        endpoints: [WebhookEndpoint], toleranceSeconds: Int64, bodyByteCountMax: Int,
        admission: any AdmissionStore, deadLetters: any LetterStore,
        answerPatience: Duration? = nil, clock: any LogClock, counters: Counters, logger: Logger
    ) {
        self.endpoints = Dictionary(
            endpoints.map {
                (
                    $0.name,
                    Endpoint(
                        name: $0.name, verifier: SignatureVerifier(secrets: $0.secrets),
                        livemode: $0.livemode)
                )
            }, uniquingKeysWith: { first, _ in first })
        self.toleranceSeconds = toleranceSeconds
        self.bodyByteCountMax = bodyByteCountMax
        self.admission = admission
        self.deadLetters = deadLetters
        self.answerPatience = answerPatience
        self.clock = clock
        self.counters = counters
        self.logger = logger
        refusals = RationedLog(logger: logger)
        clockSuspicion = ClockSuspicion(clock: clock)
    }

    /// Takes one delivery through signature, scan and admission.
    ///
    /// - Parameters:
    ///   - name: the endpoint's name; empty for the unnamed one.
    ///   - signature: the value of `Stripe-Signature`, if there is one.
    ///   - body: the raw bytes.
    ///   - completion: called once, on the caller's or on the log's thread: be quick there.
    func receive(
        endpoint name: String, signature: String?, body: [UInt8],
        completion: @escaping @Sendable (GateAnswer) -> Void
    ) {
        guard let endpoint = endpoints[name] else { return completion(.unknownEndpoint(name)) }
        let now = clock.now()
        do throws(SignatureRefusal) {
            let arrived = Instant(seconds: now.milliseconds / 1000)
            let signedAt = try endpoint.verifier.verify(
                header: signature, body: body[...], now: arrived,
                toleranceSeconds: toleranceSeconds)
            clockSuspicion.noteGood(signedAt: signedAt, arrived: arrived)
        } catch {
            note(error, of: endpoint, byteCount: body.count)
            return completion(.refused(code: error.code, message: error.message))
        }
        let delivery = Delivery(
            endpoint: endpoint, signature: signature ?? "", body: body, arrived: now)
        let answer: Completion = { [self] result in
            switch result {
            case .success(let answer):
                counters.standstills.outsideAnswers()
                completion(answer)
            case .failure(let error): completion(unavailable(error))
            }
        }
        guard let answerPatience else { return store(delivery, answer) }
        let late = StoreFailure.outside("a delivery was not stored within \(answerPatience)")
        let timed = TimedAnswer(within: answerPatience, orElse: .failure(late), answer)
        store(delivery) { timed.give($0) }
    }

    private func note(_ refusal: SignatureRefusal, of endpoint: Endpoint, byteCount: Int) {
        counters.add(.signatureRefused)
        counters.signatureCodes.add(refusal.code)
        clockSuspicion.note(refusal)
        refusals.warning(
            "delivery refused", kind: refusal.code,
            [
                "detail": Self.advice(refusal), "endpoint": endpoint.name,
                "bytes": "\(byteCount)",
            ])
    }

    /// What an operator should look at; unlike the answer it may speak of this machine.
    private static func advice(_ refusal: SignatureRefusal) -> String {
        switch refusal {
        case .tooOld(let seconds): ClockSuspicion.sentence(aheadSeconds: seconds)
        case .tooNew(let seconds): ClockSuspicion.sentence(aheadSeconds: -seconds)
        case .noMatch:
            refusal.message + " Compare the signing secret in Stripe's dashboard with this one's."
        case .missing, .malformed: refusal.message
        }
    }

    /// The same for a task.
    func receive(endpoint name: String, signature: String?, body: [UInt8]) async -> GateAnswer {
        await withCheckedContinuation { continuation in
            receive(endpoint: name, signature: signature, body: body) {
                continuation.resume(returning: $0)
            }
        }
    }

    /// A delivery whose signature holds.
    private struct Delivery {
        var endpoint: Endpoint
        var signature: String
        var body: [UInt8]
        var arrived: Timestamp
    }

    private typealias Completion = @Sendable (Result<GateAnswer, StoreFailure>) -> Void

    private func store(_ delivery: Delivery, _ completion: @escaping Completion) {
        let event: ScannedEvent
        do throws(EventBodyRefusal) {
            event = try scanner.scan(delivery.body)
        } catch {
            // Stripe would only send the same bytes again, so it is told to stop.
            return bury(delivery, eventID: nil, error.code, error.detail, completion)
        }
        guard !ReconciledRecord.isReserved(type: event.type ?? ""),
            !ReconciledRecord.isReserved(id: event.id)
        else {
            return bury(
                delivery, eventID: event.id.rawValue, "reserved_type",
                "the types tillbox.… and the ids evt_tillbox_… are this daemon's own and come "
                    + "from nobody else", completion)
        }
        if let livemode = event.livemode, !delivery.endpoint.livemode.accepts(livemode) {
            return bury(
                delivery, eventID: event.id.rawValue, "livemode_mismatch",
                "the event's livemode is \(livemode), the endpoint takes "
                    + delivery.endpoint.livemode.rawValue, completion)
        }
        let record = Record.received(
            delivery.body[...], id: event.id, endpoint: delivery.endpoint.name,
            signature: delivery.signature, receivedAt: delivery.arrived)
        admission.admit(event.identity, record: record) { [self] result in
            switch result {
            case .success(.admitted(let place)):
                counters.add(.admitted)
                logger.debug(
                    "delivery admitted",
                    metadata: ["stage": "gate", "event_id": "\(event.id)", "at": "\(place)"])
                completion(.success(.received(isDuplicate: false)))
            case .success(.duplicate):
                counters.add(.duplicates)
                logger.debug(
                    "delivery known", metadata: ["stage": "gate", "event_id": "\(event.id)"])
                completion(.success(.received(isDuplicate: true)))
            case .success(.conflict):
                counters.add(.conflicts)
                logger.error(
                    "another event under a known id", metadata: ["event_id": "\(event.id)"])
                bury(
                    delivery, eventID: event.id.rawValue, "conflicting_event",
                    "an event of this id with another type or creation time was stored before",
                    completion)
            case .failure(let error):
                completion(.failure(error))
            }
        }
    }

    /// Stores the raw bytes with the reason, and answers that they arrived.
    private func bury(
        _ delivery: Delivery, eventID: String?, _ reason: String, _ detail: String,
        _ completion: @escaping Completion
    ) {
        let letter = DeadLetter(
            topic: "webhook", offset: nil, stage: "gate", reason: reason, detail: detail)
        let record = letter.record(
            key: eventID.map { ArraySlice($0.utf8) }, value: delivery.body[...], eventID: eventID,
            timestamp: delivery.arrived)
        deadLetters.keep([record]) { [counters, refusals] result in
            if case .success = result {
                counters.add(.deadLetters)
                refusals.warning(
                    "delivery kept as a dead letter", kind: reason,
                    [
                        "detail": detail, "endpoint": delivery.endpoint.name,
                        "event_id": eventID ?? "",
                    ])
            }
            completion(result.map { _ in .received(isDuplicate: false) })
        }
    }

    private func unavailable(_ error: StoreFailure) -> GateAnswer {
        counters.add(.unavailable)
        switch error {
        case .broken(let why): counters.standstills.broke(why)
        case .outside(let why), .refused(let why): counters.standstills.outsideFails(why)
        case .tooLarge(let why): counters.standstills.foundTooLarge(why)
        case .outOfSpace: counters.standstills.foundNoRoom()
        case .queueFull, .pending, .stopping: break
        }
        refusals.warning(
            "delivery answered with 503", kind: "unavailable", ["error": "\(error)"])
        return .unavailable(reason: Self.reason(of: error))
    }

    /// What a client may know of the failure: enough to retry, nothing of paths or disks.
    private static func reason(of error: StoreFailure) -> String {
        switch error {
        case .outOfSpace: "out of space; retry later"
        case .queueFull: "too many deliveries wait for the disk; retry later"
        case .pending: "the same event is under way; retry later"
        case .stopping: "shutting down; retry later"
        case .tooLarge: "the event is larger than can be stored now; retry later"
        case .broken, .outside, .refused: "cannot store deliveries now; retry later"
        }
    }
}

extension ScannedEvent {
    /// What a second delivery of the same event repeats.
    var identity: EventIdentity {
        EventIdentity(id: id, type: type ?? "", created: created ?? "")
    }
}
