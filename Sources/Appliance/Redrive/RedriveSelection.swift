import AppendLog
import Vocabulary

/// The letters that one request is about, in the order of partitions and offsets, as many as it may
/// take.
struct RedriveSelection {
    private(set) var letters: [StoredLetter] = []
    /// Places that were asked for and are no dead letters of the reason.
    private(set) var missing: [SourcePlace] = []
    /// Where a next request goes on; nil when this one took all.
    private(set) var next: SourcePlace?
    private var byteCount = 0

    private var isFull: Bool {
        letters.count >= RedriveLimits.requestCountMax
            || byteCount >= RedriveLimits.requestByteCount
    }

    /// - Parameters:
    ///   - partitions: all of `dead.letter`, in the order of their numbers.
    ///   - redriven: whether a letter has gone already; such a one is taken only where it was asked
    ///     for by its place.
    init(
        _ request: RedriveRequest, from partitions: [TopicReader],
        redriven: (SourcePlace) -> Bool
    ) throws(StoreFailure) {
        if let places = request.letters {
            try take(places, request, from: partitions)
        } else {
            try takeAll(request, from: partitions, redriven: redriven)
        }
    }

    private mutating func take(
        _ places: [SourcePlace], _ request: RedriveRequest, from partitions: [TopicReader]
    ) throws(StoreFailure) {
        var last = request.after
        let before = request.after ?? .letter(Offset(-1))
        var left = Set(places).sorted().filter { $0 > before }[...]
        while !left.isEmpty {
            let piece = left.prefix(RedriveLimits.namedLetterCount)
            left = left.dropFirst(piece.count)
            let found = try Self.letters(at: piece, in: partitions)
            for place in piece {
                guard !isFull else {
                    next = last
                    return
                }
                if let letter = found[place], letter.reason == request.reason ?? letter.reason {
                    add(letter)
                } else {
                    missing.append(place)
                }
                last = place
            }
        }
    }

    /// - Parameter places: in order.
    private static func letters(
        at places: ArraySlice<SourcePlace>, in partitions: [TopicReader]
    ) throws(StoreFailure) -> [SourcePlace: StoredLetter] {
        var found: [SourcePlace: StoredLetter] = [:]
        for (number, topic) in partitions.enumerated() {
            let partition = Int32(number)
            let offsets = places.filter { $0.partition == partition }.map(\.offset)
            try topic.records(at: offsets) { stored in
                let letter = StoredLetter(stored, partition: partition)
                found[.letter(stored.offset, partition: partition)] = letter
            }
        }
        return found
    }

    private mutating func takeAll(
        _ request: RedriveRequest, from partitions: [TopicReader],
        redriven: (SourcePlace) -> Bool
    ) throws(StoreFailure) {
        var taken = self
        var (seenCount, last): (Int, SourcePlace?) = (0, nil)
        func isOver() -> Bool {
            taken.isFull || seenCount >= RedriveLimits.searchRecordCountMax
        }
        let first = request.after?.next ?? .letter(.zero)
        for number in partitions.indices where number >= first.partition && !isOver() {
            let partition = Int32(number)
            let start = partition == first.partition ? first.offset : .zero
            try partitions[number].scan(from: start) { stored in
                seenCount += 1
                last = .letter(stored.offset, partition: partition)
                if let letter = StoredLetter(stored, partition: partition),
                    letter.reason == request.reason ?? letter.reason, !redriven(letter.place)
                {
                    taken.add(letter)
                }
                return !isOver()
            }
        }
        if isOver() { taken.next = last }
        self = taken
    }

    private mutating func add(_ letter: StoredLetter) {
        letters.append(letter)
        byteCount += letter.value.count
    }
}
