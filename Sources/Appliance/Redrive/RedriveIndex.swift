import AppendLog
import Vocabulary

/// Which dead letters have been redriven, and which failed again: read out of `dead.letter` alone,
/// so that it can be deleted, and is never wrong.
package struct RedriveIndex: Sendable {
    /// The order of each letter, by the letter's place.
    private(set) var orders: [SourcePlace: RedriveOrder] = [:]
    /// The letter that a redriven record became when it failed again, by the first letter's place.
    private(set) var again: [SourcePlace: SourcePlace] = [:]
    /// What is read next of each partition.
    private var next: [Int32: Offset] = [:]

    package init() {}

    /// Takes the next record of a partition.
    mutating func note(_ stored: StoredRecord, partition: Int32) {
        next[partition] = stored.offset.advanced(by: 1)
        if let order = RedriveOrder(stored, partition: partition) {
            // The first one counts: there is one a letter unless somebody else wrote orders.
            if orders[order.letter] == nil { orders[order.letter] = order }
        } else if let origin = RedriveHeader.letter(of: stored.record) {
            again[origin] = .letter(stored.offset, partition: partition)
        }
    }

    /// Reads what `dead.letter` has gained since the last time.
    ///
    /// - Parameter partitions: all of the topic's, in the order of their numbers.
    mutating func catchUp(with partitions: [TopicReader]) throws(StoreFailure) {
        for (number, topic) in partitions.enumerated() {
            try catchUp(with: topic, partition: Int32(number))
        }
    }

    private mutating func catchUp(
        with topic: TopicReader, partition: Int32
    ) throws(StoreFailure) {
        var known = self
        try topic.scan(from: next[partition] ?? .zero) { stored in
            known.note(stored, partition: partition)
            return true
        }
        self = known
    }
}
