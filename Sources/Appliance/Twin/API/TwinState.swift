import Bridges
import Traffic
import Vocabulary

/// All accounts of a twin, and what stands around them: keys, idempotency, faults, the clock.
///
/// Pure: a call and a time go in, an answer comes out.
struct TwinState: Sendable {
    private(set) var settings: TwinSettings
    /// The platform's own books first.
    var books: [TwinBooks]
    private var placeOfAccount: [String: Int] = [:]
    private var idempotency = IdempotencyStore()
    private(set) var faults = TwinFaults()
    /// Seconds by which the twin's time is ahead of the clock.
    private(set) var ahead: Int64 = 0
    /// Calls answered so far; the next one's number is one more.
    var requests: UInt64 = 0

    /// Events that somebody wants sent to an endpoint again.
    private var resends: [(place: Int, number: Int, endpoint: String)] = []

    /// - Parameter now: the twin's time at its start.
    init(settings: TwinSettings, now: Int64) {
        self.settings = settings
        books = [TwinBooks(seed: settings.seed, account: nil, settings: settings, now: now)]
        adopt(settings, now: now)
    }

    /// Goes on under other settings. What has been stays as it is: an account that is not named any
    /// more keeps its books, and only endpoints that the settings before named are taken away.
    ///
    /// - Parameter now: to which time has been advanced.
    mutating func adopt(_ settings: TwinSettings, now: Int64) {
        precondition(settings.seed == self.settings.seed, "seed \(settings.seed)")
        self.settings = settings
        for place in books.indices { books[place].settings = settings }
        for account in settings.connectedAccounts where placeOfAccount[account] == nil {
            open(account, now: now)
        }
        books[0].adopt(settings.endpoints)
    }

    /// Opens a connected account.
    mutating func open(
        _ account: String, _ profile: TwinAccountProfile = TwinAccountProfile(), now: Int64
    ) {
        let digest = SHA256.digest(Array(account.utf8)[...])
        let seed = digest.prefix(8).reduce(settings.seed) { $0 &* 257 &+ UInt64($1) }
        placeOfAccount[account] = books.count
        books.append(TwinBooks(seed: seed, account: account, settings: settings, now: now))
        books[books.count - 1].profile = profile
        books[0].connectedAccounts.insert(account)
    }

    /// Where webhooks go.
    var endpoints: [TwinEndpoint] {
        (0..<books[0].webhookEndpoints.count).compactMap { place in
            let ref = Ref<TwinWebhookEndpoint>(place)
            let endpoint = books[0].webhookEndpoints[ref]
            guard !endpoint.isDeleted else { return nil }
            return TwinEndpoint(
                id: books[0].id(ref), url: endpoint.url, secrets: endpoint.secrets,
                enabledEvents: endpoint.enabledEvents, apiVersion: endpoint.apiVersion,
                hears: endpoint.hears, isEnabled: endpoint.isEnabled)
        }
    }

    /// The versions besides the account's own in which endpoints want to be told.
    private var versions: Set<StripeVersion> {
        Set(endpoints.compactMap(\.apiVersion).filter { $0 != .twin })
    }

    /// The place of an account's books; nil for one there is not.
    func place(of account: String?) -> Int? {
        guard let account, account != books[0].accountID else { return 0 }
        return placeOfAccount[account]
    }

    // MARK: Time

    /// Takes the events that nobody has been told yet, in the order in which they happened within
    /// each account.
    mutating func takeUntold(_ tell: (TwinEvent) -> Void) {
        guard hasUntold else { return }
        let versions = versions
        for place in books.indices where !books[place].untold.isEmpty {
            let books = books[place]
            for number in books.untold {
                if let event = books.told(number, in: versions) { tell(event) }
            }
            self.books[place].untold.removeAll(keepingCapacity: true)
        }
        for resend in resends {
            guard var event = books[resend.place].told(resend.number, in: versions) else {
                continue
            }
            event.onlyTo = resend.endpoint
            tell(event)
        }
        resends.removeAll()
    }

    mutating func dropUntold() {
        for place in books.indices { books[place].untold.removeAll() }
        resends.removeAll()
    }

    var hasUntold: Bool { !resends.isEmpty || books.contains { !$0.untold.isEmpty } }

    /// Which endpoints are to get each of the events that nobody has been told yet.
    func untoldDeliveries() -> [PendingDelivery] {
        let endpoints = endpoints
        return books.indices.flatMap { place in
            books[place].untold.map { number in
                let type = books[place].events[number]?.type.rawValue ?? ""
                let account = books[place].account
                return PendingDelivery(
                    place: place, number: number, event: books[place].id(of: .event(number)),
                    endpoints: endpoints.filter {
                        $0.wants(type, account: account)
                            && books[place].isTold(number, in: $0.apiVersion ?? .twin)
                    }.map(\.id))
            }
        }
    }

    /// Tells an event again, to these endpoints of its own that are still there.
    func tellAgain(_ delivery: PendingDelivery, _ tell: (TwinEvent) -> Void) {
        let living = Set(endpoints.map(\.id))
        guard let event = books[delivery.place].told(delivery.number, in: versions) else { return }
        for endpoint in delivery.endpoints where living.contains(endpoint) {
            var event = event
            event.onlyTo = endpoint
            tell(event)
        }
    }

    // MARK: Calls

    /// Answers one call. Time has been advanced to `now` before.
    mutating func answer(_ request: APIRequest, now: Int64) -> APIAnswer {
        requests += 1
        let serial = ObjectSerial(requests)
        let fault = request.isInProcess || !request.path.hasPrefix("/v1/") ? nil : faults.take()
        var answer: APIAnswer
        do throws(APIRefusal) {
            if let fault, !fault.isAfterwards { throw fault.refusal }
            answer = try admit(request, serial, now: now)
        } catch {
            answer = refused(error, request)
        }
        if let fault, fault.isAfterwards {
            let wasPerformed = answer.isPerformed
            answer = refused(fault.refusal, request)
            answer.isPerformed = wasPerformed
        }
        answer.requestID = books[0].ids.string(.request, serial)
        answer.delayMilliseconds = request.path.hasPrefix("/v1/") ? faults.latencyMilliseconds : 0
        return answer
    }

    private mutating func admit(
        _ request: APIRequest, _ serial: ObjectSerial, now: Int64
    ) throws(APIRefusal) -> APIAnswer {
        if !request.path.hasPrefix("/twin/"), !request.isInProcess { try authenticate(request) }
        if request.isTooLarge { throw Self.tooLarge }
        if request.hasOtherBody { throw Self.notAForm }
        guard let place = place(of: request.account) else {
            throw APIRefusal(
                status: 403, code: "account_invalid",
                message: "The provided key does not have access to account "
                    + "'\(request.account ?? "")' (or that account does not exist).")
        }
        guard request.method == .post, let key = request.idempotencyKey else {
            return perform(request, serial, in: place, now: now)
        }
        guard key.utf8.count <= IdempotencyStore.keyLengthMax else {
            throw APIRefusal(
                kind: .idempotency,
                message: "Idempotency keys may not be longer than 255 characters.")
        }
        if let kept = try idempotency.answer(to: request, key: key, now: now) { return kept }
        let answer = perform(request, serial, in: place, now: now)
        idempotency.keep(answer, for: request, key: key, now: now)
        return answer
    }

    private static let tooLarge = APIRefusal(
        status: 413,
        message: "Request entity too large. (The twin reads a body of "
            + "\(TwinRoutes.bodyByteCountMax) bytes.)")

    private static let notAForm = APIRefusal(
        message: "Invalid request (check that your POST content type is "
            + "application/x-www-form-urlencoded). If you have questions, we can help at "
            + "https://support.stripe.com/.")

    private func authenticate(_ request: APIRequest) throws(APIRefusal) {
        guard let key = request.apiKey, !key.isEmpty else {
            throw APIRefusal(
                status: 401,
                message: "You did not provide an API key. You need to provide your API key in the "
                    + "Authorization header, using Bearer auth (e.g. 'Authorization: Bearer "
                    + "YOUR_SECRET_KEY').")
        }
        guard settings.apiKeys.contains(key) else {
            let shown = key.count > 12 ? "\(key.prefix(8))****\(key.suffix(4))" : "****"
            throw APIRefusal(status: 401, message: "Invalid API Key provided: \(shown)")
        }
        if let version = request.version, StripeVersion(version) == nil {
            throw APIRefusal(message: "Invalid Stripe API version: \(version).")
        }
    }

    /// Does what the call asks for and writes what came of it.
    private mutating func perform(
        _ request: APIRequest, _ serial: ObjectSerial, in place: Int, now: Int64
    ) -> APIAnswer {
        books[place].request = RequestMark(
            serial: serial, idempotencyKey: request.idempotencyKey)
        books[place].callerVersion = request.version.flatMap { StripeVersion($0) }
        defer { books[place].request = nil }
        let parameters: APIParameters
        do throws(APIRefusal) { parameters = try APIParameters(request.fields) } catch {
            // Nothing was done, so there is nothing to keep.
            return refused(error, request, in: place)
        }
        var answer: APIAnswer
        do throws(APIRefusal) {
            let paths = try parameters.texts("expand")
            try Expansion.check(paths, of: request)
            // Also what was done before a refusal, such as a payment that declines, is done.
            defer { carryOutOrders() }
            let reply = try dispatch(request, parameters, in: place, now: now)
            carryOutOrders()
            if request.method == .get { try parameters.finish() }
            answer = try written(reply, expanding: paths, in: place, request)
        } catch {
            answer = refused(error, request, in: place)
        }
        answer.isPerformed = true
        return answer
    }

    private mutating func dispatch(
        _ request: APIRequest, _ parameters: APIParameters, in place: Int, now: Int64
    ) throws(APIRefusal) -> APIReply {
        let parts = request.path.utf8.split(separator: UInt8(ascii: "/")).map {
            String(Substring($0))
        }
        switch (parts.first, parts.dropFirst().first) {
        case ("v1", "accounts"):
            return try accountCall(request.method, Array(parts.dropFirst(2)), parameters, now: now)
        case ("v1", "events") where parts.count == 4 && parts[3] == "retry":
            return try retryCall(request.method, parts[2], parameters, in: place)
        case ("v1", _):
            return try books[place].answer(
                request.method, Array(parts.dropFirst()), parameters)
        case ("twin", "clock"): return try clockCall(request.method, parameters, now: now)
        case ("twin", "faults"): return try faultCall(request.method, parameters)
        case ("twin", "webhook_endpoints"):
            return try rollCall(request.method, Array(parts.dropFirst(2)), parameters)
        case ("twin", _):
            return try books[place].control(
                request.method, Array(parts.dropFirst()), parameters)
        default: throw TwinBooks.unknownAddress(request.method, path: request.path)
        }
    }

    // MARK: Calls about the twin itself

    private mutating func clockCall(
        _ method: APIRequest.Method, _ parameters: APIParameters, now: Int64
    ) throws(APIRefusal) -> APIReply {
        var time = now
        if method == .post {
            let seconds = try parameters.integer("advance")
            let target = try parameters.integer("to")
            try parameters.finish()
            // A sum beyond 64 bits is further than the clock goes.
            let sum = now.addingReportingOverflow(seconds ?? 0)
            time = target ?? (sum.overflow ? .max : sum.partialValue)
            guard time >= now, time - now <= 3_660 * TwinBalance.daySeconds else {
                throw APIRefusal(
                    message: "The twin's clock goes ahead only, and ten years at most; it is "
                        + "\(now).", parameter: target == nil ? "advance" : "to")
            }
            ahead += time - now
            _ = advance(to: time)
        }
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("object", "twin.clock")
        writer.member("now", time)
        writer.endObject()
        return .written(writer.bytes, id: nil)
    }

    private mutating func faultCall(
        _ method: APIRequest.Method, _ parameters: APIParameters
    ) throws(APIRefusal) -> APIReply {
        switch method {
        case .get: break
        case .delete: faults = TwinFaults()
        case .post: try faults.change(parameters)
        default: throw TwinBooks.unknownControl(method, ["faults"])
        }
        var writer = JSONWriter()
        faults.write(into: &writer)
        return .written(writer.bytes, id: nil)
    }

    /// Sends an event again, as `stripe events resend` asks for: to `webhook_endpoint`, or to every
    /// endpoint that wants it.
    private mutating func retryCall(
        _ method: APIRequest.Method, _ id: String, _ parameters: APIParameters, in place: Int
    ) throws(APIRefusal) -> APIReply {
        guard method == .post else {
            throw TwinBooks.unknownAddress(method, ["events", id, "retry"])
        }
        let number = try books[place].event(id, parameter: "id", status: 404)
        let wanted = try parameters.text("webhook_endpoint")
        parameters.ignore("account")
        try parameters.finish()
        if let wanted { _ = try books[0].livingEndpoint(wanted) }
        let type = books[place].events[number]?.type.rawValue ?? ""
        let account = books[place].account
        for endpoint in endpoints
        where wanted == nil ? endpoint.wants(type, account: account) : endpoint.id == wanted {
            resends.append((place, number, endpoint.id))
        }
        return .object(.event(number))
    }

    /// Gives an endpoint a new secret; both are good until the old one is dropped.
    private mutating func rollCall(
        _ method: APIRequest.Method, _ rest: [String], _ parameters: APIParameters
    ) throws(APIRefusal) -> APIReply {
        guard method == .post, rest.count == 2, rest[1] == "roll" else {
            throw TwinBooks.unknownControl(method, ["webhook_endpoints"] + rest)
        }
        let keepsOld = try parameters.bool("keep_old") ?? true
        try parameters.finish()
        let ref = try books[0].livingEndpoint(rest[0])
        let old = books[0].webhookEndpoints[ref].secrets
        let new = books[0].newSecret(of: ref, generation: requests)
        books[0].webhookEndpoints[ref].secrets = keepsOld ? [new] + old.prefix(1) : [new]
        var writer = JSONWriter()
        books[0].write(ref, showsSecret: true, into: &writer)
        return .written(writer.bytes, id: rest[0])
    }
}

/// An event and the endpoints that it is to be delivered to.
struct PendingDelivery: Sendable {
    /// Of the books that it is an event of, and its number there.
    var place: Int
    var number: Int
    /// `evt_…`
    var event: String
    /// `we_…`
    var endpoints: [String]
}
