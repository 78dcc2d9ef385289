import AppendLog
import Synchronization
import Vocabulary

/// When the rows were booked that the log tells of, for a ledger that books them once more. What
/// was told since this was made is the ledger's own; what retention has removed, or cannot be read,
/// tells no time.
final class PublishedRows: LedgerStamps {
    /// The number of the last transaction in `ledger.posted`; nil if there is none.
    let lastTransaction: Int64?
    /// The number of the last change of a review that the ledger has told `payment.review`.
    let lastReviewChange: Int64?
    /// Where `ledger.posted` ends, behind the last transaction.
    private let end: Offset
    private let posted: Topic
    private let reviews: Topic
    private let page: Mutex<Page>

    /// Changes of reviews, by their number, as one read of `payment.review` has them.
    private struct Page {
        var stamps: [Int64: Int64] = [:]
        /// The first and the last number; nil for a page that has none.
        var numbers: ClosedRange<Int64>?
        /// Where the next read begins.
        var next: Offset

        mutating func add(_ id: Int64, at stamp: Int64) {
            stamps[id] = stamp
            numbers = min(numbers?.lowerBound ?? id, id)...max(numbers?.upperBound ?? id, id)
        }
    }

    init(_ topics: Topics) throws(LogError) {
        let producer = try ProducerName(LedgerStep.name)
        (posted, reviews) = (topics[.ledgerPosted], topics[.paymentReview])
        lastTransaction = posted.lastSource(of: producer)?.rawValue
        lastReviewChange = reviews.lastSource(of: producer)?.rawValue
        end = posted.highWatermark
        page = Mutex(Page(next: reviews.start))
    }

    /// Rows and offsets both have no gaps, so that one tells the other.
    func stamp(ofTransaction id: Int64) -> Int64? {
        guard let lastTransaction, id <= lastTransaction else { return nil }
        let offset = end.advanced(by: id - lastTransaction - 1)
        guard offset >= posted.start else { return nil }
        return (try? posted.record(at: offset))?.timestamp.milliseconds
    }

    /// Numbers ascend in the topic, and are asked for in their order but after a transaction that
    /// failed, so that a page is seldom left again.
    func stamp(ofReviewChange id: Int64) -> Int64? {
        guard let lastReviewChange, id <= lastReviewChange else { return nil }
        return page.withLock { page in
            if let numbers = page.numbers, id < numbers.lowerBound {
                page = Page(next: reviews.start)
            }
            while page.numbers.map({ $0.upperBound < id }) ?? true {
                guard let fresh = read(from: page.next) else { return nil }
                page = fresh
            }
            return page.stamps[id]
        }
    }

    /// The next page that has any; nil at the end, or where it cannot be read.
    private func read(from start: Offset) -> Page? {
        var page = Page(next: start)
        while page.numbers == nil, page.next < reviews.highWatermark {
            guard
                let records = try? reviews.read(
                    from: page.next, byteCountMax: Topic.scanByteCount),
                let last = records.last
            else { return nil }
            for stored in records where stored.record.text("stage") == LedgerStep.name {
                guard let source = stored.record.text(SourcedRecord.headerName),
                    let id = Int64(source)
                else { continue }
                page.add(id, at: stored.record.timestamp.milliseconds)
            }
            page.next = last.offset.advanced(by: 1)
        }
        return page.numbers == nil ? nil : page
    }
}
