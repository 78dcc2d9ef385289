import Vocabulary

/// Work that is done at once, at most so much of it.
enum BoundedTasks {
    /// Does `work` for each item, and hands each result over as it comes.
    ///
    /// - Parameters:
    ///   - most: how many are under way; at least 1.
    ///   - each: the item's place, and what came of it; called one after the other.
    /// - Throws: the first failure; what is under way then is cancelled and waited for.
    static func run<Item: Sendable, Value: Sendable>(
        _ items: [Item], most: Int, _ work: @escaping @Sendable (Item) async throws -> Value,
        each: (_ place: Int, _ value: Value) -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: (Int, Value).self) { group in
            for (place, item) in items.enumerated() {
                if place >= most, let (done, value) = try await group.next() {
                    each(done, value)
                }
                try Task.checkCancellation()
                group.addTask { (place, try await work(item)) }
            }
            while let (done, value) = try await group.next() { each(done, value) }
        }
    }
}

/// Lets one at a time through, in the order in which they came.
actor SingleFile {
    private var isTaken = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    func enter() async {
        guard isTaken else { return isTaken = true }
        await withCheckedContinuation { waiting.append($0) }
    }

    /// Whoever entered leaves once, however it ended.
    func leave() {
        precondition(isTaken, "nobody is inside")
        guard !waiting.isEmpty else { return isTaken = false }
        waiting.removeFirst().resume()
    }
}
