import AppendLog
import Bridges
import Vocabulary

/// What a search through a step's outputs has found so far, and how far it has come: kept between
/// two attempts, each of which ends before the group takes its member for dead.
struct PositionSearch {
    /// Behind the last source that was seen, partition by partition of the inputs.
    private(set) var starts: [SourceLane: Offset] = [:]
    /// What is read next of the outputs' partitions.
    private var reached: [KafkaPartition: Offset] = [:]

    /// Where reading goes on in a partition that has these ends.
    ///
    /// What retention has deleted meanwhile is passed over; a topic that was made anew meanwhile is
    /// read from its beginning.
    func start(of partition: KafkaPartition, from first: Offset, to end: Offset) -> Offset {
        guard let known = reached[partition], known <= end else { return first }
        return max(known, first)
    }

    /// Takes a batch of outputs in.
    mutating func add(_ batch: KafkaBatch) {
        for stored in batch.records {
            guard let place = SourceHeader.place(in: stored.record) else { continue }
            let next = place.next.offset
            starts[place.lane] = max(next, starts[place.lane] ?? next)
        }
        reached[batch.partition] = batch.next
    }
}
