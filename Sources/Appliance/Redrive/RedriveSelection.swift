import AppendLog
import Vocabulary

/// The letters that one request is about, in the order of their offsets, as many as it may take.
struct RedriveSelection {
    private(set) var letters: [StoredLetter] = []
    /// Offsets that were asked for and are no dead letters of the reason.
    private(set) var missing: [Offset] = []
    /// Where a next request goes on; nil when this one took all.
    private(set) var next: Offset?
    private var byteCount = 0

    private var isFull: Bool {
        letters.count >= RedriveLimits.requestCountMax
            || byteCount >= RedriveLimits.requestByteCount
    }

    /// - Parameter redriven: whether a letter has gone already; such a one is taken only where it
    ///   was asked for by its offset.
    init(
        _ request: RedriveRequest, from topic: TopicReader, redriven: (Offset) -> Bool
    ) throws(StoreFailure) {
        if let offsets = request.offsets {
            try take(offsets, request, from: topic)
        } else {
            try takeAll(request, from: topic, redriven: redriven)
        }
    }

    private mutating func take(
        _ offsets: [Offset], _ request: RedriveRequest, from topic: TopicReader
    ) throws(StoreFailure) {
        var last = request.after
        for offset in Set(offsets).sorted() where offset > request.after ?? Offset(-1) {
            guard !isFull else {
                next = last
                return
            }
            let record = try topic.record(at: offset)
            let letter = record.flatMap { StoredLetter(StoredRecord(offset: offset, record: $0)) }
            if let letter, letter.reason == request.reason ?? letter.reason {
                add(letter)
            } else {
                missing.append(offset)
            }
            last = offset
        }
    }

    private mutating func takeAll(
        _ request: RedriveRequest, from topic: TopicReader, redriven: (Offset) -> Bool
    ) throws(StoreFailure) {
        var taken = self
        try topic.scan(from: request.after.map { $0.advanced(by: 1) } ?? .zero) { stored in
            guard let letter = StoredLetter(stored),
                letter.reason == request.reason ?? letter.reason, !redriven(letter.offset)
            else { return true }
            taken.add(letter)
            return !taken.isFull
        }
        if taken.isFull { taken.next = taken.letters.last?.offset }
        self = taken
    }

    private mutating func add(_ letter: StoredLetter) {
        letters.append(letter)
        byteCount += letter.value.count
    }
}
