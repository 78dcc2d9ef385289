import Synchronization

/// Counts by a word, for what is rare enough to take a lock.
///
/// The words come from outside, so that their number and length are bounded: what is beyond is
/// counted together.
package final class WordTally: Sendable {
    package static let wordCountMax = 64
    package static let wordByteCountMax = 64
    /// Where the words beyond the bounds are counted.
    package static let others = "others"

    private let counts = Mutex<[String: Int]>([:])

    package init() {}

    package func add(_ word: String, _ count: Int = 1) {
        counts.withLock { counts in
            let isKnown = counts[word] != nil
            let fits = counts.count < Self.wordCountMax && word.utf8.count <= Self.wordByteCountMax
            counts[isKnown || fits ? word : Self.others, default: 0] += count
        }
    }

    package var all: [String: Int] { counts.withLock { $0 } }
}
