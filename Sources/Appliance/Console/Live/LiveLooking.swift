/// Looks at a pipeline again and again, wherever it runs, and tells open pages of it. Each look
/// blocks for as long as those take that are asked.
protocol LiveLooking {
    /// Tells of single records that have come since the last look.
    mutating func tell(_ feed: LiveFeed)
    /// The figures as of now. What cannot be asked stays as it was seen last, and is told of.
    mutating func figures() -> LiveFigures
    /// The last hour, the oldest first; empty where nobody keeps it.
    var buckets: [LiveHistory.Bucket] { get }
}
