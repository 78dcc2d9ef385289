import Foundation
import Logging

/// The paths below the data folder (contracts §9).
struct DataFolder: Sendable {
    let path: String

    /// Makes the folder where it is missing, checks that it can be written, and takes from
    /// everybody else the right to read it: it holds payments, and what Stripe sent of people.
    init(at path: String, logger: Logger? = nil) throws(DaemonError) {
        self.path = path
        do {
            for folder in [path, "\(path)/features", "\(path)/gate"] {
                try FileManager.default.createDirectory(
                    atPath: folder, withIntermediateDirectories: true,
                    attributes: [.posixPermissions: 0o700])
            }
        } catch {
            throw .dataFolderUnusable(path: path, reason: error.localizedDescription)
        }
        guard access(path, W_OK | X_OK) == 0 else {
            throw .dataFolderUnusable(path: path, reason: "it is not writable")
        }
        try tighten(logger)
    }

    /// A folder that is only looked at.
    init(existingAt path: String) { self.path = path }

    /// Reads what a start compares.
    var survey: FolderSurvey {
        FolderSurvey(log: log, ledger: ledger, gate: gateSnapshot, features: featureSnapshot)
    }

    /// The one absolute path of a folder, however it is spelt.
    static func canonical(_ path: String) -> String {
        URL(filePath: path).standardizedFileURL.resolvingSymlinksInPath().path
    }

    var log: String { "\(path)/log" }
    var ledger: String { "\(path)/ledger.sqlite" }
    var reserve: String { "\(path)/reserve" }
    var gateSnapshot: String { "\(path)/gate/index.snapshot" }
    var featureSnapshot: String { "\(path)/features/state.snapshot" }

    private func tighten(_ logger: Logger? = nil) throws(DaemonError) {
        var tightened = 0
        // The folder first: behind it the rest is out of reach already.
        let inside =
            FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? []
        for file in [path] + inside.map({ "\(path)/\($0)" }) {
            var status = stat()
            // A link is what it points to, which is not ours to change; a file may have gone.
            guard lstat(file, &status) == 0, status.st_mode & S_IFMT != S_IFLNK,
                status.st_mode & 0o077 != 0
            else { continue }
            guard chmod(file, status.st_mode & 0o700) == 0 else {
                let code = errno
                throw .dataFolderExposed(path: file, reason: String(cString: strerror(code)))
            }
            tightened += 1
        }
        guard tightened > 0 else { return }
        logger?.warning(
            "the data folder was open to other users; now it is its owner's alone",
            metadata: [
                "path": "\(path)", "files": "\(tightened)",
            ])
    }
}
