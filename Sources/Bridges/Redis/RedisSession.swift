/// What runs on a client's thread: it carries out what `RedisLife` and `RedisPipeline` decide.
final class RedisSession {
    private let configuration: RedisConfiguration
    private let mailbox: RedisMailbox
    private let resolver: NameLookup.Resolver
    private var life: RedisLife
    private var pipeline: RedisPipeline<RedisCall>
    private var generator = SystemRandomNumberGenerator()
    private var link: RedisLink?
    private var lookup: NameLookup?
    /// Where to try next, in the resolver's order.
    private var addresses: ArraySlice<SocketAddress> = []
    /// When the server last answered, or the connection became ready.
    private var lastSign = ContinuousClock.now
    private var statistics = RedisStatistics()

    init(
        _ configuration: RedisConfiguration, _ mailbox: RedisMailbox,
        _ resolver: @escaping NameLookup.Resolver
    ) {
        self.configuration = configuration
        self.resolver = resolver
        self.mailbox = mailbox
        life = RedisLife(configuration)
        pipeline = RedisPipeline(commandsMax: configuration.pipelineCommandsMax)
    }

    /// Serves the mailbox until it is closed and everything is answered. It blocks.
    func run() {
        act(life.begin(at: .now))
        var isOpen = true
        while isOpen {
            let now = ContinuousClock.now
            refreshStatistics()
            let (calls, isClosing) = mailbox.take(statistics)
            for call in calls { admit(call) }
            act(life.timePassed(now, using: &generator))
            connect()
            let hasMoved = exchange(now)
            expire(now)
            pingIfIdle(now, isClosing)
            isOpen = !isClosing || pipeline.queuedCount + pipeline.underWayCount > 0
            if isOpen, !hasMoved { sleep(isClosing: isClosing) }
        }
        life.close()
        link = nil
        refreshStatistics()
        mailbox.didClose(statistics)
    }

    private func admit(_ call: RedisCall) {
        if let refusal = life.refusal {
            settle(call, .failure(.notSent(refusal)))
        } else {
            pipeline.enqueue(call, call.bytes, by: call.deadline)
        }
    }

    private func settle(_ call: RedisCall, _ result: Result<RedisReply, RedisError>) {
        if call.completion != nil {
            switch result {
            case .success, .failure(.refused): statistics.answeredCommands += 1
            case .failure: statistics.failedCommands += 1
            }
        }
        mailbox.settle(call, result)
    }

    private func act(_ action: RedisLife.Action) {
        switch action {
        case .nothing: break
        case .connect: beginConnecting()
        case .introduce(let steps): introduce(steps)
        case .serve: lastSign = .now
        case .drop(let trouble): drop(trouble)
        }
    }

    private func introduce(_ steps: [RedisLife.Introduction]) {
        do {
            link?.introduce(try steps.map { try $0.command(for: configuration) })
        } catch {
            fail(RedisTrouble.passwordUnreadable(reason: "\(error)"))
        }
    }

    private func drop(_ trouble: RedisTrouble) {
        link = nil
        addresses = []
        for call in pipeline.disconnect() { settle(call, .failure(.unknownOutcome(trouble))) }
        guard let refusal = life.refusal else { return }
        for call in pipeline.drainQueue() { settle(call, .failure(.notSent(refusal))) }
    }

    private func fail(_ trouble: RedisTrouble) {
        act(life.didFail(trouble, at: .now, using: &generator))
    }

    /// What went wrong with the stream, in Redis's terms.
    private func fail(_ error: StreamError) {
        if case .introducing = life.state, error == .ended || error.isReset {
            let secure = configuration.isSecure
            fail(RedisTrouble.endedAtOnce(place: configuration.place, isSecure: secure))
        } else {
            fail(RedisTrouble.connection(error, place: configuration.place))
        }
    }

    // MARK: Connecting

    private func beginConnecting() {
        let (host, port) = (configuration.host, configuration.port)
        if let number = SocketAddress(number: host, port: port) {
            addresses = [number]
        } else if lookup == nil {
            // One that is still under way since the last attempt will do.
            lookup = NameLookup(of: host, port: port, bell: mailbox.bell, resolver)
        }
    }

    /// Goes on with the connection that is being made, or takes the next address.
    private func connect() {
        guard case .connecting = life.state else { return }
        if let result = lookup?.result {
            lookup = nil
            switch result {
            case .success(let found):
                // Beginning with another one after each failure: an address that swallows packets
                // takes all of an attempt's time, and must not take the next one's too.
                let first = life.attempts % max(1, found.count)
                addresses = (found[first...] + found[..<first])[...]
            case .failure(let error): return fail(error)
            }
        }
        do {
            if link == nil, let address = addresses.popFirst() {
                link = try RedisLink(to: address, configuration)
            }
            guard let link, try link.establish() else { return }
            act(life.didConnect())
        } catch {
            link = nil
            if addresses.isEmpty || !error.isRetryable { fail(error) } else { connect() }
        }
    }

    // MARK: Bytes

    /// Reads and writes what the socket has and takes.
    ///
    /// - Returns: whether anything moved, so that there may be more.
    private func exchange(_ now: ContinuousClock.Instant) -> Bool {
        guard let link, link.isEstablished else { return false }
        var hasMoved = false
        do {
            while try link.read() {
                hasMoved = true
                takeReplies(link)
                // Dropped for what a reply said.
                guard self.link === link else { return true }
            }
            if try write(to: link, now) { hasMoved = true }
        } catch {
            fail(error)
        }
        return hasMoved
    }

    private func write(
        to link: RedisLink, _ now: ContinuousClock.Instant
    ) throws(StreamError) -> Bool {
        var hasMoved = false
        do {
            guard try link.writeIntroduction(), life.isReady else { return false }
            pipeline.stage(at: now)
            while pipeline.hasBytes {
                let count = try link.write(pipeline.buffer, from: pipeline.written)
                guard count > 0 else { return hasMoved }
                pipeline.didWrite(count)
                hasMoved = true
                pipeline.stage(at: now)
            }
        } catch {
            // A server that ends a connection may have said why before.
            while (try? link.read()) == true { takeReplies(link) }
            throw error
        }
        return hasMoved
    }

    private func takeReplies(_ link: RedisLink) {
        do {
            while self.link === link, let reply = try link.nextReply() {
                let now = ContinuousClock.now
                lastSign = now
                if life.isReady {
                    try take(reply, now)
                } else {
                    act(life.didAnswer(reply, at: now, using: &generator))
                }
            }
        } catch {
            fail(error)
        }
    }

    private func take(
        _ reply: RedisReply, _ now: ContinuousClock.Instant
    ) throws(RedisTrouble) {
        guard pipeline.underWayCount > 0 else {
            // It says why it ends the connection, or is no Redis.
            if case .error(let words) = reply { throw .notReady(words) }
            throw .protocolViolation("an answer to nothing")
        }
        let (ticket, startedAt) = try pipeline.didAnswer()
        if let startedAt { statistics.note(roundTrip: now - startedAt) }
        guard case .error(let words) = reply else {
            if let ticket { settle(ticket, .success(reply)) }
            return
        }
        if var call = ticket {
            if words.code == "NOSCRIPT", let whole = call.fallback.take() {
                pipeline.enqueue(call, whole().encoded(), by: call.deadline)
            } else {
                settle(call, .failure(.refused(words)))
            }
        }
        if words.endsConnection { throw .notReady(words) }
    }

    // MARK: Time

    private func expire(_ now: ContinuousClock.Instant) {
        let (notSent, unknown) = pipeline.expire(at: now)
        let trouble = life.isReady ? .deadline : life.lastTrouble ?? .deadline
        for call in notSent { settle(call, .failure(.notSent(trouble))) }
        for call in unknown { settle(call, .failure(.unknownOutcome(.deadline))) }
        guard life.isReady, let limit = pipeline.owesUntil(configuration.commandTimeout),
            limit <= now
        else { return }
        fail(.hung(milliseconds: Int(configuration.commandTimeout / .milliseconds(1))))
    }

    private func pingIfIdle(_ now: ContinuousClock.Instant, _ isClosing: Bool) {
        guard life.isReady, !isClosing, now >= lastSign + configuration.pingInterval,
            pipeline.queuedCount + pipeline.underWayCount == 0
        else { return }
        let deadline = now + configuration.commandTimeout
        let call = RedisCall(
            bytes: RedisCommand("PING").encoded(), deadline: deadline, completion: nil)
        pipeline.enqueue(call, call.bytes, by: deadline)
        _ = exchange(now)
    }

    private func sleep(isClosing: Bool) {
        refreshStatistics()
        guard mailbox.fallAsleep(statistics, isClosing: isClosing) else { return }
        var moments = [life.deadline, pipeline.nextDeadline].compactMap { $0 }
        if life.isReady {
            moments.append(
                pipeline.owesUntil(configuration.commandTimeout)
                    ?? lastSign + configuration.pingInterval)
        }
        var watched: [(Int32, Readiness)] = [(mailbox.bell.descriptor, .toRead)]
        if let link { watched.append((link.descriptor, link.readiness)) }
        wait(on: watched, until: moments.min())
        mailbox.bell.quieten()
    }

    private func refreshStatistics() {
        statistics.isConnected = life.isReady
        statistics.lastTrouble = life.lastTrouble
        statistics.connections = life.connections
        statistics.queuedCommands = pipeline.queuedCount
        statistics.underWayCommands = pipeline.underWayCount
    }
}

extension StreamError {
    /// Whether the peer threw the connection away.
    var isReset: Bool {
        if case .system(_, let code) = self { SystemCode.isReset(code) } else { false }
    }
}
