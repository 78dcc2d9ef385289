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
    /// Letters that have gone back and of whose orders nothing else is kept, by partition.
    private var settled: [Int32: OffsetRanges] = [:]

    package init() {}

    /// Whether a letter has gone back.
    func hasGone(_ letter: SourcePlace) -> Bool {
        orders[letter] != nil || settled[letter.partition]?.has(letter.offset) == true
    }

    /// Keeps of letters that nobody lists any more only that they have gone back, and nothing of
    /// those that are not there any more.
    ///
    /// - Parameters:
    ///   - listed: the first letter of each partition that is still listed, in order.
    ///   - kept: the first offset of each that is still there.
    mutating func settle(before listed: [Offset], kept: [Offset]) {
        for (number, bounds) in zip(listed, kept).enumerated() {
            let partition = Int32(number)
            let old = orders.keys.filter { $0.partition == partition && $0.offset < bounds.0 }
            var ranges = settled[partition] ?? OffsetRanges()
            for letter in old.sorted() {
                ranges.insert(letter.offset)
                orders[letter] = nil
                again[letter] = nil
            }
            ranges.remove(before: bounds.1)
            settled[partition] = ranges
        }
    }

    /// Takes the next record of a partition.
    mutating func note(_ stored: StoredRecord, partition: Int32) {
        next[partition] = stored.offset.advanced(by: 1)
        if let order = RedriveOrder(stored, partition: partition) {
            // The first one counts: there is one a letter unless somebody else wrote orders.
            if !hasGone(order.letter) { orders[order.letter] = order }
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

/// A set of offsets as ranges: what lies close together costs nothing more.
struct OffsetRanges: Hashable, Sendable {
    /// In their order, with a gap between any two.
    private(set) var ranges: [Range<Int64>] = []

    /// How many ranges lie before an offset or hold it.
    private func count(upTo offset: Int64) -> Int {
        var (low, high) = (0, ranges.count)
        while low < high {
            let middle = low + (high - low) / 2
            if ranges[middle].lowerBound <= offset { low = middle + 1 } else { high = middle }
        }
        return low
    }

    func has(_ offset: Offset) -> Bool {
        let place = count(upTo: offset.rawValue)
        return place > 0 && ranges[place - 1].contains(offset.rawValue)
    }

    mutating func insert(_ offset: Offset) {
        guard !has(offset) else { return }
        let number = offset.rawValue
        let place = count(upTo: number)
        var range = number..<number + 1
        var replaced = place..<place
        if place > 0, ranges[place - 1].upperBound == number {
            range = ranges[place - 1].lowerBound..<range.upperBound
            replaced = place - 1..<place
        }
        if place < ranges.count, ranges[place].lowerBound == range.upperBound {
            range = range.lowerBound..<ranges[place].upperBound
            replaced = replaced.lowerBound..<place + 1
        }
        ranges.replaceSubrange(replaced, with: [range])
    }

    mutating func remove(before offset: Offset) {
        ranges.removeAll { $0.upperBound <= offset.rawValue }
        guard let first = ranges.first, first.lowerBound < offset.rawValue else { return }
        ranges[0] = offset.rawValue..<first.upperBound
    }
}
