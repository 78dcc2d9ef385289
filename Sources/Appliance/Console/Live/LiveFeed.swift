import NIOCore
import Synchronization
import Vocabulary

/// What open consoles are told: single events, numbered and kept for a while, and the newest
/// figures.
///
/// Each is encoded once and shared by all who read. A reader that is slow gets the newest figures
/// only, and is told how many events it has missed: nothing waits for it.
///
///     publish ─▶ kept: 41 42 43 44 … 512 of them ─▶ each reader from its own place
///     publish(figures:) ─▶ the newest ───────────▶ each reader that has not had it
///
/// An event's id is `epoch-number`: the epoch is that of this process, so that who comes back after
/// a restart is told that it cannot be known what was missed.
package final class LiveFeed: Sendable {
    /// How far somebody has read.
    struct Reader: Hashable, Sendable {
        /// The number of the event that comes next.
        var next: Int64
        /// The number of the figures that it had last.
        var figures: Int64 = 0
    }

    private struct State {
        var kept = CircularBuffer<ByteBuffer>()
        var keptByteCount = 0
        /// The number of the first that is kept.
        var first: Int64 = 1
        var figures = ByteBuffer()
        /// 0 before the first figures.
        var figuresNumber: Int64 = 0
        var waiting: [Int64: CheckedContinuation<Void, Never>] = [:]
        var lastWaiter: Int64 = 0

        var next: Int64 { first + Int64(kept.count) }

        func hasNews(for reader: Reader) -> Bool {
            reader.next < next || reader.figures < figuresNumber
        }
    }

    private let epoch: Int64
    private let state = Mutex(State())

    /// - Parameter epoch: tells this process's events from those of others, such as when it began.
    package init(epoch: Int64) { self.epoch = epoch }

    // MARK: Telling

    /// Tells of one event.
    func publish(_ name: String, _ data: [UInt8]) {
        wake { state in
            let event = ServerSentEvent.encode(name, id: "\(epoch)-\(state.next)", data: data)
            state.kept.append(event)
            state.keptByteCount += event.readableBytes
            while state.kept.count > LiveLimits.keptEventCount
                || state.keptByteCount > LiveLimits.keptByteCount,
                let oldest = state.kept.popFirst()
            {
                state.keptByteCount -= oldest.readableBytes
                state.first += 1
            }
        }
    }

    /// Tells of the newest figures, in the place of those before.
    func publish(figures data: [UInt8]) {
        wake { state in
            state.figures = ServerSentEvent.encode("figures", id: nil, data: data)
            state.figuresNumber += 1
        }
    }

    private func wake(_ change: (inout State) -> Void) {
        let waiting = state.withLock { state in
            change(&state)
            defer { state.waiting = [:] }
            return state.waiting.values
        }
        for continuation in waiting { continuation.resume() }
    }

    // MARK: Reading

    /// Begins to read: behind the event that somebody had last, else at what comes next.
    ///
    /// - Parameter lastID: the `Last-Event-ID` of the request.
    /// - Returns: the first event, which says where the reader stands, beside its place.
    func begin(after lastID: String?) -> (reader: Reader, hello: ByteBuffer) {
        let next = state.withLock { $0.next }
        let last = lastID.flatMap(number)
        let reader = Reader(next: last.map { $0 + 1 } ?? next)
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("epoch", epoch)
        // Of a process that is gone nobody knows what was missed.
        writer.member("resumed", last != nil)
        writer.endObject()
        var hello = ByteBuffer(string: "retry: \(ServerSentEvent.retryMilliseconds)\n")
        var event = ServerSentEvent.encode(
            "hello", id: "\(epoch)-\(reader.next - 1)", data: writer.bytes)
        hello.writeBuffer(&event)
        return (reader, hello)
    }

    /// The number in an id of this process; nil for another's, or for none that was ever given.
    private func number(in id: String) -> Int64? {
        let parts = id.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, Int64(parts[0]) == epoch, let number = Int64(parts[1]),
            number >= 0, number < state.withLock({ $0.next })
        else { return nil }
        return number
    }

    /// What a reader has not had yet, a bounded piece of it; empty where that is nothing.
    func take(for reader: inout Reader) -> ByteBuffer {
        state.withLock { state in
            var piece = ByteBuffer()
            if reader.next < state.first {
                piece.writeImmutableBuffer(missed(state.first - reader.next, before: state.first))
                reader.next = state.first
            }
            while reader.next < state.next, piece.readableBytes < LiveLimits.pieceByteCount {
                let place = state.kept.index(
                    state.kept.startIndex, offsetBy: Int(reader.next - state.first))
                piece.writeImmutableBuffer(state.kept[place])
                reader.next += 1
            }
            if reader.figures < state.figuresNumber {
                piece.writeImmutableBuffer(state.figures)
                reader.figures = state.figuresNumber
            }
            return piece
        }
    }

    private func missed(_ count: Int64, before number: Int64) -> ByteBuffer {
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("count", count)
        writer.endObject()
        return ServerSentEvent.encode("missed", id: "\(epoch)-\(number - 1)", data: writer.bytes)
    }

    /// Returns when there is something that the reader has not had, or the task is cancelled.
    func wait(for reader: Reader) async {
        let token = state.withLock { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let goesOn = state.withLock { state in
                    // A task that is cancelled after this look finds the continuation.
                    guard !state.hasNews(for: reader), !Task.isCancelled else { return true }
                    state.waiting[token] = continuation
                    return false
                }
                if goesOn { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiting.removeValue(forKey: token) }?.resume()
        }
    }

    /// How many wait for news now.
    var waitingCount: Int { state.withLock { $0.waiting.count } }
}
