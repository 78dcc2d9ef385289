import Foundation
import Synchronization

/// Where a command's answer goes: standard output, each write checked.
///
/// An answer that is lost must not look like one that was given: a full disk or a closed descriptor
/// is an error of the command. A reader that has gone (`| head -1`) has what it wanted: the rest is
/// dropped without a word, and the exit code stays the command's own, so that a check that found
/// something still says so.
package final class Output: Sendable {
    package static let standard = Output(descriptor: STDOUT_FILENO)

    private let descriptor: Int32
    private let closed = Atomic<Bool>(false)

    package init(descriptor: Int32) { self.descriptor = descriptor }

    /// Whether the reader has gone; a command that prints without end stops then.
    package var isClosed: Bool { closed.load(ordering: .relaxed) }

    /// Looks whether the reader has gone, for who has nothing to write just now.
    package func noticesGoneReader() -> Bool {
        var state = pollfd(fd: descriptor, events: 0, revents: 0)
        if poll(&state, 1, 0) > 0, state.revents & Int16(POLLERR | POLLHUP) != 0 {
            closed.store(true, ordering: .relaxed)
        }
        return isClosed
    }

    /// Writes the text and ends its line.
    package func line(_ text: String) throws(CommandFailure) {
        try write(Array((text + "\n").utf8))
    }

    /// Writes all of it before it returns.
    ///
    /// - Throws: exit code 3 with the system's reason when it cannot be written.
    package func write(_ bytes: [UInt8]) throws(CommandFailure) {
        var rest = bytes[...]
        while !rest.isEmpty, !isClosed {
            // SAFETY: the bytes live through the call, which reads no more than their count.
            let written = rest.withUnsafeBytes {
                Foundation.write(descriptor, $0.baseAddress, $0.count)
            }
            if written >= 0 {
                rest = rest.dropFirst(written)
            } else {
                try recover(from: errno)
            }
        }
    }

    /// Returns when the write may be tried again, or need not be.
    private func recover(from code: Int32) throws(CommandFailure) {
        switch code {
        case EINTR: return
        case EPIPE: closed.store(true, ordering: .relaxed)
        case EAGAIN:
            // Somebody made a shared descriptor non-blocking: wait until its reader has caught up.
            var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            poll(&ready, 1, -1)
        default:
            throw .cannotRun(
                "the answer could not be written: \(String(cString: strerror(code))); nothing that "
                    + "was printed can be relied on, so send it elsewhere")
        }
    }
}

/// The three descriptors that every process is born with.
package enum StandardStreams {
    /// Readies them before anything is opened.
    ///
    /// A descriptor that the caller closed would be the number of the next file opened, a segment
    /// or the ledger perhaps, and what is printed would land in it. So its place is taken, by what
    /// cannot be written: lost output then is an error as ever. A reader that goes is an error of
    /// the write, not a signal that ends the process.
    package static func prepare() {
        for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) == -1 {
            // The lowest free number is this one, since those below it are taken by now.
            _ = open("/dev/null", O_RDONLY)
        }
        signal(SIGPIPE, SIG_IGN)
    }
}

/// Standard error for progress and last words. What becomes of them is nobody's concern: there is
/// no further place to say that they were lost.
package enum ErrorOutput {
    package static func write(_ text: String) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            // SAFETY: the bytes live through the call, which reads no more than their count.
            let written = rest.withUnsafeBytes {
                Foundation.write(STDERR_FILENO, $0.baseAddress, $0.count)
            }
            guard written > 0 || (written < 0 && errno == EINTR) else { return }
            rest = rest.dropFirst(max(0, written))
        }
    }
}
