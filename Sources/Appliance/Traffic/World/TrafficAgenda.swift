import HeapModule

/// What is going to happen in the world, ordered by time.
struct TrafficAgenda: Sendable {
    enum Task: Hashable, Sendable {
        /// The customer with this index pays again.
        case habit(Int)
        /// The fraudster's planned attempt with this number.
        case attack(UInt64)
        case capture(ObjectSerial)
        case refund(ObjectSerial)
        /// The bank answers to the charge's first or second refund.
        case refundSettles(ObjectSerial, isSecond: Bool)
        case dispute(ObjectSerial)
        case disputeCloses(ObjectSerial)
        case payout(merchant: Int, currency: Int)
        case payoutSettles(ObjectSerial)
        case payoutReconciles(ObjectSerial)
    }

    private struct Entry: Comparable, Sendable {
        /// Milliseconds since 1970.
        var at: Int64
        /// Breaks ties, so that the order is the same on every machine.
        var sequence: UInt64
        var task: Task

        static func < (left: Self, right: Self) -> Bool {
            left.at != right.at ? left.at < right.at : left.sequence < right.sequence
        }

        static func == (left: Self, right: Self) -> Bool { left.sequence == right.sequence }
    }

    private var heap = Heap<Entry>()
    private var sequence: UInt64 = 0

    var count: Int { heap.count }

    mutating func add(_ task: Task, at: Int64) {
        sequence += 1
        heap.insert(Entry(at: at, sequence: sequence, task: task))
    }

    /// - Returns: the earliest task and its time in milliseconds since 1970; nil if there is none.
    mutating func popFirst() -> (task: Task, at: Int64)? {
        heap.popMin().map { ($0.task, $0.at) }
    }
}
