import Traffic

/// An object's place in its table.
struct Ref<Object>: Hashable, Sendable {
    private let place: Int32

    init(_ index: Int) { place = Int32(index) }

    var index: Int { Int(place) }
}

/// What the twin keeps in tables.
protocol TwinObject: Sendable {
    /// What its ids begin with.
    static var prefix: StripeIDs.Prefix { get }
    /// What the ids of some of them begin with instead.
    static var otherPrefix: StripeIDs.Prefix? { get }
    /// In Stripe's words, for sentences: `payment_intent`.
    static var name: String { get }
    /// Seconds since 1970.
    var created: Int64 { get }
}

extension TwinObject {
    static var otherPrefix: StripeIDs.Prefix? { nil }
}

/// Objects of one type in the order of their creation, the newest last.
///
/// Times of creation never fall, so a stretch of time is a stretch of places, found by bisection.
struct TwinTable<Object: TwinObject>: Sendable {
    private(set) var rows: [Object] = []

    var count: Int { rows.count }

    subscript(ref: Ref<Object>) -> Object {
        get { rows[ref.index] }
        _modify { yield &rows[ref.index] }
    }

    mutating func append(_ object: Object) -> Ref<Object> {
        precondition(
            object.created >= rows.last?.created ?? .min,
            "\(Object.name) of \(object.created) after \(rows.last?.created ?? 0)")
        rows.append(object)
        return Ref(rows.count - 1)
    }

    mutating func reserve(_ count: Int) { rows.reserveCapacity(rows.count + count) }

    /// The places of the objects created within `times`.
    func places(_ times: CreatedFilter) -> Range<Int> {
        times.isAll ? 0..<rows.count : times.places(in: rows) { $0.created }
    }
}

/// `created=…` or `created[gt|gte|lt|lte]=…`: from `first`, before `end`.
struct CreatedFilter: Hashable, Sendable {
    var first = Int64.min
    var end = Int64.max

    var isAll: Bool { first == .min && end == .max }

    /// The places, in a collection that is sorted by time, of what was created within.
    func places<Row>(
        in rows: some RandomAccessCollection<Row>, _ created: (Row) -> Int64
    ) -> Range<Int> {
        let lower = rows.bisect { created($0) >= first }
        let upper = rows.bisect { created($0) >= end }
        return lower..<max(lower, upper)
    }
}

extension RandomAccessCollection {
    /// How many elements stand before the first that `isBehind`; those behind it all are.
    func bisect(_ isBehind: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if isBehind(self[index(startIndex, offsetBy: middle)]) {
                high = middle
            } else {
                low = middle + 1
            }
        }
        return low
    }
}

/// Which page of a list is asked for.
struct PageQuery: Sendable {
    static let limits = 1...100

    var limit = 10
    /// The place of `starting_after`: older ones than this.
    var startingAfter: Int?
    /// The place of `ending_before`: newer ones than this, the page next to it.
    var endingBefore: Int?

    /// Pages through `candidates`, places in rising order, newest first. It costs a bisection and
    /// the page, and what `matches` sorts out on the way.
    ///
    /// - Parameter bounds: only these places.
    func page(
        of candidates: some RandomAccessCollection<Int>, within bounds: Range<Int>,
        where matches: (Int) -> Bool
    ) -> (places: [Int], hasMore: Bool) {
        let upper = min(bounds.upperBound, startingAfter ?? .max)
        let lower = max(bounds.lowerBound, endingBefore.map { $0 + 1 } ?? 0)
        let first = candidates.bisect { $0 >= lower }
        let end = max(first, candidates.bisect { $0 >= upper })
        let window = candidates.dropFirst(first).prefix(end - first)
        if endingBefore != nil {
            let (places, hasMore) = take(from: window, where: matches)
            return (places.reversed(), hasMore)
        }
        return take(from: window.reversed(), where: matches)
    }

    private func take(
        from window: some Sequence<Int>, where matches: (Int) -> Bool
    ) -> (places: [Int], hasMore: Bool) {
        var places: [Int] = []
        for place in window where matches(place) {
            if places.count == limit { return (places, true) }
            places.append(place)
        }
        return (places, false)
    }
}
