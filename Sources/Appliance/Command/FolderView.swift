import AppendLog
import Appliance
import Foundation
import Terminal
import Vocabulary

/// A data folder as a command that only looks finds it, also while the daemon runs. What is not
/// there, or is something else, is said before anything is opened.
struct FolderView {
    let path: String

    /// Opens the log without taking its lock.
    func log() throws(CommandFailure) -> ReadOnlyLog {
        let place = try logPath()
        do throws(LogError) {
            return try Log.openReadOnly(at: place)
        } catch {
            throw .cannotRun(error.description)
        }
    }

    /// Where the log is.
    func logPath() throws(CommandFailure) -> String {
        let log = "\(path)/log"
        try check(log, "log")
        // Other programs have folders of that name too (/var/log).
        let names = (try? FileManager.default.contentsOfDirectory(atPath: log)) ?? []
        let ours = TopicID.allCases.map { "\($0.rawValue)-0" } + ["__cursors-0"]
        guard ours.contains(where: names.contains) else {
            throw .cannotRun("\(log) is no Tillbox log; name the data folder with --data")
        }
        return log
    }

    /// Opens the ledger for reading.
    func ledger() throws(CommandFailure) -> SQLiteLedgerReader {
        let place = try ledgerPath()
        do throws(LedgerError) {
            return try SQLiteLedgerReader.open(path: place)
        } catch {
            throw .cannotRun(error.description)
        }
    }

    /// Where the ledger is.
    func ledgerPath() throws(CommandFailure) -> String {
        let ledger = "\(path)/ledger.sqlite"
        try check(ledger, "ledger")
        return ledger
    }

    /// The ledger where there is one: a folder whose daemon never came so far has none.
    func ledgerIfThere() throws(CommandFailure) -> SQLiteLedgerReader? {
        FileManager.default.fileExists(atPath: "\(path)/ledger.sqlite") ? try ledger() : nil
    }

    private func check(_ part: String, _ name: String) throws(CommandFailure) {
        let files = FileManager.default
        guard files.fileExists(atPath: path) else {
            throw .cannotRun("there is no folder \(path); name the data folder with --data")
        }
        var isFolder: ObjCBool = false
        _ = files.fileExists(atPath: path, isDirectory: &isFolder)
        guard isFolder.boolValue else {
            throw .cannotRun("\(path) is no folder; name the data folder with --data")
        }
        guard files.fileExists(atPath: part) else {
            // A folder that may not be entered shows nothing of what is in it.
            throw access(path, X_OK) == 0
                ? .cannotRun("there is no \(name) in \(path); name the data folder with --data")
                : .cannotRun("\(path) may not be entered; run this as the daemon's user")
        }
        guard access(part, R_OK) == 0 else {
            throw .cannotRun("\(part) may not be read; run this as the daemon's user")
        }
    }
}
