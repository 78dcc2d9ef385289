import AppendLog
import Vocabulary

/// Compares which reviews the ledger opened and closed by itself. They have no order against the
/// records of other topics, so the two sides are compared as sets; memory grows with the reviews.
/// What a row of the ledger says beside that, `ledger verify` compares with the log.
struct ReviewComparison {
    private struct Change: Hashable, Comparable {
        var movement: String
        var state: String
        var at: Int64

        init(_ record: ReviewRecord) {
            (movement, state) = (record.movement.rawValue, record.state.rawValue)
            at = record.at.seconds
        }

        static func < (left: Self, right: Self) -> Bool {
            (left.at, left.movement, left.state) < (right.at, right.movement, right.state)
        }

        var words: String { "\(movement) \(state)" }
    }

    private var mine: Set<Change> = []
    private(set) var comparedCount = 0
    private(set) var differences = ReplayDifferences()

    mutating func replayed(_ changes: [ReviewChange]) {
        for change in changes { mine.insert(Change(change.record)) }
    }

    /// Counts the original's changes against them: those of its ledger, and what scoring told of
    /// before the ledger kept reviews.
    ///
    /// - Parameter isWhole: whether all that the original has is due in the replay.
    mutating func finish(_ source: ReplaySource, isWhole: Bool) throws {
        var original: Set<Change> = []
        let document = JSONDocument()
        // A daemon may go on in the folder: what its ledger has changed since is not due.
        let end = source.point.lastReview
        func isDue(_ record: Record) -> Bool {
            guard record.text("stage") == LedgerStep.name,
                let id = record.text(SourcedRecord.headerName).flatMap({ Int64($0) })
            else { return true }
            return id <= end
        }
        try source[.paymentReview].scan(from: .zero) { stored in
            let review = try? ReviewRecord(stored.record.value ?? [], using: document)
            guard let review, ReplaySource.isOwn(stored, review), isDue(stored.record)
            else { return true }
            original.insert(Change(review))
            return true
        }
        var last: Int64 = 0
        while last < end {
            let page = try source.ledger.reviewChanges(
                after: last, limit: ReplayLimits.transactionCount)
            for change in page where change.id <= end { original.insert(Change(change.record)) }
            guard let newest = page.last else { break }
            last = newest.id
        }
        comparedCount = original.intersection(mine).count
        for change in mine.subtracting(original).sorted() { note(change, isReplayed: true) }
        guard isWhole else { return }
        for change in original.subtracting(mine).sorted() { note(change, isReplayed: false) }
    }

    private mutating func note(_ change: Change, isReplayed: Bool) {
        differences.add(
            ReplayDifference(
                kind: .review, place: "payment.review at \(change.at)", what: change.movement,
                original: isReplayed ? ReplayDifference.nothing : change.words,
                replayed: isReplayed ? change.words : ReplayDifference.nothing))
    }
}
