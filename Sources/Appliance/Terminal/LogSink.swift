import Foundation
import Synchronization
import Vocabulary

/// Standard error as the log sees it: whatever becomes of it costs lines, and nothing else.
///
///     any thread ─ write ─▶ queue, bounded ─▶ one thread ─ write(2) ─▶ standard error
///                              │ full                         │ closed, full, without a reader
///                              └──── lost, counted ───────────┘
///
/// A pipe that nobody reads blocks that one thread. Lines that were lost are told of, by number,
/// once there is a reader again.
package final class LogSink: Sendable {
    package static let standardError = LogSink(descriptor: STDERR_FILENO)

    /// Bytes that may wait for the reader.
    static let queueByteCountMax = 1 << 20
    /// Seconds for which the end of the process waits for what is queued.
    static let drainSecondsMax = 1.0

    private let descriptor: Int32
    private let state = Mutex(State())
    private let lost = Atomic<Int>(0)
    /// Signalled for each line, so that the thread sleeps meanwhile.
    private let lines = DispatchSemaphore(value: 0)

    private struct State {
        var queue: [[UInt8]] = []
        var queuedByteCount = 0
        /// A line that was taken out and is not written yet.
        var isWriting = false
        var hasThread = false
        var hasEnded = false
        /// Lines lost since the last one that was written.
        var untold = 0
    }

    package init(descriptor: Int32) { self.descriptor = descriptor }

    /// Lines that nobody will read.
    package var lostCount: Int { lost.load(ordering: .relaxed) }

    /// Queues one line with its end; never waits.
    package func write(_ line: [UInt8]) {
        let mustStart = state.withLock { state -> Bool? in
            guard state.queuedByteCount + line.count <= Self.queueByteCountMax else {
                state.untold += 1
                return nil
            }
            state.queue.append(line)
            state.queuedByteCount += line.count
            defer { state.hasThread = true }
            return !state.hasThread
        }
        guard let mustStart else {
            lost.add(1, ordering: .relaxed)
            return
        }
        if mustStart { start() }
        lines.signal()
    }

    /// Queues a line of the log, unless the log has ended.
    package func log(_ line: [UInt8]) {
        guard !state.withLock({ $0.hasEnded }) else { return }
        write(line)
    }

    /// Takes no more lines of the log: what is written after that, which says what a process has
    /// come to, is the last that it says.
    package func endLog() { state.withLock { $0.hasEnded = true } }

    /// Waits until everything queued is written, or lost, or a second has passed: call it at the
    /// end of the process.
    package func drain() {
        let deadline = Date.now + Self.drainSecondsMax
        while Date.now < deadline {
            let isDone = state.withLock { $0.queue.isEmpty && !$0.isWriting }
            if isDone { return }
            usleep(1000)
        }
    }

    private func start() {
        let thread = Thread { [self] in
            while true {
                lines.wait()
                writeNext()
            }
        }
        thread.name = "tillbox.log"
        thread.start()
    }

    private func writeNext() {
        let (line, untold) = state.withLock { state -> ([UInt8]?, Int) in
            guard !state.queue.isEmpty else { return (nil, 0) }
            let line = state.queue.removeFirst()
            state.queuedByteCount -= line.count
            state.isWriting = true
            defer { state.untold = 0 }
            return (line, state.untold)
        }
        guard let line else { return }
        let isWritten = writeAll(line)
        if isWritten, untold > 0 {
            let lines = Counted.words(untold, "log line was", "log lines were")
            _ = writeAll(Array("\(lines) lost\n".utf8))
        }
        if !isWritten { lost.add(1, ordering: .relaxed) }
        state.withLock { state in
            state.isWriting = false
            if !isWritten { state.untold += untold + 1 }
        }
    }

    private func writeAll(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            // SAFETY: the slice's bytes live through the call, which writes at most its length.
            let count = rest.withUnsafeBytes {
                Foundation.write(descriptor, $0.baseAddress, $0.count)
            }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                // Somebody made the pipe non-blocking; this thread may wait for it all the same.
                var wanted = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&wanted, 1, -1)
            } else if errno != EINTR {
                return false
            }
        }
        return true
    }
}
