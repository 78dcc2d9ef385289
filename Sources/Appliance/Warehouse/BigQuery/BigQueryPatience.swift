/// How patiently BigQuery is asked. Waits grow from attempt to attempt and are drawn at random
/// below that ("full jitter"), as Google asks for in "Error messages" of BigQuery's documentation.
package struct BigQueryPatience: Sendable {
    /// Of one request, and of one job that ends with a failure that passes.
    package var attemptsMax = 6
    package var firstWaitMilliseconds: Int64 = 1_000
    package var waitMillisecondsMax: Int64 = 32_000
    /// Longest `Retry-After` that is waited out.
    package var retryAfterSecondsMax: Int64 = 300
    /// Between two looks at a job: from the first, doubled, up to the second.
    package var pollMilliseconds: ClosedRange<Int64> = 500...5_000
    /// How long a job is waited for.
    package var jobSecondsMax: Int64 = 3_600

    package init() {}

    /// - Parameters:
    ///   - attempt: from 1, the one that failed.
    ///   - random: drawn evenly from 0..<1.
    func wait(after attempt: Int, retryAfter: String? = nil, random: Double) -> Duration {
        let doubled = firstWaitMilliseconds << Int64(min(attempt - 1, 16))
        let jitter = Double(min(doubled, waitMillisecondsMax)) * random
        let asked = retryAfter.flatMap(Int64.init).map { max(0, min($0, retryAfterSecondsMax)) }
        return .seconds(asked ?? 0) + .milliseconds(Int64(jitter))
    }
}
