internal import Bridges
import Vocabulary

/// The bytes of a transaction that its hash covers. Integers are big-endian; text is UTF-8.
///
/// | field | bytes |
/// | --- | --- |
/// | format, 1 | 1 |
/// | kind's code | 1 |
/// | id | 8 |
/// | effective_at, seconds | 8 |
/// | length of movement, movement | 2 + n |
/// | length of event id, event id | 2 + n |
/// | number of entries | 2 |
/// | each entry: length of account, account, currency, amount | 2 + n + 3 + 8 |
///
/// `posted_at` is left out, so the same inputs in the same order give the same chain whenever
/// they are replayed.
struct CanonicalBytes {
    private(set) var bytes: [UInt8] = []
    private let digest = SHA256Context()

    /// What stands before the first transaction's hash.
    static let genesis = [UInt8](repeating: 0, count: SHA256.byteCount)

    /// SHA-256 of the previous hash and the transaction's bytes.
    mutating func hash(after previous: [UInt8], id: TransactionID, _ posting: Posting) -> [UInt8] {
        bytes.removeAll(keepingCapacity: true)
        bytes.append(contentsOf: previous)
        append(id: id, posting)
        return digest.digest(bytes)
    }

    /// - Precondition: every text is at most 65,535 bytes long, which the rules see to.
    mutating func append(id: TransactionID, _ posting: Posting) {
        bytes.append(1)
        bytes.append(UInt8(truncatingIfNeeded: posting.kind.rawValue))
        append(id.rawValue)
        append(posting.effectiveAt.seconds)
        append(posting.movement.rawValue)
        append(posting.eventID.rawValue)
        append(count: posting.entries.count)
        for entry in posting.entries {
            append(entry.account.rawValue)
            bytes.append(contentsOf: entry.currency.code.utf8)
            append(entry.amount.rawValue)
        }
    }

    private mutating func append(_ number: Int64) {
        withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) }
    }

    private mutating func append(count: Int) {
        bytes.append(UInt8(truncatingIfNeeded: count >> 8))
        bytes.append(UInt8(truncatingIfNeeded: count))
    }

    private mutating func append(_ text: String) {
        append(count: text.utf8.count)
        bytes.append(contentsOf: text.utf8)
    }
}
