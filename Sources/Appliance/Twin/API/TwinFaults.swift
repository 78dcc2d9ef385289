import Vocabulary

/// What goes wrong for clients of the API, on demand.
struct TwinFaults: Sendable {
    /// What a failing call gets.
    struct Fault: Sendable {
        var refusal: APIRefusal
        /// The call is carried out, and only its answer is lost.
        var isAfterwards = false
    }

    private var fault: Fault?
    private var left: Int64 = 0
    /// Added to every answer of `/v1/`.
    private(set) var latencyMilliseconds: Int64 = 0

    static let countMax: Int64 = 1_000_000
    static let latencyMax: Int64 = 600_000

    /// The next call's fault, if it is to have one.
    mutating func take() -> Fault? {
        guard left > 0, let fault else { return nil }
        left -= 1
        return fault
    }

    mutating func change(_ parameters: APIParameters) throws(APIRefusal) {
        let latency = try parameters.integer("latency_ms")
        let count = try parameters.integer("count")
        let status = try parameters.integer("status")
        let retryAfter = try parameters.integer("retry_after")
        let isAfterwards = try parameters.bool("after") ?? false
        try parameters.finish()
        guard (0...Self.latencyMax).contains(latency ?? 0), (0...Self.countMax).contains(count ?? 0)
        else {
            throw APIRefusal(
                message: "count is up to \(Self.countMax), latency_ms up to \(Self.latencyMax).")
        }
        if let latency { latencyMilliseconds = latency }
        guard count != nil || status != nil else { return }
        guard var refusal = Self.refusals[status ?? 500] else {
            throw parameters.invalid("status", String(status ?? 500))
        }
        refusal.retryAfterSeconds = retryAfter.flatMap { Int(exactly: $0) }
        fault = Fault(refusal: refusal, isAfterwards: isAfterwards)
        left = count ?? 1
    }

    private static let refusals: [Int64: APIRefusal] = [
        409: APIRefusal(
            status: 409, code: "lock_timeout",
            message: "This object cannot be accessed right now because another API request or "
                + "Stripe process is currently accessing it."),
        429: APIRefusal(
            status: 429, code: "rate_limit",
            message: "Request rate limit exceeded. Learn more about rate limits here "
                + "https://docs.stripe.com/rate-limits."),
        500: APIRefusal(
            status: 500, kind: .api, message: "An unknown error occurred. (The twin was told so.)"),
        502: APIRefusal(status: 502, kind: .api, message: "Bad gateway. (The twin was told so.)"),
        503: APIRefusal(
            status: 503, kind: .api, message: "Service unavailable. (The twin was told so.)"),
    ]

    func write(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("object", "twin.faults")
        writer.member("count", left)
        writer.member("status", left > 0 ? fault.map { Int64($0.refusal.status) } : nil)
        writer.member("after", fault?.isAfterwards ?? false)
        writer.member("latency_ms", latencyMilliseconds)
        writer.endObject()
    }
}
