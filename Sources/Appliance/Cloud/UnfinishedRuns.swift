import AppendLog
import Appliance
import Vocabulary

/// Where the first run of a partition began that an instance was given and has not finished: over
/// its leaving and joining, since a group that has noted no offset yet cannot tell.
///
/// Once the group has noted one, that is where it goes on, whoever has finished the run. What was
/// remembered until then is forgotten: offsets expire, and it would lead far back.
struct UnfinishedRuns {
    private var begins: [SourceLane: Offset] = [:]

    /// A run was given; only the first one that is not finished counts.
    mutating func begin(of lane: SourceLane, at offset: Offset) {
        if begins[lane] == nil { begins[lane] = offset }
    }

    mutating func finish(_ lane: SourceLane) { begins[lane] = nil }

    /// - Parameters:
    ///   - starts: where partitions would begin; one that is left out, at its beginning.
    ///   - committed: what the group has noted of them.
    /// - Returns: the same, no further than where a run was left.
    mutating func starts(
        _ starts: [SourceLane: Offset], of given: [SourceLane], committed: [SourceLane: Offset]
    ) -> [SourceLane: Offset] {
        var starts = starts
        for lane in given {
            guard let begin = begins[lane] else { continue }
            if committed[lane] != nil {
                begins[lane] = nil
            } else if let start = starts[lane] {
                starts[lane] = min(start, begin)
            }
        }
        return starts
    }
}
