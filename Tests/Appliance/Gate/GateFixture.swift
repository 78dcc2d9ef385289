import AppendLog
import Foundation
import FoundationNetworking
import Logging
import Synchronization
import TestSupport
import Testing

@testable import Appliance
@testable import Vocabulary

/// A gate over a real log in a fresh folder, with its clock in the test's hand.
final class GateFixture: Sendable {
    static let secret = "whsec_first"
    static let rotated = "whsec_second"

    let folder: TemporaryFolder
    let log: Log
    let topics: Topics
    let admission: LogAdmission
    let counters = Counters()
    let clock: SetClock
    let gate: Gate

    init(
        livemode: WebhookEndpoint.Livemode = .test, disk: any Disk = PosixDisk(),
        scheduler: any LogScheduler = DispatchScheduler(),
        configuration: LogConfiguration = LogConfiguration(), at path: String? = nil
    ) throws {
        folder = try TemporaryFolder()
        clock = SetClock()
        log = try Log.open(
            at: path ?? folder.file("log"), disk: disk, clock: clock, scheduler: scheduler,
            configuration: configuration)
        topics = try Topics(of: log)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        admission = try AdmissionSnapshot.restore(
            from: folder.file("index.snapshot"), topic: topics[.webhookReceived], logger: logger)
        gate = Gate(
            endpoints: [
                WebhookEndpoint(
                    name: "", secrets: [Self.secret, Self.rotated], livemode: livemode),
                WebhookEndpoint(name: "eu", secrets: ["whsec_eu"], livemode: .any),
            ], toleranceSeconds: 300, bodyByteCountMax: 1 << 20, admission: admission,
            deadLetters: LogLetters(topic: topics[.deadLetter]), clock: clock, counters: counters,
            logger: logger)
    }

    /// Runs the gate behind its real HTTP server while `body` talks to it.
    func serve(
        _ limits: PortLimits = PortLimits(),
        _ body: @escaping @Sendable (GateClient) async throws -> Void
    ) async throws {
        let ports = AsyncStream<Int>.makeStream()
        let server = PortServer(
            host: "127.0.0.1", port: 0, responder: WebhookRoutes(gate: gate, counters: counters),
            limits: limits
        ) { ports.continuation.yield($0) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            for await port in ports.stream {
                try await body(GateClient(port: port))
                break
            }
            group.cancelAll()
        }
    }

    /// The `Stripe-Signature` of a body, by our own signer, at the fixture's time unless told
    /// otherwise.
    func signature(_ body: String, secret: String = secret, age: Int64 = 0) -> String {
        StripeSignature.header(
            signing: ArraySlice(body.utf8),
            at: Instant(seconds: clock.now().milliseconds / 1000 - age), secrets: [secret])
    }

    func records(_ topic: TopicID) throws -> [StoredRecord] {
        try topics[topic].read(from: topics[topic].start, byteCountMax: 64 << 20)
    }

    /// The only dead letter's header, as text.
    func deadLetter(_ header: String) throws -> String? {
        let letters = try records(.deadLetter)
        guard letters.count == 1 else { return nil }
        return letters[0].record.header(header).map { String(decoding: $0, as: UTF8.self) }
    }

    static func event(
        id: String = "evt_1", type: String = "charge.succeeded", created: Int = 1_700_000_000,
        livemode: Bool = false
    ) -> String {
        """
        {"id":"\(id)","object":"event","type":"\(type)","created":\(created),\
        "livemode":\(livemode),"data":{"object":{"id":"ch_1","object":"charge"}}}
        """
    }
}

/// A clock that stands still until it is moved.
final class SetClock: LogClock {
    private let milliseconds = Atomic<Int64>(1_700_000_000_000)

    func now() -> Timestamp { Timestamp(milliseconds: milliseconds.load(ordering: .relaxed)) }
    func monotonicMilliseconds() -> Int64 { milliseconds.load(ordering: .relaxed) }
}

/// A plain HTTP client for one server.
struct GateClient {
    var port: Int

    /// What came back.
    struct Answer {
        var status: Int
        var body: String
        var retryAfter: String?
    }

    /// Posts a delivery.
    func deliver(
        _ body: String, signature: String?, to path: String = "/webhooks/stripe"
    ) async throws -> Answer {
        let url = try #require(URL(string: "http://127.0.0.1:\(port)\(path)"))
        var request = URLRequest(url: url)
        request.httpMethod = "POST"
        request.httpBody = Data(body.utf8)
        if let signature { request.setValue(signature, forHTTPHeaderField: "Stripe-Signature") }
        let (data, response) = try await URLSession.shared.data(for: request)
        let http = try #require(response as? HTTPURLResponse)
        return Answer(
            status: http.statusCode, body: String(decoding: data, as: UTF8.self),
            retryAfter: http.value(forHTTPHeaderField: "Retry-After"))
    }
}
