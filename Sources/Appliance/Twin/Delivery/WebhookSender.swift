package import AppendLog
import AsyncHTTPClient
import DequeModule
package import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import ServiceLifecycle
import Synchronization
import Traffic
import Vocabulary

/// How a sender delivers.
package struct DeliverySettings: Hashable, Sendable {
    /// Decides which events the faults strike, and the jitter.
    package var seed: UInt64 = 1
    package var schedule = RetrySchedule.quick
    var limits = DeliveryLimits()
    package var faults = DeliveryFaults()
    /// How long an endpoint may take to answer, in milliseconds.
    package var answerMillisecondsMax: Int64 = 10_000

    package init() {}
}

/// Delivers the twin's events to webhook endpoints, signed, as Stripe does.
///
/// It does the I/O for one ``DeliveryQueue`` for each endpoint, which decides everything. Without a
/// journal what is pending lives in memory only: after a restart nothing is tried again, and
/// whoever misses an event finds it in the API.
package final class WebhookSender: Service {
    private struct State {
        var taken = 0
        /// Events that no queue has seen yet.
        var inbox: Deque<TwinEvent> = []
        var queues: [DeliveryQueue] = []
        var signers: [String: WebhookSigner] = [:]
        var faults: DeliveryFaults
        var isDueAt: Int64?
        var endpoints: (@Sendable () -> [TwinEndpoint])?
    }

    /// Told of each attempt and what came of it.
    package typealias Listener = @Sendable (TwinEndpoint, Shipment, DeliveryOutcome) -> Void

    private let settings: DeliverySettings
    private let journal: DeliveryJournal?
    private let onAttempt: Listener?
    private let clock: any LogClock
    private let logger: Logger
    private let state: Mutex<State>
    private let wakeups: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation
    /// From the beginning of a request to its answer, over all endpoints.
    let latency = ConcurrentHistogram()

    /// The inbox takes more only while it is shorter; past it an event is lost for all endpoints.
    static let inboxMax = 100_000

    /// - Parameters:
    ///   - journal: keeps what is settled.
    ///   - clock: its wall clock stamps signatures, its monotonic clock times the attempts.
    package init(
        settings: DeliverySettings, journal: DeliveryJournal? = nil,
        clock: any LogClock = SystemLogClock(), logger: Logger, onAttempt: Listener? = nil
    ) {
        self.settings = settings
        self.journal = journal
        self.onAttempt = onAttempt
        self.clock = clock
        self.logger = logger
        state = Mutex(State(faults: settings.faults))
        (wakeups, wake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Says where to deliver to. Until then events wait.
    ///
    /// - Parameter endpoints: asked again and again, but never from ``offer(_:)``, so that it may
    ///   take the lock under which events are offered.
    package func follow(_ endpoints: @escaping @Sendable () -> [TwinEndpoint]) {
        state.withLock { $0.endpoints = endpoints }
        wake.yield()
    }

    // MARK: In

    /// Takes an event for delivery; returns at once, from any thread.
    func offer(_ event: TwinEvent) {
        if let endpoint = event.onlyTo { journal?.note(pending: event.id, endpoint: endpoint) }
        let isTaken = state.withLock { state in
            state.taken += 1
            guard state.inbox.count < Self.inboxMax else { return false }
            state.inbox.append(event)
            return true
        }
        if isTaken {
            wake.yield()
        } else {
            logger.warning(
                "event not delivered: the inbox is full", metadata: ["id": "\(event.id)"])
        }
    }

    /// Events offered so far, whatever became of them.
    var taken: Int { state.withLock { $0.taken } }

    /// Deliveries that are neither made nor given up.
    var backlog: Int {
        state.withLock { state in
            state.inbox.count + state.queues.reduce(0) { $0 + $1.pending }
        }
    }

    /// Sets one fault for all endpoints and all events to come.
    func set(_ fault: DeliveryFault, _ dose: DeliveryFaults.Dose) {
        state.withLock { state in
            state.faults[fault] = dose
            for index in state.queues.indices { state.queues[index].set(fault, dose) }
        }
    }

    /// See ``DeliveryFaults/delayMilliseconds``.
    func set(delayMilliseconds: Int64) {
        state.withLock { state in
            state.faults.delayMilliseconds = delayMilliseconds
            for index in state.queues.indices {
                state.queues[index].set(delayMilliseconds: delayMilliseconds)
            }
        }
    }

    /// Ends all faults.
    func clearFaults() {
        state.withLock { state in
            state.faults = DeliveryFaults()
            for index in state.queues.indices { state.queues[index].set(state.faults) }
        }
    }

    /// The faults as they were set last; what is left of their counts differs by endpoint.
    var faults: DeliveryFaults { state.withLock { $0.faults } }

    /// Where one endpoint stands.
    struct Standing: Sendable {
        var endpoint: TwinEndpoint
        var tally: DeliveryTally
        var faults: DeliveryFaults
        var pending: Int
        var inFlight: Int
    }

    /// Every endpoint's standing, in the order in which the twin lists them.
    func standings() -> [Standing] {
        state.withLock { state in
            state.queues.map {
                Standing(
                    endpoint: $0.endpoint, tally: $0.tally, faults: $0.faults,
                    pending: $0.pending, inFlight: $0.inFlight)
            }
        }
    }

    // MARK: Out

    /// Delivers until the group shuts down; what is in flight then is cut off.
    package func run() async throws {
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        configuration.timeout.connect = .milliseconds(settings.answerMillisecondsMax)
        // Back-off is the queue's; a refused connection is an answer like another.
        configuration.networkFrameworkWaitForConnectivity = false
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit =
            settings.limits.inFlightMax
        let client = HTTPClient(
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton, configuration: configuration)
        await cancelWhenGracefulShutdown { await self.dispatch(through: client) }
        try await client.shutdown()
    }

    private func dispatch(through client: HTTPClient) async {
        await withDiscardingTaskGroup { group in
            wake.yield()
            for await _ in wakeups {
                let due = takeDue()
                for departure in due {
                    group.addTask { await self.deliver(departure, through: client) }
                }
                setTimer(on: client.eventLoopGroup.any())
            }
            group.cancelAll()
        }
    }

    /// One attempt, with all it needs.
    private struct Departure: Sendable {
        var endpoint: TwinEndpoint
        var signer: WebhookSigner
        var shipment: Shipment
    }

    /// Hands new events to the queues and takes every attempt that is due and has room.
    private func takeDue() -> [Departure] {
        let endpoints = state.withLock { $0.endpoints }
        guard let wanted = endpoints?() else { return [] }
        let now = clock.monotonicMilliseconds()
        return state.withLock { state in
            adopt(wanted, &state)
            while let event = state.inbox.popFirst() {
                for index in state.queues.indices { state.queues[index].offer(event, at: now) }
            }
            var departures: [Departure] = []
            for index in state.queues.indices {
                noteSettled(&state.queues[index])
                let endpoint = state.queues[index].endpoint
                guard let signer = state.signers[endpoint.id] else { continue }
                while let shipment = state.queues[index].takeDue(at: now) {
                    departures.append(
                        Departure(endpoint: endpoint, signer: signer, shipment: shipment))
                }
            }
            return departures
        }
    }

    /// Follows the twin's list: a new endpoint gets a queue, one that is gone loses its own.
    private func adopt(_ wanted: [TwinEndpoint], _ state: inout State) {
        guard wanted != state.queues.map(\.endpoint) else { return }
        let known = Dictionary(uniqueKeysWithValues: state.queues.map { ($0.endpoint.id, $0) })
        state.queues = wanted.map { endpoint in
            guard var queue = known[endpoint.id] else {
                var queue = DeliveryQueue(
                    endpoint: endpoint, seed: settings.seed, schedule: settings.schedule,
                    limits: settings.limits)
                queue.set(state.faults)
                return queue
            }
            queue.update(endpoint)
            return queue
        }
        state.signers = Dictionary(
            uniqueKeysWithValues: wanted.map { ($0.id, WebhookSigner(secrets: $0.secrets)) })
    }

    /// Wakes the dispatcher when the next attempt is due, unless it will be woken before.
    private func setTimer(on loop: any EventLoop) {
        let now = clock.monotonicMilliseconds()
        let wait: Int64? = state.withLock { state in
            guard let due = state.queues.compactMap(\.nextDue).min() else { return nil }
            if let already = state.isDueAt, already > now, already <= due { return nil }
            state.isDueAt = due
            return max(1, due - now)
        }
        guard let wait else { return }
        loop.scheduleTask(in: .milliseconds(wait)) { [wake] in wake.yield() }
    }

    private func deliver(_ departure: Departure, through client: HTTPClient) async {
        let outcome = await attempt(departure, through: client)
        let now = clock.monotonicMilliseconds()
        let id = departure.endpoint.id
        state.withLock { state in
            // An endpoint that was deleted meanwhile has no queue any more.
            guard let index = state.queues.firstIndex(where: { $0.endpoint.id == id }) else {
                return
            }
            state.queues[index].finish(departure.shipment, outcome, at: now)
            noteSettled(&state.queues[index])
        }
        onAttempt?(departure.endpoint, departure.shipment, outcome)
        wake.yield()
    }

    private func noteSettled(_ queue: inout DeliveryQueue) {
        let settled = queue.takeSettled()
        journal?.note(settled: settled, endpoint: queue.endpoint.id)
    }

    private func attempt(
        _ departure: Departure, through client: HTTPClient
    ) async -> DeliveryOutcome {
        let began = ContinuousClock.now
        do {
            let response = try await client.execute(
                request(departure), timeout: .milliseconds(settings.answerMillisecondsMax))
            // Only a body that is read to its end leaves the connection fit for the next request.
            _ = try? await response.body.collect(upTo: Self.answerByteCountMax)
            latency.record(.now - began)
            return .answered(status: Int(response.status.code))
        } catch {
            return .unanswered(reason: Self.reason(of: error))
        }
    }

    /// The part of an answer that is read; Stripe has no use for it either.
    private static let answerByteCountMax = 64 << 10

    private func request(_ departure: Departure) -> HTTPClientRequest {
        let shipment = departure.shipment
        let body = shipment.event.body
        var request = HTTPClientRequest(url: departure.endpoint.url)
        request.method = .POST
        request.headers = [
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            "Accept": "*/*; q=0.5, application/xml", "Cache-Control": "no-cache",
        ]
        let now = Instant(seconds: clock.now().milliseconds / 1000)
        if let signature = departure.signer.header(
            for: body, at: now, forgery: shipment.forgery, isRotating: shipment.isRotating)
        {
            request.headers.add(name: "Stripe-Signature", value: signature)
        }
        request.body = .bytes(ByteBuffer(bytes: body))
        return request
    }

    /// A word for the statistics.
    private static func reason(of error: any Error) -> String {
        switch error {
        case let error as HTTPClientError where error == .deadlineExceeded: "timeout"
        case let error as HTTPClientError: error.shortDescription
        case is ChannelError, is IOError, is NIOConnectionError: "connection_failed"
        default: "\(type(of: error))"
        }
    }
}
