import AppendLog
package import Vocabulary

/// What people decided and the ledger has not read yet: it books that next, or at the next start
/// where no daemon runs.
package struct WaitingDecisions: Sendable {
    /// Of each payment the first, which is the one that takes effect.
    private var records: [MovementKey: ReviewRecord] = [:]

    /// None.
    package init() {}

    /// - Parameters:
    ///   - topic: `payment.review`.
    ///   - next: the offset that the ledger reads next of it; nil where it has read nothing.
    package init(in topic: TopicReader, from next: Int64?) throws(StoreFailure) {
        var records: [MovementKey: ReviewRecord] = [:]
        let document = JSONDocument()
        try topic.scan(from: next.map { Offset($0) } ?? topic.start) { stored in
            guard let record = try? ReviewRecord(stored.record.value ?? [], using: document),
                PostingRules.decision(of: record) != nil
            else { return true }
            if records[record.movement] == nil { records[record.movement] = record }
            return true
        }
        self.records = records
    }

    package subscript(movement: MovementKey) -> ReviewRecord? { records[movement] }

    /// The decision that a review waits for; what was closed otherwise waits for none.
    package func decision(on review: Review) -> ReviewRecord? {
        review.state == .open ? records[review.movement] : nil
    }
}

extension Review {
    /// The review with the decision that the ledger has still to book, as `waiting`.
    ///
    /// - Parameter refunds: of the payment; nil where they were not asked for.
    package func encode(
        into writer: inout JSONWriter, waiting decision: ReviewRecord?,
        refunds: [GivenRefund]? = nil
    ) {
        writer.beginObject()
        encodeMembers(into: &writer)
        refunds?.encodeMembers(of: self, into: &writer)
        writer.key("waiting")
        if let decision {
            writer.beginObject()
            writer.member("state", decision.state.rawValue)
            writer.member("by", decision.by)
            writer.member("at", decision.at.seconds)
            writer.member("note", decision.note)
            writer.endObject()
        } else {
            writer.null()
        }
        writer.endObject()
    }
}
