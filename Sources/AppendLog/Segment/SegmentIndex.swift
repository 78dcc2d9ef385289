/// The two indexes of a segment. Both can be rebuilt from it, so they carry no checksum; what is
/// loaded is checked for sanity, and what is looked up is checked against the batch it leads to.
///
/// ```
/// .index      byte  size             |  .timeindex  byte  size
///                0     4  relative offset of a batch's first record, from the segment's base
///                4     4  position of the batch in bytes
///                                    |                 0     8  the latest timestamp so far, ms
///                                    |                 8     4  relative offset of the last record
///                                    |                          of the batch, none up to which is
///                                    |                          later
/// ```
/// All big-endian, as Kafka writes them. Within a file, both columns of `.index` and the first of
/// `.timeindex` increase strictly.
struct SegmentIndex: Sendable {
    struct Place: Hashable, Sendable {
        var relativeOffset: UInt32
        var position: UInt32
    }

    struct Moment: Hashable, Sendable {
        var timestamp: Int64
        var relativeOffset: UInt32
    }

    static let placeByteCount = 8
    static let momentByteCount = 12

    private(set) var places: [Place] = []
    private(set) var moments: [Moment] = []
    /// The latest timestamp of any batch added, also of those that got no entry.
    private(set) var maxTimestamp: Timestamp?
    /// The last relative offset at which `maxTimestamp` is known to hold.
    private var lastRelativeOffset: UInt32 = 0
    private var bytesSinceEntry = 0

    /// Takes note of a batch, which gets an entry if enough bytes lie between it and the last one.
    mutating func add(
        _ header: RecordBatchHeader, at position: Int64, base: Offset, intervalBytes: Int
    ) {
        guard let first = UInt32(exactly: base.distance(to: header.baseOffset)),
            let last = UInt32(exactly: base.distance(to: header.lastOffset)),
            let place = UInt32(exactly: position)
        else { return }
        maxTimestamp = max(maxTimestamp ?? header.maxTimestamp, header.maxTimestamp)
        lastRelativeOffset = last
        if places.isEmpty || bytesSinceEntry >= intervalBytes {
            places.append(Place(relativeOffset: first, position: place))
            bytesSinceEntry = 0
            addMoment()
        }
        bytesSinceEntry += header.byteCount
    }

    /// Makes the last entry of the time index speak for every batch added so far.
    mutating func seal() {
        guard let maxTimestamp, let last = moments.indices.last else { return }
        if moments[last].timestamp == maxTimestamp.milliseconds {
            moments[last].relativeOffset = lastRelativeOffset
        } else {
            addMoment()
        }
    }

    private mutating func addMoment() {
        guard let maxTimestamp else { return }
        guard moments.last.map({ $0.timestamp < maxTimestamp.milliseconds }) ?? true else { return }
        moments.append(
            Moment(timestamp: maxTimestamp.milliseconds, relativeOffset: lastRelativeOffset))
    }

    /// The last entry at or before `relativeOffset`.
    func place(atOrBefore relativeOffset: UInt32) -> Place? {
        let after = places.partitioningIndex { $0.relativeOffset > relativeOffset }
        return after == 0 ? nil : places[after - 1]
    }

    /// A relative offset up to which no record is stamped `timestamp` or later; nil if none is
    /// known.
    func relativeOffset(before timestamp: Timestamp) -> UInt32? {
        let after = moments.partitioningIndex { $0.timestamp >= timestamp.milliseconds }
        return after == 0 ? nil : moments[after - 1].relativeOffset
    }

    // MARK: On disk

    func encodedPlaces() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(places.count * Self.placeByteCount)
        for place in places {
            bytes.append(bigEndian: place.relativeOffset)
            bytes.append(bigEndian: place.position)
        }
        return bytes
    }

    func encodedMoments() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(moments.count * Self.momentByteCount)
        for moment in moments {
            bytes.append(bigEndian: moment.timestamp)
            bytes.append(bigEndian: moment.relativeOffset)
        }
        return bytes
    }

    /// How much of the two files a reader may trust, and what they must then say.
    struct Extent: Hashable, Sendable {
        /// Bytes and records of the segment that the entries speak for.
        var byteCount: Int64
        var recordCount: Int64
        /// The number of entries; nil if whatever is there counts.
        var placeCount: Int?
        var momentCount: Int?
    }

    /// What the two files of a segment say of its first `extent.byteCount` bytes.
    ///
    /// - Returns: nil if they are not sane or not complete: rebuild them.
    init?(places placeBytes: [UInt8], moments momentBytes: [UInt8], extent: Extent) {
        let placeCount = extent.placeCount ?? placeBytes.count / Self.placeByteCount
        let momentCount = extent.momentCount ?? momentBytes.count / Self.momentByteCount
        guard placeBytes.count >= placeCount * Self.placeByteCount,
            momentBytes.count >= momentCount * Self.momentByteCount
        else { return nil }
        self.init(
            stored: Array(placeBytes.prefix(placeCount * Self.placeByteCount)),
            Array(momentBytes.prefix(momentCount * Self.momentByteCount)))
        guard finishLoading(extent) else { return nil }
    }

    /// The entries of the two files; nil if they do not increase as they must.
    init?(stored placeBytes: [UInt8], _ momentBytes: [UInt8]) {
        for start in stride(from: 0, through: placeBytes.count - 8, by: Self.placeByteCount) {
            let place = Place(
                relativeOffset: placeBytes.bigEndian(at: start),
                position: placeBytes.bigEndian(at: start + 4))
            if let last = places.last {
                guard last.relativeOffset < place.relativeOffset, last.position < place.position
                else { return nil }
            } else if place != Place(relativeOffset: 0, position: 0) {
                return nil
            }
            places.append(place)
        }
        for start in stride(from: 0, through: momentBytes.count - 12, by: Self.momentByteCount) {
            let moment = Moment(
                timestamp: momentBytes.bigEndian(at: start),
                relativeOffset: momentBytes.bigEndian(at: start + 8))
            if let last = moments.last {
                guard last.timestamp < moment.timestamp, last.relativeOffset < moment.relativeOffset
                else { return nil }
            }
            moments.append(moment)
        }
    }

    private mutating func finishLoading(_ extent: Extent) -> Bool {
        if extent.byteCount == 0 { return places.isEmpty && moments.isEmpty }
        guard let place = places.last, let moment = moments.last,
            Int64(place.position) < extent.byteCount,
            Int64(moment.relativeOffset) == extent.recordCount - 1
        else { return false }
        maxTimestamp = Timestamp(milliseconds: moment.timestamp)
        lastRelativeOffset = moment.relativeOffset
        bytesSinceEntry = Int(extent.byteCount - Int64(place.position))
        return true
    }

    init() {}
}

extension Array {
    /// The first index whose element satisfies a predicate that, once true, stays true.
    func partitioningIndex(where isAfter: (Element) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = low + (high - low) / 2
            if isAfter(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

extension [UInt8] {
    mutating func append(bigEndian value: some FixedWidthInteger) {
        for shift in stride(from: value.bitWidth - 8, through: 0, by: -8) {
            append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }

    func bigEndian<Number: FixedWidthInteger>(at position: Int) -> Number {
        var value: Number = 0
        for index in position..<position + Number.bitWidth / 8 {
            value = (value << 8) | Number(truncatingIfNeeded: self[index])
        }
        return value
    }
}
