import Bridges
import DequeModule

/// Answers by their `Idempotency-Key` (docs.stripe.com/api/idempotent_requests): for a day, the
/// same key and parameters get the same answer, and other parameters are refused.
struct IdempotencyStore: Sendable {
    static let keyLengthMax = 255
    /// How long an answer is kept, in seconds.
    static let keptSeconds: Int64 = 86_400
    /// At most so many answers are kept, the oldest going first.
    static let countMax = 100_000

    private struct Name: Hashable {
        var account: String?
        var key: String
    }

    private struct Entry {
        var digest: [UInt8]
        var answer: APIAnswer
    }

    private var entries: [Name: Entry] = [:]
    private var order: Deque<(name: Name, created: Int64)> = []

    /// The kept answer, if there is one.
    ///
    /// - Throws: `idempotency_error` where the key came with other parameters.
    mutating func answer(
        to request: APIRequest, key: String, now: Int64
    ) throws(APIRefusal) -> APIAnswer? {
        forget(before: now - Self.keptSeconds)
        guard let entry = entries[Name(account: request.account, key: key)] else { return nil }
        guard entry.digest == Self.digest(of: request) else {
            throw APIRefusal(
                kind: .idempotency,
                message: "Keys for idempotent requests can only be used with the same parameters "
                    + "they were first used with. Try using a key other than '\(key)' if you meant "
                    + "to execute a different request.")
        }
        var answer = entry.answer
        answer.isReplayed = true
        return answer
    }

    /// Keeps what was carried out. A call that was refused for its parameters may be repaired and
    /// sent again with the same key.
    mutating func keep(_ answer: APIAnswer, for request: APIRequest, key: String, now: Int64) {
        guard answer.status == 200 || answer.status == 402 else { return }
        let name = Name(account: request.account, key: key)
        entries[name] = Entry(digest: Self.digest(of: request), answer: answer)
        order.append((name, now))
        if order.count > Self.countMax { forgetOldest() }
    }

    private mutating func forget(before time: Int64) {
        while let oldest = order.first, oldest.created < time { forgetOldest() }
    }

    private mutating func forgetOldest() {
        guard let oldest = order.popFirst() else { return }
        entries.removeValue(forKey: oldest.name)
    }

    private static func digest(of request: APIRequest) -> [UInt8] {
        var text = "\(request.method.rawValue) \(request.path)"
        for field in request.fields {
            // Lengths keep one field's end apart from the next one's beginning.
            let (name, value) = (field.name, field.value)
            text += "&\(name.utf8.count):\(name)\(value.utf8.count):\(value)"
        }
        return SHA256.digest(Array(text.utf8)[...])
    }
}
