import Foundation
import Vocabulary

/// The bridges that a person has paused, kept beside the log so that a restart does not undo it:
/// one small file each, `<folder>/<name>.paused`, with who and when on one line.
package struct BridgePauses: Sendable {
    let folder: String

    package init(folder: String) { self.folder = folder }

    private func path(_ bridge: BridgeName) -> String { "\(folder)/\(bridge.rawValue).paused" }

    /// nil where the bridge is not paused. A file that cannot be read, or not even be looked for,
    /// pauses as well: who paused it meant it.
    package func pause(of bridge: BridgeName) -> BridgePause? {
        if access(path(bridge), F_OK) != 0 {
            let code = errno
            guard code != ENOENT, code != ENOTDIR else { return nil }
        }
        let text = (try? String(contentsOfFile: path(bridge), encoding: .utf8)) ?? ""
        let words = text.split(whereSeparator: \.isNewline).first?
            .split(separator: " ", maxSplits: 1).map(String.init) ?? []
        return BridgePause(
            by: words.count == 2 ? words[1] : "unknown",
            at: Instant(seconds: words.first.flatMap { Int64($0) } ?? 0))
    }

    /// Durable when it returns, the folder too where it was made.
    package func keep(_ pause: BridgePause, of bridge: BridgeName) throws(RelayFailure) {
        let by = pause.by.map { $0.isNewline ? " " : $0 }
        do throws(Failure) {
            try makeFolder()
            try Self.store("\(pause.at.seconds) \(String(by))\n", to: path(bridge))
            try Self.sync(folder)
        } catch {
            throw .permanent(
                "the pause cannot be kept in \(path(bridge)): \(error.words); make room there, and "
                    + "the folder writable for tillbox, and pause it again")
        }
    }

    /// Durable when it returns. Nothing happens where there is none.
    package func remove(of bridge: BridgeName) throws(RelayFailure) {
        do throws(Failure) {
            guard unlink(path(bridge)) == 0 else {
                let failure = Failure()
                if failure.code == ENOENT { return }
                throw failure
            }
            try Self.sync(folder)
        } catch {
            throw .permanent(
                "the pause in \(path(bridge)) cannot be taken back: \(error.words); make the "
                    + "folder writable for tillbox, and resume it again")
        }
    }

    /// What a call of the system failed with.
    private struct Failure: Error {
        let code = errno

        var words: String { String(cString: strerror(code)) }
    }

    private func makeFolder() throws(Failure) {
        guard mkdir(folder, 0o700) == 0 else {
            let failure = Failure()
            if failure.code == EEXIST { return }
            throw failure
        }
        try Self.sync(URL(filePath: folder).deletingLastPathComponent().path)
    }

    private static func store(_ text: String, to path: String) throws(Failure) {
        let fresh = path + ".new"
        let file = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw Failure() }
        defer { close(file) }
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            // SAFETY: the call reads the bytes, and keeps no pointer to them.
            let count = rest.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Failure() }
            rest.removeFirst(count)
        }
        guard fsync(file) == 0, rename(fresh, path) == 0 else { throw Failure() }
    }

    private static func sync(_ path: String) throws(Failure) {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw Failure() }
        defer { close(file) }
        guard fsync(file) == 0 else { throw Failure() }
    }
}
