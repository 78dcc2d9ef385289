import Foundation
import Vocabulary

/// The bridges that a person has paused, kept beside the log so that a restart does not undo it:
/// one small file each, `<folder>/<name>.paused`, with who and when on one line.
package struct BridgePauses: Sendable {
    let folder: String

    package init(folder: String) { self.folder = folder }

    private func path(_ bridge: BridgeName) -> String { "\(folder)/\(bridge.rawValue).paused" }

    /// nil where the bridge is not paused. A file that cannot be read pauses as well: who paused it
    /// meant it.
    package func pause(of bridge: BridgeName) -> BridgePause? {
        guard FileManager.default.fileExists(atPath: path(bridge)) else { return nil }
        let text = (try? String(contentsOfFile: path(bridge), encoding: .utf8)) ?? ""
        let words = text.split(whereSeparator: \.isNewline).first?
            .split(separator: " ", maxSplits: 1).map(String.init) ?? []
        return BridgePause(
            by: words.count == 2 ? words[1] : "unknown",
            at: Instant(seconds: words.first.flatMap { Int64($0) } ?? 0))
    }

    /// Durable when it returns.
    package func keep(_ pause: BridgePause, of bridge: BridgeName) throws(RelayFailure) {
        let by = pause.by.map { $0.isNewline ? " " : $0 }
        do {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
            try Self.write("\(pause.at.seconds) \(String(by))\n", to: path(bridge))
            try Self.sync(folder)
        } catch {
            throw .permanent("the pause cannot be kept in \(path(bridge)): \(Self.words(error))")
        }
    }

    /// Durable when it returns. Nothing happens where there is none.
    package func remove(of bridge: BridgeName) throws(RelayFailure) {
        guard unlink(path(bridge)) == 0 else {
            let code = errno
            guard code != ENOENT else { return }
            throw .permanent(
                "\(path(bridge)) cannot be removed: \(String(cString: strerror(code)))")
        }
        do {
            try Self.sync(folder)
        } catch {
            throw .permanent("\(folder) cannot be synced: \(Self.words(error))")
        }
    }

    private static func write(_ text: String, to path: String) throws {
        let fresh = path + ".new"
        guard FileManager.default.createFile(
            atPath: fresh, contents: Data(text.utf8), attributes: [.posixPermissions: 0o600])
        else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        try sync(fresh)
        guard rename(fresh, path) == 0 else {
            throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO)
        }
    }

    private static func sync(_ path: String) throws {
        let file = open(path, O_RDONLY)
        guard file >= 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        defer { close(file) }
        guard fsync(file) == 0 else {
            throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO)
        }
    }

    private static func words(_ error: any Error) -> String {
        (error as? POSIXError).map { String(cString: strerror($0.code.rawValue)) } ?? "\(error)"
    }
}
