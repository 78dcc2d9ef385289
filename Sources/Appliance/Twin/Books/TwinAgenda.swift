/// What will happen by itself, and when.
struct TwinAgenda: Sendable {
    enum Task: Sendable {
        case midnight
        case payoutLeaves(Ref<TwinPayout>)
        case payoutArrives(Ref<TwinPayout>)
        case refundSettles(Ref<TwinRefund>, fails: Bool)
        case disputeDecided(Ref<TwinDispute>, isWon: Bool)
        /// Nobody answered in time.
        case disputeExpires(Ref<TwinDispute>)
        case inquiryEnds(Ref<TwinDispute>)
        case authorisationExpires(Ref<TwinCharge>)
        case debitSettles(Ref<TwinCharge>, failure: String?)
        case topUpArrives(Ref<TwinTopUp>)
    }

    private struct Entry: Sendable {
        var due: Int64
        var task: Task
    }

    /// Sorted, what comes first standing last.
    private var entries: [Entry] = []

    /// - Parameter due: seconds since 1970.
    mutating func add(_ task: Task, at due: Int64) {
        // A later task of the same second comes after the earlier ones.
        let place = entries.bisect { $0.due <= due }
        entries.insert(Entry(due: due, task: task), at: place)
        precondition(place == 0 || entries[place - 1].due > due, "agenda out of order at \(due)")
    }

    /// When the next task is due.
    var nextDue: Int64? { entries.last?.due }

    /// Takes out the next task that is due by `now`.
    mutating func next(by now: Int64) -> (task: Task, due: Int64)? {
        guard let entry = entries.last, entry.due <= now else { return nil }
        entries.removeLast()
        return (entry.task, entry.due)
    }
}
