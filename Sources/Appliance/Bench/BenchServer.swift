import AppendLog
import Appliance
import Daemon
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOHTTP1
import ServiceLifecycle
import Terminal
import Twin
import Vocabulary

/// The server that a benchmark measures, in a process of its own, so that its processor time and
/// memory are its own too.
///
/// It tells its ports on standard output, a line each, and then answers each line that it reads on
/// standard input with one line of JSON; the end of the input stops it:
///
///     → read      what it has counted and used so far
///     → settle    the same, once nothing has moved for a second and the ledger has read all
struct BenchServer {
    /// How much of the daemon stands behind the port.
    enum Kind: String, CaseIterable, Sendable {
        /// An answer without a body, nothing else: what HTTP alone costs.
        case empty
        /// Signature, admission, the synced log.
        case gate
        /// The whole daemon.
        case whole
        /// Stripe's stand-in, in memory.
        case twin
        /// The twin's HTTP server with an answer without a body, nothing else.
        case emptyTwin = "empty-twin"

        /// The roles of the ports it opens, the one that is measured first.
        var roles: [String] {
            switch self {
            case .empty, .gate: ["webhook"]
            case .whole: ["webhook", "admin"]
            case .twin, .emptyTwin: ["twin"]
            }
        }
    }

    /// The environment variable with the secret that the traffic is signed with.
    static let secretVariable = "TILLBOX_BENCH_SECRET"
    /// The environment variable with the address of Stripe's stand-in, where there is one.
    static let stripeVariable = "TILLBOX_BENCH_STRIPE"

    let kind: Kind
    let folder: String
    let secret: String
    /// Where the whole daemon finds Stripe; nil for nowhere.
    var stripeBase: String?

    /// What it prints of each port, once that is open.
    struct Greeting: Codable, Sendable {
        var role: String
        var port: Int
    }

    /// What it answers to a command.
    struct Reading: Codable, Sendable {
        /// Microseconds of processor time since the start.
        var processorMicroseconds: Double
        /// Bytes resident now and at most so far.
        var memoryBytes: Double
        var memoryPeakBytes: Double
        var counters: [String: Int] = [:]
        /// Movements of the kind `payment` that the ledger has booked, each once; after `settle`.
        var payments = 0
        /// When something moved last, on the machine's monotonic clock; after `settle`.
        var settledAtNanoseconds: Int64 = 0
        /// Webhook to commit, in milliseconds: p50, p99.
        var endToEndMilliseconds: [Double] = []
        /// Request to answer inside the server, in milliseconds: p50, p99.
        var acknowledgedMilliseconds: [Double] = []
    }

    func run() async throws {
        let logger = Logger(label: "bench")
        switch kind {
        case .empty: try await serveEmpty(logger)
        case .gate: try await serveGate(logger)
        case .whole: try await serveWhole(logger)
        case .twin:
            let live = try LiveTwin(
                TwinSettings(), delivery: DeliverySettings(), logger: logger)
            try await serveTwin(live.router(), logger)
        case .emptyTwin: try await serveTwin(Self.emptyRouter(), logger)
        }
    }

    private static let address = Settings.Address(host: "127.0.0.1", port: 0)

    private func serveEmpty(_ logger: Logger) async throws {
        let counters = Counters()
        let talk = BenchTalk(counters: counters)
        let http = PortService(
            role: "webhook", address: Self.address, responder: EmptyAnswer(), logger: logger
        ) { talk.greet("webhook", port: $0) }
        try await Self.run(http, talk, logger)
    }

    private func serveTwin(
        _ router: Router<BasicRequestContext>, _ logger: Logger
    ) async throws {
        let talk = BenchTalk(counters: Counters())
        let http = HTTPService(
            role: "twin", address: Self.address, options: (host: nil, port: "the port"),
            responder: router.buildResponder(),
            server: .http1(), logger: logger
        ) { talk.greet("twin", port: $0) }
        try await Self.run(http, talk, logger)
    }

    private static func emptyRouter() -> Router<BasicRequestContext> {
        let router = Router(context: BasicRequestContext.self)
        for method in [HTTPRequest.Method.get, .post] {
            router.on("/v1/**", method: method) { request, _ in
                _ = try await request.body.collect(upTo: TwinRoutes.bodyByteCountMax)
                return Response(status: .ok)
            }
        }
        return router
    }

    private func serveGate(_ logger: Logger) async throws {
        let counters = Counters()
        let plane = try EmbeddedPlane(
            logAt: folder + "/log", gateSnapshot: folder + "/index.snapshot", settings: settings,
            counters: counters, logger: logger)
        let talk = BenchTalk(counters: counters)
        let http = PortService(
            role: "webhook", address: Self.address,
            responder: WebhookRoutes(gate: plane.gate(), counters: counters), logger: logger
        ) { talk.greet("webhook", port: $0) }
        try await Self.run(http, talk, logger)
        await plane.log.close()
    }

    private static func run(_ http: any Service, _ talk: BenchTalk, _ logger: Logger) async throws {
        let configuration = ServiceGroupConfiguration(
            services: [
                .init(service: http),
                .init(service: talk, successTerminationBehavior: .gracefullyShutdownGroup),
            ], logger: logger)
        try await ServiceGroup(configuration: configuration).run()
    }

    private func serveWhole(_ logger: Logger) async throws {
        let daemon = try Daemon(settings: settings, logger: logger)
        let talk = BenchTalk(counters: daemon.counters, daemon: daemon)
        try await daemon.run(
            extra: [.init(service: talk, successTerminationBehavior: .gracefullyShutdownGroup)]
        ) { talk.greet($0, port: $1) }
    }

    /// Those of the whole daemon.
    var settings: Settings {
        var settings = Settings()
        settings.dataPath = folder
        settings.webhook = Self.address
        settings.admin = Self.address
        settings.endpoints = [WebhookEndpoint(name: "", secrets: [secret], livemode: .test)]
        if let stripeBase {
            settings.stripeBase = stripeBase
            settings.stripeKey = TwinSettings().apiKeys[0]
        }
        return settings
    }
}

/// Answers the benchmark's lines until they end.
struct BenchTalk: Service {
    let counters: Counters
    var daemon: Daemon?

    /// Milliseconds between two looks at the topics while they settle.
    private static let lookMilliseconds: Int64 = 1
    /// Nanoseconds without a change after which nothing more is expected.
    private static let quietNanoseconds: Int64 = 1_000_000_000

    func greet(_ role: String, port: Int) {
        Self.say(BenchServer.Greeting(role: role, port: port))
    }

    func run() async throws {
        try await cancelWhenGracefulShutdown { try await answerAll() }
    }

    private func answerAll() async throws {
        for await command in Self.lines() {
            Self.say(command == "settle" ? try await settled() : reading())
        }
    }

    /// Standard input, line by line, read by a thread that may block.
    private static func lines() -> AsyncStream<String> {
        AsyncStream { continuation in
            Thread.detachNewThread {
                while let line = readLine() { continuation.yield(line) }
                continuation.finish()
            }
        }
    }

    private static func say(_ words: some Encodable) {
        guard let data = try? JSONEncoder().encode(words) else {
            preconditionFailure("numbers must encode")
        }
        // A parent that has gone needs no answer.
        try? Output.standard.write(Array(data) + [UInt8(ascii: "\n")])
    }

    private func reading() -> BenchServer.Reading {
        var reading = BenchServer.Reading(
            processorMicroseconds: BenchProcess.processorMicroseconds(),
            memoryBytes: BenchProcess.memoryBytes("VmRSS"),
            memoryPeakBytes: BenchProcess.memoryBytes("VmHWM"))
        for name in Counters.Name.allCases { reading.counters[name.label] = counters[name] }
        reading.endToEndMilliseconds = Self.milliseconds(counters.endToEnd)
        reading.acknowledgedMilliseconds = Self.milliseconds(counters.acknowledged)
        return reading
    }

    private static func milliseconds(_ histogram: ConcurrentHistogram) -> [Double] {
        histogram.quantiles([0.5, 0.99]).map { Double($0) / 1000 }
    }

    /// Waits until the topics stand still and the ledger has read what was scored.
    private func settled() async throws -> BenchServer.Reading {
        guard let daemon else { return reading() }
        var marks = Self.marks(of: daemon)
        var last = BenchProcess.monotonicNanoseconds()
        var used = reading()
        var isQuiet = false
        while !isQuiet {
            try await Task.sleep(for: .milliseconds(Self.lookMilliseconds))
            let (now, seen) = (BenchProcess.monotonicNanoseconds(), Self.marks(of: daemon))
            if seen != marks {
                (marks, last) = (seen, now)
                used = reading()
            }
            isQuiet = now - last > Self.quietNanoseconds && Self.hasReadAll(daemon)
        }
        used.settledAtNanoseconds = last
        // Counted after the clock has stopped.
        used.payments = try Self.payments(in: daemon.topics[.ledgerPosted])
        return used
    }

    private static func marks(of daemon: Daemon) -> [Int64] {
        TopicID.allCases.map { daemon.topics[$0].highWatermark.rawValue }
    }

    private static func hasReadAll(_ daemon: Daemon) -> Bool {
        [TopicID.paymentScored, .paymentReview].allSatisfy { id in
            let position = (try? daemon.ledger.position(topic: id.rawValue)) ?? nil
            return (position ?? 0) >= daemon.topics[id].highWatermark.rawValue
        }
    }

    private static func payments(in posted: Topic) throws -> Int {
        let document = JSONDocument()
        var count = 0
        var next = posted.start
        while next < posted.highWatermark {
            let records = try posted.read(from: next)
            guard let last = records.last else { break }
            for stored in records {
                let transaction = try LedgerPosted(stored.record.value ?? [], using: document)
                if transaction.kind == PaymentKind.payment.rawValue { count += 1 }
            }
            next = last.offset.advanced(by: 1)
        }
        return count
    }
}

/// An empty 200 to everything: the webhook port without the gate.
private struct EmptyAnswer: PortResponder {
    let bodyByteCountMax = 1 << 20

    func respond(
        to request: PortRequest, completion: @escaping @Sendable (PortResponse) -> Void
    ) {
        completion(Self.ok)
    }

    func count(_ refusal: Counters.Name) {}

    private static let ok = PortResponse(.ok, json: [])
}
