/// A named value beside a record's own; names may repeat.
public struct RecordHeader: Hashable, Sendable {
    public var name: String
    /// nil is Kafka's null, which is not the same as no bytes.
    public var value: ArraySlice<UInt8>?

    public init(_ name: String, _ value: ArraySlice<UInt8>?) {
        self.name = name
        self.value = value
    }

    /// A header whose value is text, stored as UTF-8.
    public init(_ name: String, _ value: String) {
        self.init(name, ArraySlice(value.utf8))
    }
}

/// What a writer hands to the log: a key, a value, headers and a moment.
///
/// Keys and values are slices because a record that was read shares the bytes it was read into:
/// one record kept alive keeps the whole read alive. Copy (`Array(value)`) what is kept for long.
public struct Record: Hashable, Sendable {
    /// The ordering key; nil is Kafka's null.
    public var key: ArraySlice<UInt8>?
    /// nil is Kafka's null, a tombstone in a compacted topic.
    public var value: ArraySlice<UInt8>?
    /// In the order in which they were written.
    public var headers: [RecordHeader]
    public var timestamp: Timestamp

    public init(
        key: ArraySlice<UInt8>?, value: ArraySlice<UInt8>?, headers: [RecordHeader] = [],
        timestamp: Timestamp
    ) {
        self.key = key
        self.value = value
        self.headers = headers
        self.timestamp = timestamp
    }

    /// The value of the last header of that name, as Kafka's `lastHeader` has it.
    ///
    /// - Returns: nil if there is no such header or its value is null.
    public func header(_ name: String) -> ArraySlice<UInt8>? {
        headers.last { $0.name == name }?.value
    }
}

/// A record at its place in the log.
public struct StoredRecord: Hashable, Sendable {
    public let offset: Offset
    public let record: Record

    public init(offset: Offset, record: Record) {
        self.offset = offset
        self.record = record
    }
}
