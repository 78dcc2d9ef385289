package import AppendLog

/// A topic that can be read, in whichever plane.
package protocol RecordReading<Failure>: Sendable {
    associatedtype Failure: Error

    /// The first offset that is still kept.
    var start: Offset { get }
    /// The offset after the last record.
    var end: Offset { get }
    func read(from offset: Offset, byteCountMax: Int) throws(Failure) -> [StoredRecord]
    func offset(at timestamp: Timestamp) throws(Failure) -> Offset?
}

extension RecordReading {
    /// Bytes that a scan reads at once.
    package static var scanByteCount: Int { 1 << 20 }

    /// Hands every record from `offset` on to `body`, until that returns false.
    package func scan(
        from offset: Offset, byteCountMax: Int = Self.scanByteCount, _ body: (StoredRecord) -> Bool
    ) throws(Failure) {
        var next = max(offset, start)
        while next < end {
            let records = try read(from: next, byteCountMax: byteCountMax)
            guard let last = records.last else { return }
            for stored in records where !body(stored) { return }
            next = last.offset.advanced(by: 1)
        }
    }

    /// Records that nobody wants between two that are: fewer of them are read along with these, for
    /// a question to another machine costs as much as many records.
    package static var gapRecordCountMax: Int64 { 32 }

    /// Hands over the records at `offsets`, which go up, in their order; what is not kept is left
    /// out. What lies close together is read at once.
    package func records(
        at offsets: [Offset], _ body: (StoredRecord) -> Void
    ) throws(Failure) {
        func isNear(_ next: Int, _ offset: Offset) -> Bool {
            next < offsets.endIndex
                && offset.distance(to: offsets[next]) <= Self.gapRecordCountMax
        }
        var next = offsets.startIndex
        while next < offsets.endIndex {
            let (begun, first) = (next, offsets[next])
            var isOver = true
            try scan(
                from: first, byteCountMax: isNear(next + 1, first) ? Self.scanByteCount : 1
            ) { stored in
                while next < offsets.endIndex, offsets[next] < stored.offset { next += 1 }
                if next < offsets.endIndex, offsets[next] == stored.offset {
                    body(stored)
                    next += 1
                }
                isOver = !isNear(next, stored.offset)
                return !isOver
            }
            // Else it has come to the end of what is kept.
            guard isOver, next > begun else { return }
        }
    }

    /// The record at `offset`; nil when it is not kept.
    package func record(at offset: Offset) throws(Failure) -> Record? {
        guard offset >= start, offset < end else { return nil }
        let first = try read(from: offset, byteCountMax: 1).first
        return first?.offset == offset ? first?.record : nil
    }
}

/// A topic as those see it who only read, and need not know which plane it is in.
package struct TopicReader: RecordReading {
    private let bounds: @Sendable () -> (start: Offset, end: Offset)
    private let records: @Sendable (Offset, Int) -> Result<[StoredRecord], StoreFailure>
    private let place: @Sendable (Timestamp) -> Result<Offset?, StoreFailure>

    /// - Parameter failure: what the topic's own error means to a reader.
    package init<Source: RecordReading>(
        _ topic: Source, failure: @escaping @Sendable (Source.Failure) -> StoreFailure
    ) {
        bounds = { (topic.start, topic.end) }
        records = { offset, byteCountMax in
            Result { () throws(Source.Failure) in
                try topic.read(from: offset, byteCountMax: byteCountMax)
            }.mapError(failure)
        }
        place = { timestamp in
            Result { () throws(Source.Failure) in try topic.offset(at: timestamp) }
                .mapError(failure)
        }
    }

    package var start: Offset { bounds().start }
    package var end: Offset { bounds().end }

    package func read(
        from offset: Offset, byteCountMax: Int
    ) throws(StoreFailure) -> [StoredRecord] {
        try records(offset, byteCountMax).get()
    }

    package func offset(at timestamp: Timestamp) throws(StoreFailure) -> Offset? {
        try place(timestamp).get()
    }
}

/// A topic that grows while it is read.
package struct FollowedTopic: Sendable {
    package let reader: TopicReader
    private let wait: @Sendable (Offset) async -> Result<Void, StoreFailure>

    package init(
        _ reader: TopicReader,
        wait: @escaping @Sendable (Offset) async -> Result<Void, StoreFailure>
    ) {
        self.reader = reader
        self.wait = wait
    }

    /// Returns when there is a record at `offset`.
    ///
    /// - Throws: `.stopping` when the task is cancelled or the plane closes.
    package func waitForRecords(from offset: Offset) async throws(StoreFailure) {
        try await wait(offset).get()
    }
}
