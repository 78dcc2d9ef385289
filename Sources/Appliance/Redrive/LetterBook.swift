import AppendLog
import Synchronization
package import Vocabulary

/// What `dead.letter` holds, for a plane whose log is on other machines: each record of it is read
/// once by this process, a bounded piece a look, and what a page shows is in memory.
///
///     look 1: records 0 … 19,999       behind 30,000: listed so far, nothing is redriven
///     look 2: records 20,000 … 39,999  behind 10,000
///     look 3: the rest                 behind 0: which letters have gone back is known
///
/// Of what has gone back it knows no more than that it has: whether its step has come to it is told
/// by the record's own topic. Lines of the newest letters are kept, at most
/// ``RedriveLimits/bookLetterCountMax``, with the orders that sent them back. Of older letters that
/// have gone back only their places are kept, as ranges, until retention takes the letters.
package final class LetterBook: LetterReading {
    private let partitions: Int32
    private let reader: @Sendable (SourceLane) throws(StoreFailure) -> TopicReader
    private let state: Mutex<State>

    fileprivate struct State {
        var redrives = RedriveIndex()
        /// By partition, each in the order of offsets.
        var lines: [[LetterLine]]
        /// What is read next of each partition.
        var next: [Offset]
        var behind: Int64 = 0
        var unlistedCount: Int64 = 0

        init(partitions: Int32) {
            lines = Array(repeating: [], count: Int(partitions))
            next = Array(repeating: .zero, count: Int(partitions))
        }
    }

    /// - Parameters:
    ///   - partitions: of the topic.
    ///   - reader: of one of them, with the ends that it has now. Blocking.
    package init(
        partitions: Int32,
        reader: @escaping @Sendable (SourceLane) throws(StoreFailure) -> TopicReader
    ) {
        (self.partitions, self.reader) = (partitions, reader)
        state = Mutex(State(partitions: partitions))
    }

    // MARK: Reading

    /// Looks, and hands what is known to `body`. Who asks at once waits.
    private func looking<Value: Sendable>(
        _ body: (State) -> Value
    ) throws(StoreFailure) -> Value {
        let result: Result<Value, StoreFailure> = state.withLock { state in
            do throws(StoreFailure) {
                try look(&state)
            } catch {
                return .failure(error)
            }
            return .success(body(state))
        }
        return try result.get()
    }

    /// One look: reads what has come since the last one, as much as one look may.
    private func look(_ state: inout State) throws(StoreFailure) {
        var left = RedriveLimits.lookRecordCountMax
        var behind: Int64 = 0
        var topics: [TopicReader] = []
        for partition in 0..<partitions {
            topics.append(try reader(SourceLane(topic: .deadLetter, partition: partition)))
        }
        if zip(state.next, topics).contains(where: { $0 > $1.end }) {
            // The topic was made anew or cut back: what is here may follow from records that are
            // gone, and would keep letters of the same places from going back.
            state = State(partitions: partitions)
        }
        for (partition, topic) in zip(0..<partitions, topics) {
            try read(topic, partition, &left, &state)
            behind += max(0, state.next[Int(partition)].distance(to: topic.end))
        }
        state.behind = behind
        trim(&state, topics)
    }

    /// Lets go of the lines of the oldest letters where there are too many, and of what is known of
    /// them beside that they have gone back.
    private func trim(_ state: inout State, _ topics: [TopicReader]) {
        let unlisted = state.unlistedCount
        while state.lines.reduce(0, { $0 + $1.count }) > RedriveLimits.bookLetterCountMax {
            // The partition that has most; its oldest tenth at once, since each makes room anew.
            guard let fullest = state.lines.indices.max(by: {
                state.lines[$0].count < state.lines[$1].count
            }) else { return }
            let count = max(1, state.lines[fullest].count / 10)
            state.lines[fullest].removeFirst(count)
            state.unlistedCount += Int64(count)
        }
        // Old letters may go back without any line making room.
        guard
            state.unlistedCount > unlisted
                || state.redrives.orders.count > RedriveLimits.bookLetterCountMax
        else { return }
        state.redrives.settle(
            before: zip(state.lines, state.next).map { $0.first?.offset ?? $1 },
            kept: topics.map(\.start))
    }

    private func read(
        _ topic: TopicReader, _ partition: Int32, _ left: inout Int, _ state: inout State
    ) throws(StoreFailure) {
        let place = Int(partition)
        // Retention may have taken what lies before.
        var next = max(state.next[place], topic.start)
        guard left > 0, next < topic.end else {
            state.next[place] = next
            return
        }
        var (count, lines, redrives) = (left, state.lines[place], state.redrives)
        var isWhole = true
        try topic.scan(from: next) { stored in
            guard count > 0 else {
                isWhole = false
                return false
            }
            count -= 1
            next = stored.offset.advanced(by: 1)
            redrives.note(stored, partition: partition)
            if let letter = StoredLetter(stored, partition: partition) {
                lines.append(LetterLine(letter, isShort: true))
            }
            return true
        }
        // Behind the last record there may be offsets that no record has.
        state.next[place] = isWhole ? max(next, topic.end) : next
        (left, state.lines[place], state.redrives) = (count, lines, redrives)
    }

    // MARK: What is shown

    package func listed() throws(StoreFailure) -> [LetterLine] {
        try looking { state in state.lines.joined().map { state.standing($0) } }
    }

    package func page(
        after: SourcePlace?, limit: Int, reason: String?
    ) throws(StoreFailure) -> (lines: [LetterLine], next: SourcePlace?) {
        try looking { state in
            let first = after?.next ?? .letter(.zero)
            var lines: [LetterLine] = []
            for (number, own) in state.lines.enumerated() where number >= first.partition {
                let start = Int32(number) == first.partition ? first.offset : .zero
                for line in own[own.firstPlace { $0.offset >= start }...]
                where line.reason == reason ?? line.reason {
                    guard lines.count < limit else { return (lines, lines.last?.place) }
                    lines.append(state.standing(line))
                }
            }
            return (lines, nil)
        }
    }

    package func letter(
        at place: SourcePlace
    ) throws(StoreFailure) -> (line: LetterLine, value: ArraySlice<UInt8>)? {
        guard place.topic == .deadLetter, (0..<partitions).contains(place.partition),
            let record = try reader(place.lane).record(at: place.offset),
            let letter = StoredLetter(
                StoredRecord(offset: place.offset, record: record), partition: place.partition)
        else { return nil }
        let line = LetterLine(letter)
        return (try looking { $0.standing(line) }, letter.value)
    }

    package var behind: Int64 { state.withLock { $0.behind } }
    package var unlistedCount: Int64 { state.withLock { $0.unlistedCount } }

    /// Which letters have gone back, for a redriver, which reads on from here.
    ///
    /// - Throws: `StoreFailure.outside` while not all is read.
    package func redrives() throws(StoreFailure) -> RedriveIndex {
        let (known, behind) = try looking { ($0.redrives, $0.behind) }
        guard behind == 0 else {
            throw .outside(
                "\(Counted.words(behind, "record")) of dead.letter "
                    + "\(Counted.noun(behind, "is", "are")) still to be read here, and may say "
                    + "that a letter has gone back; ask again")
        }
        return known
    }
}

extension LetterBook.State {
    /// The line with what became of its letter.
    fileprivate func standing(_ line: LetterLine) -> LetterLine {
        guard let order = redrives.orders[line.place] else { return line }
        var line = line
        line.again = redrives.again[line.place]
        if line.again != nil {
            line.state = .failedAgain
        } else if let outcome = order.outcome {
            line.state =
                outcome == RedriveLine.Result.duplicate.rawValue ? .duplicate : .passed
        } else {
            // The order and its record are one transaction.
            line.state = .sent
        }
        return line
    }
}

extension [LetterLine] {
    /// The place of the first line that `isBehind` holds of; it holds of all that follow.
    fileprivate func firstPlace(_ isBehind: (LetterLine) -> Bool) -> Int {
        var (low, high) = (startIndex, endIndex)
        while low < high {
            let middle = low + (high - low) / 2
            if isBehind(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
