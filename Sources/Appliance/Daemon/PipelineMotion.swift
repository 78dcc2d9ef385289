import Vocabulary

/// Whether the steps of the pipeline move on: a step that has something to read and has not come
/// further for too long hangs.
///
/// It is told their places now and then, and keeps when each last was elsewhere or had nothing to
/// read. A step that waits for room on the disk is not stuck: to begin anew gives it none.
struct PipelineMotion {
    /// How far one step has read one topic.
    struct Place: Hashable {
        var step, topic: String
        /// The offset that is read next.
        var next: Int64
        /// Records that are still to be read.
        var lagRecords: Int64
    }

    /// Seconds that a step may stand still: far longer than its longest batch and snapshot.
    static let stillSecondsMax = 120.0

    private struct Name: Hashable { var step, topic: String }
    private var moved: [Name: (next: Int64, at: Double)] = [:]

    /// Looks once more.
    ///
    /// - Parameters:
    ///   - places: of every step; nil where they cannot be read, which says nothing of the steps.
    ///   - waits: whether a step waits for room on the disk.
    ///   - now: seconds by a clock that nobody sets.
    /// - Returns: a sentence for a step that hangs; nil for none.
    mutating func look(at places: [Place]?, waits: Bool, now: Double) -> String? {
        guard let places, !waits else {
            moved = [:]
            return nil
        }
        var stuck: String?
        for place in places {
            let name = Name(step: place.step, topic: place.topic)
            guard place.lagRecords > 0, let last = moved[name], last.next == place.next else {
                moved[name] = (place.next, now)
                continue
            }
            let seconds = now - last.at
            guard seconds >= Self.stillSecondsMax else { continue }
            stuck =
                "\(place.step) has stood at \(place.topic) \(place.next) for \(Int(seconds)) s "
                + "with \(Counted.words(place.lagRecords, "record")) to read"
        }
        return stuck
    }
}
