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
///
/// A record that was read holds those bytes once and knows where its fields are in them; the fields
/// are made when they are asked for. So a reader pays for what it looks at, and reading a record
/// allocates nothing.
public struct Record: Sendable {
    fileprivate(set) var content: Content
    public var timestamp: Timestamp

    enum Content: Sendable {
        case parts(Parts)
        case placed(PlacedFields)
    }

    struct Parts: Sendable {
        var key: ArraySlice<UInt8>?
        var value: ArraySlice<UInt8>?
        var headers: [RecordHeader]
    }

    public init(
        key: ArraySlice<UInt8>?, value: ArraySlice<UInt8>?, headers: [RecordHeader] = [],
        timestamp: Timestamp
    ) {
        content = .parts(Parts(key: key, value: value, headers: headers))
        self.timestamp = timestamp
    }

    /// A record whose fields lie where they were read.
    @inline(__always)
    init(_ fields: PlacedFields, timestamp: Timestamp) {
        content = .placed(fields)
        self.timestamp = timestamp
    }

    /// The ordering key; nil is Kafka's null.
    public var key: ArraySlice<UInt8>? {
        get {
            switch content {
            case .parts(let parts): parts.key
            case .placed(let fields): fields[fields.key]
            }
        }
        set { change { $0.key = newValue } }
    }

    /// nil is Kafka's null, a tombstone in a compacted topic.
    public var value: ArraySlice<UInt8>? {
        get {
            switch content {
            case .parts(let parts): parts.value
            case .placed(let fields): fields[fields.value]
            }
        }
        set { change { $0.value = newValue } }
    }

    /// In the order in which they were written.
    public var headers: [RecordHeader] {
        get {
            switch content {
            case .parts(let parts): parts.headers
            case .placed(let fields): fields.headers
            }
        }
        set { change { $0.headers = newValue } }
    }

    private mutating func change(_ body: (inout Parts) -> Void) {
        var parts = Parts(key: key, value: value, headers: headers)
        body(&parts)
        content = .parts(parts)
    }

    /// The value of the last header of that name, as Kafka's `lastHeader` has it.
    ///
    /// - Returns: nil if there is no such header or its value is null.
    public func header(_ name: String) -> ArraySlice<UInt8>? {
        switch content {
        case .parts(let parts): parts.headers.last { $0.name == name }?.value
        case .placed(let fields): fields.header(name)
        }
    }
}

extension Record: Hashable {
    /// By what they hold, wherever it lies.
    public static func == (one: Record, other: Record) -> Bool {
        one.timestamp == other.timestamp && one.key == other.key && one.value == other.value
            && one.headers == other.headers
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(timestamp)
        hasher.combine(key)
        hasher.combine(value)
        hasher.combine(headers)
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
