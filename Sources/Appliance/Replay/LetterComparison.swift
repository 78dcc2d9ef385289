import AppendLog
import Vocabulary

/// Compares what the stages refused, as a bag: dead letters of several stages have no order between
/// them. Of the ledger's refusals the movements tell already.
struct LetterComparison {
    private struct Key: Hashable, Comparable {
        var topic: String
        var offset: Int64
        var reason: String

        static func < (left: Self, right: Self) -> Bool {
            (left.topic, left.offset, left.reason) < (right.topic, right.offset, right.reason)
        }
    }

    /// How often the replay has one more than the original.
    private var surplus: [Key: Int] = [:]
    private(set) var comparedCount = 0
    private(set) var differences = ReplayDifferences()

    /// Counts a letter that the replay wrote.
    mutating func replayed(_ record: Record) {
        guard let letter = StoredLetter(StoredRecord(offset: .zero, record: record)) else { return }
        surplus[Self.key(letter), default: 0] += 1
    }

    /// Counts the original's letters against them.
    ///
    /// - Parameters:
    ///   - through: by topic, the offset from which on failed records were not replayed.
    ///   - due: by topic, the offset up to which the original must have all of its letters; it may
    ///     have those behind it.
    mutating func finish(
        _ topic: ReadOnlyTopic, through: [String: Offset], due: [String: Offset]
    ) throws(LogError) {
        var (surplus, comparedCount) = (surplus, 0)
        try topic.scan(from: .zero) { stored in
            guard let letter = StoredLetter(stored), let source = letter.source,
                let end = through[letter.topic], source < end
            else { return true }
            let key = Self.key(letter)
            comparedCount += surplus[key, default: 0] > 0 ? 1 : 0
            surplus[key, default: 0] -= 1
            return true
        }
        self.comparedCount = comparedCount
        for (key, count) in surplus.sorted(by: { $0.key < $1.key }) where count != 0 {
            if count > 0, key.offset >= due[key.topic]?.rawValue ?? 0 { continue }
            let refused = "refused (\(key.reason))"
            differences.add(
                ReplayDifference(
                    kind: .deadLetter, place: "\(key.topic)/\(key.offset)", what: key.reason,
                    original: count < 0 ? refused : ReplayDifference.nothing,
                    replayed: count > 0 ? refused : ReplayDifference.nothing))
        }
    }

    private static func key(_ letter: StoredLetter) -> Key {
        Key(topic: letter.topic, offset: letter.source?.rawValue ?? -1, reason: letter.reason)
    }
}
