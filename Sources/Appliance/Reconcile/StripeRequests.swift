import CoreMetrics

/// Requests to Stripe as swift-metrics has them: async-http-client tells it of nothing. The names
/// are OpenTelemetry's for a client
/// (https://opentelemetry.io/docs/specs/semconv/http/http-metrics/#http-client).
enum StripeRequests {
    private static let label = "http.client.request.duration"

    /// - Parameters:
    ///   - method: `GET`, `POST`
    ///   - duration: from the call to the whole answer, or to its failure.
    ///   - status: of the answer; nil where none came.
    static func record(_ method: String, _ duration: Duration, status: Int?) {
        let end =
            status.map { ("http.response.status_code", "\($0)") } ?? ("error.type", "no_answer")
        let timer = Timer(label: label, dimensions: [("http.request.method", method), end])
        let (seconds, attoseconds) = duration.components
        timer.recordNanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }
}
