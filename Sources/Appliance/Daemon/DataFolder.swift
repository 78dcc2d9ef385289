import AppendLog
package import Appliance
import Foundation
package import Logging
import SystemPackage

/// The paths below the data folder (contracts §9).
package struct DataFolder: Sendable {
    package let path: String

    /// Makes the folder where it is missing, checks that it can be written, and takes from
    /// everybody else the right to read it: it holds payments, and what Stripe sent of people.
    package init(at path: String, logger: Logger? = nil) throws(DaemonError) {
        self.path = path
        do {
            for folder in [path, "\(path)/features", "\(path)/gate", console] {
                try FileManager.default.createDirectory(
                    atPath: folder, withIntermediateDirectories: true,
                    attributes: [.posixPermissions: 0o700])
            }
        } catch {
            throw .dataFolderUnusable(path: path, reason: Self.reason(error))
        }
        guard access(path, W_OK | X_OK) == 0 else {
            throw .dataFolderUnusable(path: path, reason: "it is not writable")
        }
        try tighten(logger)
    }

    /// In the system's own few words; Foundation's are two sentences with their full stops.
    private static func reason(_ error: any Error) -> String {
        let below = (error as? CocoaError)?.underlying ?? error
        guard let code = (below as? POSIXError)?.code.rawValue else {
            return error.localizedDescription
        }
        return code == EEXIST ? "it is no folder" : String(cString: strerror(code))
    }

    /// A folder that is only looked at.
    package init(existingAt path: String) { self.path = path }

    /// Reads what a start compares.
    package var survey: FolderSurvey {
        FolderSurvey(log: log, ledger: ledger, gate: gateSnapshot, features: featureSnapshot)
    }

    /// The one absolute path of a folder, however it is spelt.
    package static func canonical(_ path: String) -> String {
        URL(filePath: path).standardizedFileURL.resolvingSymlinksInPath().path
    }

    package var log: String { "\(path)/log" }
    package var ledger: String { "\(path)/ledger.sqlite" }
    /// Who may come in by the admin port.
    package var console: String { "\(path)/console" }
    package var accounts: String { "\(console)/accounts.sqlite" }
    /// What a command of this machine shows the daemon.
    var consoleToken: FolderToken { FolderToken(path: "\(console)/token") }
    /// What its parts were brought to.
    var format: FolderFormat { FolderFormat(path: "\(path)/format") }
    var reserve: String { "\(path)/reserve" }
    var gateSnapshot: String { "\(path)/gate/index.snapshot" }
    /// The seals of closed months.
    package var archive: String { "\(path)/archive" }
    /// Which bridges a person has paused.
    package var bridges: String { "\(path)/bridges" }
    /// What lists of payments are answered from; it is made anew where it is missing.
    var paymentIndex: String { "\(console)/index.sqlite" }
    package var featureSnapshot: String { "\(path)/features/state.snapshot" }

    /// Bytes that the files of a topic have.
    func byteCount(ofTopic name: String) -> Int64 {
        let folder = "\(log)/\(name)-0"
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return files.reduce(0) { sum, file in
            let size = try? FileManager.default.attributesOfItem(atPath: "\(folder)/\(file)")[.size]
            return sum + ((size as? NSNumber)?.int64Value ?? 0)
        }
    }

    private func tighten(_ logger: Logger? = nil) throws(DaemonError) {
        var tightened = 0
        // The folder first: behind it the rest is out of reach already. One look at each file: an
        // old log has some ten thousand.
        var waiting = [path]
        while let file = waiting.popLast() {
            let status = try? FilePath(file).stat(followTargetSymlink: false)
            if file == path || status?.type == .directory {
                waiting += ((try? PosixDisk().list(file)) ?? []).map { "\(file)/\($0)" }
            }
            // A link is what it points to, which is not ours to change; a file may have gone.
            guard let status, status.type != .symbolicLink,
                status.permissions.rawValue & 0o077 != 0
            else { continue }
            guard chmod(file, mode_t(status.permissions.rawValue) & 0o700) == 0 else {
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
