import AppendLog
import Vocabulary

/// Which dead letters have been redriven, and which failed again: read out of `dead.letter` alone,
/// so that it can be deleted, and is never wrong.
struct RedriveIndex: Sendable {
    /// The order of each letter, by the letter's offset.
    private(set) var orders: [Offset: RedriveOrder] = [:]
    /// The letter that a redriven record became when it failed again, by the first letter's offset.
    private(set) var again: [Offset: Offset] = [:]
    private var next = Offset.zero

    /// Reads what `dead.letter` has gained since the last time.
    mutating func catchUp(with topic: TopicReader) throws(StoreFailure) {
        var (orders, again, next) = (orders, again, next)
        try topic.scan(from: next) { stored in
            next = stored.offset.advanced(by: 1)
            if let order = RedriveOrder(stored) {
                // The first one counts: there is one a letter unless somebody else wrote orders.
                if orders[order.letter] == nil { orders[order.letter] = order }
            } else if let origin = RedriveHeader.letter(of: stored.record) {
                again[origin] = stored.offset
            }
            return true
        }
        (self.orders, self.again, self.next) = (orders, again, next)
    }
}
