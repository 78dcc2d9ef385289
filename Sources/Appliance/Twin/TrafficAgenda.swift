/// What is going to happen in the world, ordered by time: a binary heap.
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

    private struct Entry: Sendable {
        /// Milliseconds since 1970.
        var at: Int64
        /// Breaks ties, so that the order is the same on every machine.
        var sequence: UInt64
        var task: Task

        func isBefore(_ other: Entry) -> Bool {
            at != other.at ? at < other.at : sequence < other.sequence
        }
    }

    private var heap: [Entry] = []
    private var sequence: UInt64 = 0

    var count: Int { heap.count }

    mutating func add(_ task: Task, at: Int64) {
        sequence += 1
        heap.append(Entry(at: at, sequence: sequence, task: task))
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].isBefore(heap[parent]) else { break }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    /// - Returns: the earliest task and its time in milliseconds since 1970; nil if there is none.
    mutating func popFirst() -> (task: Task, at: Int64)? {
        guard let last = heap.popLast() else { return nil }
        guard let first = heap.first else { return (last.task, last.at) }
        heap[0] = last
        siftDown()
        return (first.task, first.at)
    }

    private mutating func siftDown() {
        var parent = 0
        while true {
            var least = parent
            let left = 2 * parent + 1
            let right = left + 1
            if left < heap.count, heap[left].isBefore(heap[least]) { least = left }
            if right < heap.count, heap[right].isBefore(heap[least]) { least = right }
            guard least != parent else { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
