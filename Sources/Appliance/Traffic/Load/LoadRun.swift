import Glibc
import Foundation
import NIOCore
import NIOPosix
import Vocabulary

/// One run of the load client.
///
/// ```
///            due, connection idle           answer
///  plan ──▶ intended ─────────────▶ in flight ────▶ tally
///              ▲                      │ 5xx, lost, late
///              └────── waiting ◀──────┘
/// ```
///
/// `@unchecked Sendable`: every property is touched on `loop` alone.
final class LoadRun: @unchecked Sendable {
    private struct Waiting {
        var due: NIODeadline
        var attempt: LoadAttempt
    }

    /// Timers closer together than this cost more than they are worth.
    private static let tickMin = TimeAmount.microseconds(100)
    private static let sweepEvery = TimeAmount.milliseconds(100)
    private static let progressEverySweeps = 5

    private let settings: LoadClient.Settings
    private let loop: any EventLoop
    private let promise: EventLoopPromise<Result<LoadResult, LoadError>>
    private let acknowledged: (@Sendable (StreamedEvent) -> Void)?
    private let progress: (@Sendable (LoadProgress) -> Void)?
    private let signer: WebhookSigner
    private let head: [UInt8]

    private var plan: DeliveryPlan
    private var planIsDone = false
    private var begun = 0
    private var waiting: [Waiting] = []
    private var connections: [ObjectIdentifier: LoadConnection] = [:]
    private var idle: [LoadConnection] = []
    private var inFlight = 0
    private var connectFailures = 0
    private var tally = LoadTally()

    /// When the first connection opened; the schedule begins there.
    private var start: NIODeadline?
    private let processorStart = processorNanoseconds()
    private var lastAnswer = NIODeadline.now()
    private var tick: Scheduled<Void>?
    private var tickAt = NIODeadline.distantFuture
    private var sweep: RepeatedTask?
    private var sweeps = 0
    private var connecting = 0
    private var outcome: Result<LoadResult, LoadError>?
    private var isOver: Bool { outcome != nil }

    init(
        _ settings: LoadClient.Settings, plan: DeliveryPlan, loop: any EventLoop,
        promise: EventLoopPromise<Result<LoadResult, LoadError>>,
        acknowledged: (@Sendable (StreamedEvent) -> Void)?,
        progress: (@Sendable (LoadProgress) -> Void)?
    ) {
        self.settings = settings
        self.plan = plan
        self.loop = loop
        self.promise = promise
        self.acknowledged = acknowledged
        self.progress = progress
        signer = WebhookSigner(secrets: [settings.secret])
        head = Array(
            """
            POST \(settings.target.path) HTTP/1.1\r
            Host: \(settings.target.hostHeader)\r
            Content-Type: application/json; charset=utf-8\r
            User-Agent: Stripe/1.0 (+https://stripe.com/docs/webhooks)\r

            """.utf8)
    }

    func begin() {
        loop.assertInEventLoop()
        for _ in 0..<settings.connections { connect() }
        sweep = loop.scheduleRepeatedTask(
            initialDelay: Self.sweepEvery, delay: Self.sweepEvery
        ) { [self] _ in sweepUp() }
    }

    // MARK: Connections

    private func connect() {
        guard !isOver else { return }
        connecting += 1
        ClientBootstrap(group: loop)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .connectTimeout(.seconds(5))
            .channelInitializer { [self] channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(LoadConnection(run: self))
                }
            }
            .connect(host: settings.target.host, port: settings.target.port)
            .whenComplete { [self] attempt in didConnect(attempt) }
    }

    /// The handler has told of a connection that succeeded; here only its failure counts.
    private func didConnect(_ attempt: Result<any Channel, any Error>) {
        loop.assertInEventLoop()
        connecting -= 1
        if outcome != nil { return endIfQuiet() }
        guard case .failure = attempt else { return }
        connectFailures += 1
        if start == nil, settings.retry != .untilAcknowledged {
            let target = settings.target
            return finish(.failure(.cannotConnect(host: target.host, port: target.port)))
        }
        reconnectLater()
    }

    private func reconnectLater() {
        guard !isOver else { return }
        // All connections fail together when a server is away, so the failures are shared out.
        let wait = Self.wait(beforeAttempt: connectFailures / settings.connections)
        loop.scheduleTask(in: wait) { [self] in connect() }
    }

    func didOpen(_ connection: LoadConnection) {
        guard !isOver else { return connection.close() }
        if start == nil { start = .now() }
        connectFailures = 0
        connections[ObjectIdentifier(connection)] = connection
        idle.append(connection)
        pump()
    }

    func didClose(_ connection: LoadConnection) {
        guard connections.removeValue(forKey: ObjectIdentifier(connection)) != nil else { return }
        guard !isOver else { return }
        idle.removeAll { $0 === connection }
        if let attempt = connection.attempt {
            tally.connectionsLost += 1
            inFlight -= 1
            tryAgain(attempt)
        }
        connectFailures += 1
        reconnectLater()
        pump()
    }

    // MARK: Answers

    func didAnswer(
        _ raw: HTTPAnswerReader.Answer, to attempt: LoadAttempt, on connection: LoadConnection?
    ) {
        guard !isOver else { return }
        inFlight -= 1
        lastAnswer = .now()
        if let connection { idle.append(connection) }
        let answer = LoadAnswer(raw)
        if answer.mayBeRetried, !isLast(attempt) {
            tryAgain(attempt)
        } else {
            tally.noteAnswer(answer, to: attempt.delivery)
            let latency = lastAnswer - attempt.intended
            tally.latency.record(UInt64(max(0, latency.nanoseconds)))
            if answer.status == 200, attempt.delivery.forgery == nil {
                acknowledged?(attempt.delivery.event)
            }
        }
        pump()
    }

    private func isLast(_ attempt: LoadAttempt) -> Bool {
        switch settings.retry {
        case .untilAcknowledged: false
        case .bounded(let attempts): attempt.made >= attempts
        }
    }

    private func tryAgain(_ attempt: LoadAttempt) {
        guard !isLast(attempt) else {
            tally.abandoned += 1
            return
        }
        if attempt.delivery.forgery == nil { tally.ambiguous += 1 }
        waiting.append(
            Waiting(due: .now() + Self.wait(beforeAttempt: attempt.made), attempt: attempt))
    }

    private static func wait(beforeAttempt attempt: Int) -> TimeAmount {
        let (first, longest) = LoadClient.retryWait
        return min(longest, first * (1 << min(max(attempt - 1, 0), 16)))
    }

    // MARK: Sending

    /// Sends what is due on the connections that are idle, and sets the timer for what is not.
    private func pump() {
        guard !isOver else { return }
        let now = NIODeadline.now()
        while !idle.isEmpty, let attempt = nextDue(at: now) { send(attempt, at: now) }
        if planIsDone, inFlight == 0, waiting.isEmpty {
            return finish(.success(result()))
        }
        setTimer(from: now)
    }

    private func send(_ attempt: LoadAttempt, at now: NIODeadline) {
        guard let connection = idle.popLast() else { return }
        var attempt = attempt
        attempt.made += 1
        tally.attempts += 1
        inFlight += 1
        let header = attempt.delivery.signatureHeader(
            at: Instant(seconds: wallClockMilliseconds() / 1000), by: signer)
        connection.send(attempt, head: head, signature: header, at: now)
    }

    private func nextDue(at now: NIODeadline) -> LoadAttempt? {
        if let index = waiting.firstIndex(where: { $0.due <= now }) {
            tally.retries += 1
            return waiting.remove(at: index).attempt
        }
        guard !planIsDone, waiting.count < LoadClient.waitingMax else { return nil }
        let intended = intendedTime(now: now)
        guard intended <= now else { return nil }
        guard let delivery = plan.next() else {
            planIsDone = true
            return nil
        }
        begun += 1
        tally.noteDelivery(delivery)
        return LoadAttempt(delivery: delivery, intended: intended)
    }

    private func intendedTime(now: NIODeadline) -> NIODeadline {
        guard settings.rate > 0, let start else { return now }
        return start + .nanoseconds(Int64(Double(begun) / settings.rate * 1e9))
    }

    private func setTimer(from now: NIODeadline) {
        // Without an idle connection the next answer or connection pumps.
        guard !idle.isEmpty else { return }
        var next = waiting.map(\.due).min() ?? .distantFuture
        if !planIsDone, waiting.count < LoadClient.waitingMax {
            next = min(next, intendedTime(now: now))
        }
        next = max(next, now + Self.tickMin)
        guard next < tickAt || tickAt <= now else { return }
        tick?.cancel()
        tickAt = next
        tick = loop.scheduleTask(deadline: next) { [self] in
            tickAt = .distantFuture
            pump()
        }
    }

    // MARK: Watching

    /// Closes connections whose answer is late, gives up on a server that is gone, reports.
    private func sweepUp() {
        let now = NIODeadline.now()
        for connection in Array(connections.values)
        where connection.attempt != nil && now - connection.sentAt > settings.answerTimeout {
            tally.timeouts += 1
            connection.close()
        }
        let isOwed = inFlight > 0 || !waiting.isEmpty || connections.isEmpty
        // At a low rate nobody is silent while nothing is asked.
        if !isOwed { lastAnswer = now }
        if now - lastAnswer > settings.patience {
            let seconds = Int(settings.patience.nanoseconds / 1_000_000_000)
            return finish(
                .failure(
                    start != nil
                        ? .silent(seconds: seconds)
                        : .cannotConnect(host: settings.target.host, port: settings.target.port)))
        }
        sweeps += 1
        if sweeps % Self.progressEverySweeps == 0 { progress?(currentProgress(at: now)) }
    }

    private func currentProgress(at now: NIODeadline) -> LoadProgress {
        LoadProgress(
            answered: tally.answered, attempts: tally.attempts, elapsed: now - (start ?? now),
            latencyAt99: tally.latency.value(atShare: 0.99), open: connections.count)
    }

    private func result() -> LoadResult {
        tally.close()
        let now = NIODeadline.now()
        return LoadResult(
            tally: tally, elapsed: now - (start ?? now),
            processorTime: .nanoseconds(processorNanoseconds() - processorStart))
    }

    private func finish(_ outcome: Result<LoadResult, LoadError>) {
        guard !isOver else { return }
        self.outcome = outcome
        tick?.cancel()
        sweep?.cancel()
        for connection in Array(connections.values) { connection.close() }
        endIfQuiet()
    }

    /// The loop may be shut down once no attempt to connect can call back any more.
    private func endIfQuiet() {
        guard let outcome, connecting == 0 else { return }
        promise.succeed(outcome)
    }
}

private func wallClockMilliseconds() -> Int64 {
    Int64(Date().timeIntervalSince1970 * 1000)
}

/// Processor time of this process so far.
private func processorNanoseconds() -> Int64 {
    // POSIX fixes CLOCKS_PER_SEC at one million.
    Int64(clock()) * 1_000
}
