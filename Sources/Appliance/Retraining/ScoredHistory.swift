package import AppendLog
package import Vocabulary

/// One scoring as the log has it: the payment with its verdict, and what the model had seen.
package struct HistoricScoring: Hashable, Sendable {
    package var scored: ScoredPayment
    /// Nil where the payment named nobody to compare it with.
    package var vector: FeatureVector?
    /// In `payment.scored`.
    package var offset: Offset
}

/// The scorings of a log in its order, each beside its vector.
///
///     payment.features  ─ 3 ─── 5 ─ 6 ─▶      both carry the offset in payment.validated that they
///     payment.scored    ─ 3 ─ 4 ─ 5 ─ 6 ─▶    were derived from, ascending; 4 had no vector
///
/// The vectors are those that the pipeline computed when the payment came: nothing later is in
/// them. Memory is a page of each topic.
package struct ScoredHistory {
    private var scored: TopicReader
    private var features: TopicReader
    /// Of `payment.scored`.
    package private(set) var next: Offset
    private var featuresNext: Offset
    private var vectors: ArraySlice<(source: Int64, record: FeaturesRecord)> = []
    private let document = JSONDocument()
    /// Records that could not be read.
    package private(set) var damagedCount = 0

    private static let pageByteCount = 1 << 20

    /// - Parameter from: the first scoring; nil for the first that is kept.
    /// - Throws: `StoreFailure`.
    package init(
        scored: TopicReader, features: TopicReader, from: Offset? = nil
    ) throws(StoreFailure) {
        self.scored = scored
        self.features = features
        next = max(from ?? scored.start, scored.start)
        featuresNext = features.start
        guard next > scored.start, let source = try Self.source(before: next, in: scored) else {
            return
        }
        featuresNext = try Self.place(of: source + 1, in: features)
    }

    /// Where scorings end now.
    package var end: Offset { scored.end }
    /// The first scoring that is kept.
    package var start: Offset { scored.start }

    /// The same place in readers that were opened later.
    package mutating func renew(scored: TopicReader, features: TopicReader) {
        (self.scored, self.features) = (scored, features)
    }

    /// The next scorings of payments, in the order of the log; nil at its end, and where the vector
    /// of the next one cannot be seen yet. Kinds without risk are left out, and so are records that
    /// were sent back to be booked again: they were scored before.
    ///
    /// - Throws: `StoreFailure`.
    package mutating func page() throws(StoreFailure) -> [HistoricScoring]? {
        guard next < scored.end else { return nil }
        let records = try scored.read(from: next, byteCountMax: Self.pageByteCount)
        guard !records.isEmpty else { return nil }
        let began = next
        var page: [HistoricScoring] = []
        for stored in records {
            guard let source = Self.source(of: stored),
                RedriveHeader.letter(of: stored.record) == nil,
                let payment = decoded(stored), payment.event.kind == .payment,
                payment.verdict != .notScored
            else {
                next = stored.offset.advanced(by: 1)
                continue
            }
            let found = try vector(of: source)
            // A score came of a vector: it is there, only not for this reader yet.
            if found == nil, payment.score != nil, vectors.isEmpty, features.end <= featuresNext,
                featuresNext > features.start || features.start == .zero
            {
                break
            }
            page.append(
                HistoricScoring(
                    scored: payment,
                    vector: found?.eventID == payment.event.eventID ? found?.vector : nil,
                    offset: stored.offset))
            next = stored.offset.advanced(by: 1)
        }
        return page.isEmpty && next == began ? nil : page
    }

    private mutating func decoded(_ stored: StoredRecord) -> ScoredPayment? {
        do {
            return try ScoredPayment(stored.record.value ?? [], using: document)
        } catch {
            damagedCount += 1
            return nil
        }
    }

    /// The vector derived from `source`; sources are asked for in ascending order.
    private mutating func vector(of source: Int64) throws(StoreFailure) -> FeaturesRecord? {
        while true {
            while let first = vectors.first, first.source < source {
                _ = vectors.popFirst()
            }
            if let first = vectors.first { return first.source == source ? first.record : nil }
            guard featuresNext < features.end else { return nil }
            let records = try features.read(from: featuresNext, byteCountMax: Self.pageByteCount)
            guard let last = records.last else { return nil }
            featuresNext = last.offset.advanced(by: 1)
            var read: [(source: Int64, record: FeaturesRecord)] = []
            for stored in records {
                guard let source = Self.source(of: stored) else { continue }
                do {
                    read.append(
                        (source, try FeaturesRecord(stored.record.value ?? [], using: document)))
                } catch {
                    damagedCount += 1
                }
            }
            vectors = read[...]
        }
    }

    // MARK: Places

    private static func source(of stored: StoredRecord) -> Int64? {
        stored.record.text(SourcedRecord.headerName).flatMap { Int64($0) }.flatMap {
            $0 >= 0 ? $0 : nil
        }
    }

    private static func first(
        from offset: Offset, of topic: TopicReader
    ) throws(StoreFailure) -> StoredRecord? {
        guard offset < topic.end else { return nil }
        return try topic.read(from: offset, byteCountMax: 1).first
    }

    /// Records that are looked at for one that scoring derived: those that were sent back name
    /// another source.
    private static let lookBackCount: Int64 = 64

    /// The source of the last scoring before `offset`; nil where none is near.
    private static func source(
        before offset: Offset, in topic: TopicReader
    ) throws(StoreFailure) -> Int64? {
        var place = min(offset, topic.end)
        var left = lookBackCount
        while place > topic.start, left > 0 {
            (place, left) = (place.advanced(by: -1), left - 1)
            guard let stored = try first(from: place, of: topic),
                RedriveHeader.letter(of: stored.record) == nil
            else { continue }
            if let source = source(of: stored) { return source }
        }
        return nil
    }

    /// The first record whose source is not below `source`, by halving: sources ascend.
    private static func place(
        of source: Int64, in topic: TopicReader
    ) throws(StoreFailure) -> Offset {
        var (low, high) = (topic.start, topic.end)
        while low < high {
            let middle = low.advanced(by: low.distance(to: high) / 2)
            guard let stored = try first(from: middle, of: topic) else { break }
            if (Self.source(of: stored) ?? 0) < source {
                low = stored.offset.advanced(by: 1)
            } else {
                high = middle
            }
        }
        return low
    }
}
