import AppendLog
import Vocabulary

/// What one batch of webhooks comes to, ready to be stored and booked.
struct ReplayBatch: Sendable {
    /// Records for one topic of the fresh log, in their order.
    enum Step: Sendable {
        /// Derived by a stage, from this offset of its input.
        case derived(SourcedRecord, by: ProducerName)
        /// Taken over from the original as it is.
        case input(Record)
    }

    /// A record for the fresh ledger.
    struct Booking: Sendable {
        var topic: TopicID
        /// At its place in the fresh log; of `payment.review` at its place in the original's.
        var stored: StoredRecord
        /// The offset in the fresh `payment.scored` that comes next.
        var scoredNext: Offset
    }

    var received: [Record] = []
    var steps: [TopicID: [Step]] = [:]
    var bookings: [Booking] = []
    /// Records of `payment.review` that the original's ledger has not considered, at its end.
    var unconsidered: [Record] = []
}
