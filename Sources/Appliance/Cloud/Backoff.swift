/// Waits between attempts: twice as long each time, up to a bound, and never the same for two
/// instances that failed together.
struct Backoff {
    static let first = Duration.milliseconds(100)
    static let longest = Duration.seconds(5)

    private var next = Self.first

    /// The next wait: between half of it and all of it.
    mutating func wait() -> Duration {
        let whole = next
        next = min(next * 2, Self.longest)
        return whole * Double.random(in: 0.5...1)
    }

    mutating func reset() { next = Self.first }
}
