import AppendLog

/// What a history has asked of one topic, and what it was told.
struct TopicModel {
    /// One append: the values of its records, and for a producer's each record's source.
    struct Append {
        var values: [[UInt8]]
        var producer: ProducerName?
        var sources: [Offset] = []
        /// What the log answered; nil while it has not.
        var outcome: Result<AppendOutcome, LogError>?
    }

    var appends: [Append] = []
    /// Records known to be durable, by offset.
    var durable: [Offset: [UInt8]] = [:]
    /// The last source known to be durable, by producer.
    var lastSource: [ProducerName: Offset] = [:]
    /// The next source a stage would come to, by producer.
    var nextSource: [ProducerName: Int64] = [:]
    var highWatermark = Offset.zero
    /// No record from here on may have been deleted.
    var deletableBefore = Offset.zero
}

/// What a history has asked of one cursor.
struct CursorModel {
    /// nil if none was committed, or it was removed.
    var durable: Offset?
    /// Asked for since, in order; nil is a removal. Any of them may be found after a crash.
    var requested: [Offset?] = []
    /// How many requests were answered.
    var settled = 0
}

struct CursorKey: Hashable {
    var group: GroupName
    var topic: TopicName
}

/// A history did not end as it must. The description reproduces it.
struct SimulationFailure: Error, CustomStringConvertible {
    var what: String
    var description: String { what }
}
