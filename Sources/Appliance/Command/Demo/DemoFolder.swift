import Foundation
import Terminal

/// The demo's data: a folder of its own that goes with it, or one that the user names and keeps.
struct DemoFolder {
    let path: String
    private let isKept: Bool

    private static let prefix = "tillbox-demo-"

    /// - Parameter kept: a folder that is not there yet; nil for a temporary one.
    init(kept: String?) throws {
        isKept = kept != nil
        let own = "\(Self.prefix)\(ProcessInfo.processInfo.processIdentifier)"
        path = kept ?? FileManager.default.temporaryDirectory.appending(path: own).path
        if kept == nil { Self.removeLeftovers() }
        guard !FileManager.default.fileExists(atPath: path) else {
            throw CommandFailure.cannotRun(
                "\(path) exists, and the demo wants a folder of its own; name another with --data")
        }
    }

    func remove() {
        if !isKept { try? FileManager.default.removeItem(atPath: path) }
    }

    /// Removes what demos that were killed have left: their folders bear their process's number.
    private static func removeLeftovers() {
        let folder = FileManager.default.temporaryDirectory
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        for name in names where name.hasPrefix(prefix) {
            guard let process = Int32(name.dropFirst(prefix.count)), process > 0,
                kill(process, 0) == -1, errno == ESRCH
            else { continue }
            try? FileManager.default.removeItem(at: folder.appending(path: name))
        }
    }
}
