import Bridges
import Foundation
import SystemPackage
import Vocabulary

/// `console/token` in the data folder: what the command line of this machine shows the running
/// daemon. Whoever may read it may read the folder, ledger and all; so it opens everything.
///
/// Each start makes another one, and a daemon that has stopped leaves none: whatever listens on its
/// port meanwhile is not told it. What one that was killed has left opens nothing any more, and is
/// taken away by the next start before its ports are open.
struct FolderToken {
    let path: String

    /// 256 random bits, in hex.
    static func make() -> String { String(hex: randomBytes(count: 32)) }

    /// Puts a token there, for its owner alone, in the place of an earlier one: that is gone also
    /// where this one cannot be written.
    func write(_ token: String) throws {
        remove()
        let next = FilePath(path + ".next")
        let file = try FileDescriptor.open(
            next, .writeOnly, options: [.create, .truncate, .closeOnExec],
            permissions: .ownerReadWrite)
        try file.closeAfter { _ = try file.writeAll(Array((token + "\n").utf8)) }
        guard rename(next.string, path) == 0 else { throw Errno(rawValue: errno) }
    }

    /// nil where no daemon runs, or another user's.
    func read() -> String? {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return nil }
        let token = text.trimmingCharacters(in: .whitespacesAndNewlines)
        return token.isEmpty ? nil : token
    }

    func remove() { unlink(path) }
}
