import Foundation

/// Who has a data folder, as the one that has it notes in the file `holder` there: whoever finds
/// the folder locked knows by it whether waiting helps, and can say for whom it waits.
///
///     4711 daemon tillbox run
///     4712 command tillbox review approve
///
/// It is a courtesy and no lock: a kill leaves it behind, a full disk keeps it from being written.
package struct FolderHolder: Hashable, Sendable {
    package var process: Int32
    /// A daemon keeps the folder, a command has it for a moment.
    package var isDaemon: Bool
    /// The command, without what it was given.
    package var words: String

    package init(process: Int32, isDaemon: Bool, words: String) {
        self.process = process
        self.isDaemon = isDaemon
        self.words = words
    }

    /// This process.
    package static func here(isDaemon: Bool) -> FolderHolder {
        let words = CommandLine.arguments.dropFirst().prefix { !$0.hasPrefix("-") }.prefix(2)
        return FolderHolder(
            process: getpid(), isDaemon: isDaemon,
            words: shown((["tillbox"] + words).joined(separator: " ")))
    }

    /// Whom the note names; nil where there is none, or its process has ended.
    package init?(notedIn folder: String) {
        guard let descriptor = Self.opened(in: folder, O_RDONLY) else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: Self.noteByteCountMax)
        // SAFETY: read writes at most as many bytes as the buffer has, while it is borrowed.
        let count = bytes.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
        let text = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
        let parts = text.prefix { $0 != "\n" }.split(separator: " ", maxSplits: 2)
        guard parts.count == 3, let process = Int32(parts[0]), process > 0,
            ["daemon", "command"].contains(parts[1]),
            kill(process, 0) == 0 || errno == EPERM
        else { return nil }
        self.init(
            process: process, isDaemon: parts[1] == "daemon", words: Self.shown(String(parts[2])))
    }

    private static func path(in folder: String) -> String { "\(folder)/holder" }

    /// More than any note has.
    private static let noteByteCountMax = 200

    /// The note, where it is a plain file: a pipe in its place must not hold up a start.
    private static func opened(in folder: String, _ flags: Int32) -> Int32? {
        let descriptor = open(
            path(in: folder), flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o600)
        guard descriptor >= 0 else { return nil }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            return nil
        }
        return descriptor
    }

    /// Whoever may write into the folder may write anything into the note.
    private static func shown(_ words: String) -> String {
        String(words.prefix(60).filter { $0.isASCII && ($0.isLetter || "- ".contains($0)) })
    }

    /// Notes it. The caller has the folder locked.
    func note(in folder: String) {
        guard let descriptor = Self.opened(in: folder, O_WRONLY | O_CREAT | O_TRUNC) else { return }
        let line = Array("\(process) \(isDaemon ? "daemon" : "command") \(words)\n".utf8)
        // SAFETY: write reads the bytes while they are borrowed and keeps no pointer to them.
        _ = line.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        close(descriptor)
    }

    /// Takes the note back. The caller still has the folder locked.
    static func forget(in folder: String) { unlink(path(in: folder)) }
}

extension FolderHolder: CustomStringConvertible {
    package var description: String { "`\(words)`, process \(process)" }
}
