import Vocabulary

/// Compares two ledgers transaction by transaction.
///
/// Both chains are walked side by side. Where one lacks a transaction or has one more, the two are
/// shifted from there on, so a transaction that does not meet its equal at once waits for it under
/// its movement's key. Memory grows with how far the two are shifted only.
struct ChainComparison {
    private let original: any LedgerReading
    /// The last transaction of the original that counts.
    private let last: Int64
    private var page: ArraySlice<PostedTransaction> = []
    private var read: Int64 = 0
    /// What waits for its equal, by movement.
    private var theirs: [MovementKey: PostedTransaction] = [:]
    private var ours: [MovementKey: PostedTransaction] = [:]
    private(set) var comparedCount = 0
    private(set) var differences = ReplayDifferences()
    /// The hash of the original's transaction that was met last.
    private(set) var originalHead = CanonicalBytes.genesis

    init(_ original: any LedgerReading, through last: Int64) {
        self.original = original
        self.last = last
    }

    /// Takes the next transaction that the replay booked.
    mutating func meet(_ mine: PostedTransaction) throws(LedgerError) {
        guard let theirs = try nextOriginal() else { return settle(mine) }
        originalHead = theirs.hash
        if theirs.id != mine.id || theirs.hash != mine.hash { noteChain(theirs, mine) }
        if theirs.posting.movement == mine.posting.movement {
            return compare(theirs, mine)
        }
        settle(mine)
        if let mine = ours.removeValue(forKey: theirs.posting.movement) {
            compare(theirs, mine)
        } else {
            self.theirs[theirs.posting.movement] = theirs
        }
    }

    /// Ends the walk.
    ///
    /// - Parameter isWhole: whether the replay went as far as the original, so that what the
    ///   original has beyond is a difference too.
    mutating func finish(isWhole: Bool) throws(LedgerError) {
        while isWhole, let theirs = try nextOriginal() {
            originalHead = theirs.hash
            if let mine = ours.removeValue(forKey: theirs.posting.movement) {
                compare(theirs, mine)
            } else {
                self.theirs[theirs.posting.movement] = theirs
            }
        }
        for theirs in theirs.values.sorted(by: { $0.id < $1.id }) { note(theirs, nil) }
        for mine in ours.values.sorted(by: { $0.id < $1.id }) { note(nil, mine) }
        (theirs, ours) = ([:], [:])
    }

    private mutating func settle(_ mine: PostedTransaction) {
        if let theirs = theirs.removeValue(forKey: mine.posting.movement) {
            compare(theirs, mine)
        } else {
            ours[mine.posting.movement] = mine
        }
    }

    private mutating func nextOriginal() throws(LedgerError) -> PostedTransaction? {
        if page.isEmpty, read < last {
            let rows = try original.posted(
                after: TransactionID(read), limit: ReplayLimits.transactionCount)
            page = rows.prefix { $0.id.rawValue <= last }
            read = page.last?.id.rawValue ?? last
        }
        return page.popFirst()
    }

    private mutating func compare(_ theirs: PostedTransaction, _ mine: PostedTransaction) {
        comparedCount += 1
        if !theirs.posting.isSame(as: mine.posting) { note(theirs, mine) }
    }

    private mutating func note(_ theirs: PostedTransaction?, _ mine: PostedTransaction?) {
        let named = theirs ?? mine
        differences.add(
            ReplayDifference(
                kind: .movement, place: "transactions \((theirs ?? mine)?.id.rawValue ?? 0)",
                what: named?.posting.movement.rawValue ?? "",
                original: theirs?.posting.words ?? ReplayDifference.nothing,
                replayed: mine?.posting.words ?? ReplayDifference.nothing))
    }

    private mutating func noteChain(_ theirs: PostedTransaction, _ mine: PostedTransaction) {
        differences.add(
            ReplayDifference(
                kind: .chain, place: "transactions \(theirs.id)",
                what: theirs.posting.movement.rawValue,
                original: "\(theirs.id) \(String(hex: theirs.hash))",
                replayed: "\(mine.id) \(String(hex: mine.hash))"))
    }
}

extension Posting {
    /// Equal but for the order of entries within a currency, which only the hash knows.
    fileprivate func isSame(as other: Posting) -> Bool {
        movement == other.movement && eventID == other.eventID && kind == other.kind
            && effectiveAt == other.effectiveAt
            && Self.sorted(entries) == Self.sorted(other.entries)
    }

    private static func sorted(_ entries: [Entry]) -> [Entry] {
        entries.sorted {
            ($0.currency.code, $0.account.rawValue, $0.amount.rawValue)
                < ($1.currency.code, $1.account.rawValue, $1.amount.rawValue)
        }
    }

    fileprivate var words: String {
        let lines = entries.map { "\($0.account) \($0.amount.rawValue) \($0.currency.code)" }
        return "\(kind.name) of \(eventID) at \(effectiveAt.seconds): "
            + lines.joined(separator: ", ")
    }
}
