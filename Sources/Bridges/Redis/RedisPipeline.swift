/// A client's commands between their callers and the socket, decided without either.
///
/// A command is *queued*, then *staged*: its bytes lie in the buffer that goes to the socket; then,
/// when the last of them has been taken, *sent*. A server answers in the order in which it got
/// them, and cannot execute one whose last byte it has not got. So when a connection breaks, what
/// was sent has an unknown outcome, and what was staged goes back into the queue as if nothing had
/// been.
///
/// A command whose time is over is answered at once. If it was staged or sent, its place is kept
/// for the answer that may still come.
struct RedisPipeline<Ticket> {
    /// A command and whom to answer.
    struct Entry {
        /// Empty once they have been sent.
        var bytes: [UInt8]
        let deadline: ContinuousClock.Instant
        /// Nil once it has been answered.
        var ticket: Ticket?
        /// When it was staged.
        var startedAt: ContinuousClock.Instant?
        /// The place after its last byte, counted from the connection's first.
        var end = 0
    }

    /// The next bytes for the socket; those before `written` it has taken.
    private(set) var buffer: [UInt8] = []
    private(set) var written = 0
    /// The place of the buffer's first byte, counted as `Entry.end` is.
    private var bufferStart = 0
    private var queued = Fifo<Entry>()
    private var staged = Fifo<Entry>()
    private var sent = Fifo<Entry>()
    /// No command's time is over before it.
    private(set) var nextDeadline: ContinuousClock.Instant?

    private let commandsMax: Int
    private let bufferBytesMax: Int

    /// - Parameters:
    ///   - commandsMax: staged and sent at once.
    ///   - bufferBytesMax: no command is staged beyond it; one alone may be larger.
    init(commandsMax: Int, bufferBytesMax: Int = 64 << 10) {
        precondition(commandsMax > 0, "a pipeline of \(commandsMax) commands")
        self.commandsMax = commandsMax
        self.bufferBytesMax = bufferBytesMax
    }

    var queuedCount: Int { queued.count }
    var underWayCount: Int { staged.count + sent.count }
    var hasBytes: Bool { written < buffer.count }

    /// Until when the server may owe something, an answer or the taking of a command: as long as
    /// `timeout` from its beginning, or its caller's time where that is longer.
    func owesUntil(_ timeout: Duration) -> ContinuousClock.Instant? {
        guard let entry = sent.first ?? staged.first, let start = entry.startedAt else {
            return nil
        }
        return max(start + timeout, entry.deadline)
    }

    mutating func enqueue(
        _ ticket: Ticket, _ bytes: [UInt8], by deadline: ContinuousClock.Instant
    ) {
        queued.append(Entry(bytes: bytes, deadline: deadline, ticket: ticket))
        nextDeadline = min(nextDeadline ?? deadline, deadline)
    }

    /// Moves queued commands into the buffer, as far as the bounds allow.
    mutating func stage(at now: ContinuousClock.Instant) {
        if written == buffer.count, written > 0 {
            bufferStart += written
            buffer.removeAll(keepingCapacity: true)
            written = 0
        }
        while underWayCount < commandsMax, buffer.count < bufferBytesMax,
            var entry = queued.popFirst()
        {
            buffer.append(contentsOf: entry.bytes)
            entry.startedAt = now
            entry.end = bufferStart + buffer.count
            staged.append(entry)
        }
    }

    /// The socket has taken so many bytes more.
    mutating func didWrite(_ count: Int) {
        written += count
        precondition(written <= buffer.count, "\(written) written of \(buffer.count)")
        while let next = staged.first, next.end <= bufferStart + written,
            var entry = staged.popFirst()
        {
            entry.bytes = []
            sent.append(entry)
        }
    }

    /// Whom the server's next answer is for.
    ///
    /// - Returns: the ticket, nil where its owner has been answered already, and when it began.
    /// - Throws: `protocolViolation` where no answer is due.
    mutating func didAnswer() throws(RedisTrouble) -> (
        ticket: Ticket?, startedAt: ContinuousClock.Instant?
    ) {
        guard let entry = sent.popFirst() else {
            throw .protocolViolation("an answer to nothing")
        }
        return (entry.ticket, entry.startedAt)
    }

    /// Takes out whose time is over.
    ///
    /// - Returns: the tickets of those that were never given to the socket, and of the others.
    mutating func expire(
        at now: ContinuousClock.Instant
    ) -> (notSent: [Ticket], unknown: [Ticket]) {
        guard let nextDeadline, nextDeadline <= now else { return ([], []) }
        var (notSent, unknown): ([Ticket], [Ticket]) = ([], [])
        var next: ContinuousClock.Instant?
        queued.filter { entry in
            if entry.deadline <= now, let ticket = entry.ticket.take() {
                notSent.append(ticket)
                return false
            }
            next = min(next ?? entry.deadline, entry.deadline)
            return true
        }
        let giveUp = { (entry: inout Entry) in
            guard entry.ticket != nil else { return true }
            if entry.deadline <= now, let ticket = entry.ticket.take() {
                unknown.append(ticket)
            } else {
                next = min(next ?? entry.deadline, entry.deadline)
            }
            return true
        }
        staged.filter(giveUp)
        sent.filter(giveUp)
        self.nextDeadline = next
        return (notSent, unknown)
    }

    /// The connection is gone.
    ///
    /// - Returns: the tickets of those whose outcome is unknown.
    mutating func disconnect() -> [Ticket] {
        buffer.removeAll(keepingCapacity: true)
        (written, bufferStart) = (0, 0)
        var unknown: [Ticket] = []
        while let entry = sent.popFirst() {
            if let ticket = entry.ticket { unknown.append(ticket) }
        }
        staged.filter { $0.ticket != nil }
        queued.prepend(contentsOf: staged)
        staged = Fifo()
        return unknown
    }

    /// Takes out everything that waits.
    mutating func drainQueue() -> [Ticket] {
        var tickets: [Ticket] = []
        while let entry = queued.popFirst() {
            if let ticket = entry.ticket { tickets.append(ticket) }
        }
        return tickets
    }
}
