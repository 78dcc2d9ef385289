internal import Foundation

/// What a thread may wait for on a socket.
struct Readiness: OptionSet {
    var rawValue: Int16
    static let toRead = Readiness(rawValue: Int16(POLLIN))
    static let toWrite = Readiness(rawValue: Int16(POLLOUT))
}

/// Waits until one of the descriptors is ready or the moment has come. It blocks.
///
/// An error on a descriptor counts as ready: the next call on it says what it is.
func wait(on watched: [(descriptor: Int32, Readiness)], until moment: ContinuousClock.Instant?) {
    var entries = watched.map { pollfd(fd: $0.descriptor, events: $0.1.rawValue, revents: 0) }
    // SAFETY: the count is the array's. A signal ends the wait early, which every caller bears.
    _ = poll(&entries, nfds_t(entries.count), moment.map(milliseconds(until:)) ?? -1)
}

/// Rounded up, so that a wait does not end a moment early and begin again, over and over.
private func milliseconds(until moment: ContinuousClock.Instant) -> Int32 {
    let left = moment - .now
    guard left > .zero else { return 0 }
    let whole = min(left / .milliseconds(1), Double(Int32.max - 1))
    return Int32(whole.rounded(.up))
}

extension ByteStream {
    /// Makes the connection. It blocks until then: call it on a thread of its own.
    ///
    /// - Throws: `deadline`, and what `establish` throws.
    public func establish(until deadline: ContinuousClock.Instant) throws(StreamError) {
        _ = try repeating(until: deadline) { () throws(StreamError) in try establish() }
    }

    /// Reads some bytes. It blocks until they are there.
    ///
    /// - Returns: how many are at the buffer's beginning; 0 at the end of the connection.
    /// - Throws: `deadline`, and what `read` throws.
    public func read(
        into buffer: inout [UInt8], until deadline: ContinuousClock.Instant
    ) throws(StreamError) -> Int {
        try repeating(until: deadline) { () throws(StreamError) in try read(into: &buffer) }
    }

    /// Writes all of it. It blocks until the system has taken it.
    ///
    /// - Throws: `deadline`, `ended`, and what `write` throws.
    public func write(
        _ bytes: [UInt8], until deadline: ContinuousClock.Instant
    ) throws(StreamError) {
        var start = 0
        while start < bytes.count {
            let count = try repeating(until: deadline) { () throws(StreamError) in
                try write(bytes, from: start)
            }
            guard count > 0 else { throw .ended }
            start += count
        }
    }

    private func repeating(
        until deadline: ContinuousClock.Instant, _ step: () throws(StreamError) -> StreamStep
    ) throws(StreamError) -> Int {
        var readiness: Readiness = []
        repeat {
            switch try step() {
            case .moved(let count): return count
            case .ended: return 0
            case .waitsToRead: readiness = .toRead
            case .waitsToWrite: readiness = .toWrite
            }
            wait(on: [(descriptor, readiness)], until: deadline)
        } while ContinuousClock.now < deadline
        throw .deadline
    }
}

/// Ends another thread's wait; it may be rung from any thread.
final class Bell: Sendable {
    /// To wait on until it is rung.
    let descriptor: Int32
    private let clapper: Int32

    /// - Throws: `system`, where the process has no descriptor left.
    init() throws(StreamError) {
        var ends: [Int32] = [-1, -1]
        // Sockets and not a pipe: these are born closed to child processes.
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        // SAFETY: socketpair writes two descriptors.
        guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else {
            throw .system(.socket, code: errno)
        }
        (descriptor, clapper) = (ends[0], ends[1])
    }

    deinit {
        close(descriptor)
        close(clapper)
    }

    func ring() {
        var byte: UInt8 = 1
        // SAFETY: one byte. A socket refuses it only where it is full of rings.
        _ = Foundation.write(clapper, &byte, 1)
    }

    /// Forgets that it was rung.
    func quieten() {
        var bytes = [UInt8](repeating: 0, count: 64)
        // SAFETY: at most as many bytes as the buffer has. What is left rings again.
        _ = Foundation.read(descriptor, &bytes, bytes.count)
    }
}
