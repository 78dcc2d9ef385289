package import Vocabulary

/// How patiently Stripe is asked. Waits grow from attempt to attempt and are drawn at random below
/// that ("full jitter"), so that many clients that failed together do not return together.
package struct StripePatience: Sendable {
    var attemptsMax = 7
    var firstWaitMilliseconds: Int64 = 500
    var waitMillisecondsMax: Int64 = 30_000
    /// Longest `Retry-After` that is waited out.
    var retryAfterSecondsMax: Int64 = 300

    package init(
        attemptsMax: Int = 7, firstWaitMilliseconds: Int64 = 500,
        waitMillisecondsMax: Int64 = 30_000, retryAfterSecondsMax: Int64 = 300
    ) {
        self.attemptsMax = attemptsMax
        self.firstWaitMilliseconds = firstWaitMilliseconds
        self.waitMillisecondsMax = waitMillisecondsMax
        self.retryAfterSecondsMax = retryAfterSecondsMax
    }

    /// - Parameters:
    ///   - attempt: from 1, the one that failed.
    ///   - random: drawn evenly from 0..<1.
    func wait(after attempt: Int, retryAfter: String?, random: Double) -> Duration {
        let doubled = firstWaitMilliseconds << Int64(min(attempt - 1, 20))
        let jitter = Double(min(doubled, waitMillisecondsMax)) * random
        let asked = retryAfter.flatMap(Int64.init).map { max(0, min($0, retryAfterSecondsMax)) }
        // What Stripe asks for is the least; the jitter on top spreads those who were asked alike.
        return .seconds(asked ?? 0) + .milliseconds(Int64(jitter))
    }
}

/// Reads Stripe's API: patient with 429, 5xx and lost connections, never with anything else.
///
/// Sleep and randomness are handed in.
package struct StripeClient: Sendable {
    package var transport: any StripeTransport
    /// Whose objects are read.
    var account = StripeAccount.own
    var patience = StripePatience()
    var sleep: @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
    /// Evenly from 0..<1.
    var random: @Sendable () -> Double = { Double.random(in: 0..<1) }

    package init(
        transport: any StripeTransport, account: StripeAccount = StripeAccount.own,
        patience: StripePatience = StripePatience(),
        sleep: @escaping @Sendable (Duration) async throws -> Void = {
            try await Task.sleep(for: $0)
        },
        random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
    ) {
        self.transport = transport
        self.account = account
        self.patience = patience
        self.sleep = sleep
        self.random = random
    }

    /// Objects asked for in a page, Stripe's limit.
    static let pageCount = 100

    /// The same for another account.
    func reading(_ account: StripeAccount) -> Self {
        var client = self
        client.account = account
        return client
    }

    /// The body of a 200.
    func get(_ path: String) async throws(StripeError) -> [UInt8] {
        var attempt = 1
        while true {
            switch await ask(path, attempt) {
            case .success(let body): return body
            case .failure(let error): throw error
            case .again(let wait):
                guard await hasSlept(wait) else { throw .cancelled }
                attempt += 1
            }
        }
    }

    /// One object.
    func object<Value: Sendable>(
        _ path: String, _ read: (JSONValue) throws(RecordCodecError) -> Value
    ) async throws(StripeError) -> Value {
        try await bytes(path, read).value
    }

    /// One object, and the bytes it was read from.
    func bytes<Value: Sendable>(
        _ path: String, _ read: (JSONValue) throws(RecordCodecError) -> Value
    ) async throws(StripeError) -> (value: Value, body: [UInt8]) {
        let body = try await get(path)
        let document = JSONDocument(bytesMax: max(body.count, 1))
        let value = try withExtendedLifetime(document) { () throws(StripeError) in
            try Self.reading(path) { () throws(RecordCodecError) in
                try read(try Self.parse(body, with: document))
            }
        }
        return (value, body)
    }

    /// One page of a list, newest first.
    ///
    /// - Parameters:
    ///   - path: of the list, such as `/v1/events`.
    ///   - query: its filters.
    ///   - cursor: the id of the last object of the page before; nil for the first page.
    ///   - levels: how many objects deep a member that is said twice makes the page unreadable.
    func page<Item: Sendable>(
        _ path: String, _ query: [(String, String)] = [], after cursor: String?,
        levels: Int = JSONDocument.depthMax,
        _ read: (JSONValue) throws(RecordCodecError) -> Item
    ) async throws(StripeError) -> StripePage<Item> {
        var query = query
        query.append(("limit", String(Self.pageCount)))
        if let cursor { query.append(("starting_after", cursor)) }
        let body = try await get(path + "?" + Self.encoded(query))
        let document = JSONDocument(bytesMax: max(body.count, 1))
        return try withExtendedLifetime(document) { () throws(StripeError) in
            try Self.reading(path) { () throws(RecordCodecError) in
                let root = try Self.parse(body, with: document, levels: levels)
                guard let elements = root["data"]?.array else { throw .field("data") }
                var items: [Item] = []
                items.reserveCapacity(Self.pageCount)
                for element in elements { items.append(try read(element)) }
                return StripePage(
                    items: items, hasMore: try root.requiredBool("has_more"), body: body)
            }
        }
    }

    private static func parse(
        _ body: [UInt8], with document: JSONDocument, levels: Int = JSONDocument.depthMax
    ) throws(RecordCodecError) -> JSONValue {
        let root: JSONValue
        do {
            root = try document.parse(body)
        } catch {
            throw .notJSON(error)
        }
        // Of two amounts none is believed: money is booked by what is read here.
        if let twice = root.repeatedMember(levels: levels) { throw .repeated(twice) }
        return root
    }

    private static func reading<Value>(
        _ path: String, _ body: () throws(RecordCodecError) -> Value
    ) throws(StripeError) -> Value {
        do {
            return try body()
        } catch {
            throw .malformed(path: path, field: error.sentence)
        }
    }

    /// Keys and values of a query, percent-encoded.
    static func encoded(_ query: [(String, String)]) -> String {
        query.map { "\(encoded($0.0))=\(encoded($0.1))" }.joined(separator: "&")
    }

    /// Percent-encodes all but RFC 3986's unreserved characters.
    static func encoded(_ text: String) -> String {
        var encoded = ""
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E:
                encoded.unicodeScalars.append(Unicode.Scalar(byte))
            default: encoded += "%" + String(hex: [byte]).uppercased()
            }
        }
        return encoded
    }
}

// MARK: - One attempt

extension StripeClient {
    private enum Attempt {
        case success([UInt8])
        case failure(StripeError)
        case again(after: Duration)
    }

    private func ask(_ path: String, _ attempt: Int) async -> Attempt {
        let answer: StripeAnswer
        do {
            answer = try await transport.get(path, of: account)
        } catch is CancellationError {
            return .failure(.cancelled)
        } catch {
            let reason = "\(error)"
            return again(attempt, nil, else: .unreachable(reason: reason, attempts: attempt))
        }
        switch answer.status {
        case 200: return .success(answer.body)
        case 429: return again(attempt, answer.retryAfter, else: .rateLimited(attempts: attempt))
        case 500...599, 409:
            let failure = StripeError.unavailable(status: answer.status, attempts: attempt)
            return again(attempt, answer.retryAfter, else: failure)
        case 401: return .failure(.unauthorised)
        case 403: return .failure(.forbidden(message: Self.refusal(in: answer.body).message))
        case 404: return .failure(.notFound(message: Self.refusal(in: answer.body).message))
        default:
            let refusal = Self.refusal(in: answer.body)
            return .failure(
                refusal.code == "resource_missing"
                    ? .notFound(message: refusal.message)
                    : .refused(status: answer.status, message: refusal.message))
        }
    }

    private func again(
        _ attempt: Int, _ retryAfter: String?, else error: StripeError
    ) -> Attempt {
        guard attempt < patience.attemptsMax else { return .failure(error) }
        return .again(
            after: patience.wait(after: attempt, retryAfter: retryAfter, random: random()))
    }

    private func hasSlept(_ wait: Duration) async -> Bool {
        do {
            try await sleep(wait)
            return true
        } catch {
            return false
        }
    }

    /// What Stripe's error object says, shortened: it goes into a log line.
    private static func refusal(in body: [UInt8]) -> (code: String?, message: String) {
        let document = JSONDocument(bytesMax: max(body.count, 1))
        return withExtendedLifetime(document) {
            guard let error = (try? document.parse(body))?["error"]
            else { return (nil, "no reason") }
            let message = error["message"]?.string ?? error["type"]?.string ?? "no reason"
            return (error["code"]?.string, String(message.prefix(200)))
        }
    }
}

/// A page of one of Stripe's lists, and the bytes it was read from.
struct StripePage<Item: Sendable>: Sendable {
    var items: [Item]
    var hasMore: Bool
    /// The whole answer.
    var body: [UInt8]

    /// The bytes of each item, as Stripe wrote them.
    func sources() -> [ArraySlice<UInt8>] { JSONSlices.elements(of: "data", in: body) }
}
