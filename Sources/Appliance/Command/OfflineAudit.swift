import Console
import Daemon
import Foundation
import Terminal
import Vocabulary

/// What a command changes by itself, where no daemon holds the folder, in the folder's audit log.
enum OfflineAudit {
    /// The name under which this process changes something, without a daemon that would look.
    ///
    /// - Throws: wrong usage for a name that is nobody's (``PersonName``).
    static func name(_ said: String) throws(CommandFailure) -> String {
        do throws(PersonName.Refusal) {
            return try PersonName.said(said)
        } catch {
            throw CommandFailure(
                exitCode: CommandFailure.wrongUsage, message: "\(error), with --by")
        }
    }

    /// Notes what was done. What cannot be noted is said, and takes nothing back.
    ///
    /// - Parameter detail: what a person should know of it; never a secret.
    static func note(_ settings: Settings, _ what: String, _ detail: String) {
        let path = DataFolder(existingAt: settings.dataPath).accounts
        // A folder whose accounts were taken away gets new ones at a start alone.
        guard FileManager.default.fileExists(atPath: path) else { return }
        do {
            let store = FolderAccounts(at: path)
            defer { store.close() }
            try AccountsDoor.note(what, detail, in: store)
        } catch {
            writeError("tillbox: it is done, but is not in the audit log: \(error)")
        }
    }
}
