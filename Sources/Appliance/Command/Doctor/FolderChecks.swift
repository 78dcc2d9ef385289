import AppendLog
import Appliance
import Backup
import Console
import Daemon
import Foundation
import Terminal
import Vocabulary

/// What a data folder is like, also while the daemon writes to it.
struct FolderChecks {
    let settings: Settings

    /// A nightly backup that was missed, and half a day.
    static let backupAgeMaxSeconds: Int64 = 36 * 3_600

    private var folder: DataFolder { DataFolder(existingAt: settings.dataPath) }
    private var view: FolderView { FolderView(path: settings.dataPath) }

    /// - Parameter isQuick: whether what reads all of log and ledger is left out.
    func findings(isQuick: Bool) -> [Finding] {
        var findings = [parts()]
        if isQuick {
            findings += ["log", "ledger"].map { .skipped($0, "left out by --quick") }
        } else {
            findings += [batches(), ledger()]
        }
        return findings + [audit(), letters(), backup()] + [archive()].compactMap { $0 }
    }

    /// The next start's own comparison.
    private func parts() -> Finding {
        if BackupRestore.isUnfinished(in: settings.dataPath) {
            return .act(
                "parts", "a restore into \(settings.dataPath) did not come to its end",
                "run `tillbox restore DIR` again, which begins anew there, or remove the folder")
        }
        do {
            let state = try folder.survey.state()
            switch StartComparison.verdict(of: state) {
            case .refuse(let refusal): return Self.refused(refusal)
            case .proceed(let plan):
                guard let lasting = plan.lasting.first else {
                    return .ok("parts", "log, ledger and snapshots belong together")
                }
                return .note("parts", lasting)
            }
        } catch let refusal as StartRefusal {
            return Self.refused(refusal)
        } catch {
            return .act(
                "parts", "\(error)", "run this as the daemon's user",
                in: Finding.chapters["permissions"])
        }
    }

    private static func refused(_ refusal: StartRefusal) -> Finding {
        let words = "\(refusal)".split(separator: "; nothing was changed. ").map(String.init)
        return .act(
            "parts", "a start would refuse the folder: \(words[0])",
            words.count > 1 ? words[1] : "restore the folder from its newest backup")
    }

    /// Every batch: checksums, dense offsets, each source once.
    private func batches() -> Finding {
        do {
            let log = try view.verifiedLog()
            if let fault = log.faults.first {
                return .act("log", fault, "restore the folder from its newest backup")
            }
            // No backup has the files of cold folders, and the daemon goes on without them.
            if let fault = log.ofCold {
                return .act(
                    "log", fault,
                    "the log's own segments hold: nothing is to be restored from a backup",
                    in: Finding.chapters["archive"])
            }
            return .ok(
                "log", "\(Figures.counted(log.recordCount, "record")), every checksum holds")
        } catch {
            return .act("log", Self.words(error), "run `tillbox log verify`")
        }
    }

    /// The chain, the sums, the balances, and all that is kept beside them.
    private func ledger() -> Finding {
        do {
            guard let ledger = try view.ledgerIfThere() else {
                return .note("ledger", "there is none yet; the first start makes it")
            }
            defer { try? ledger.close() }
            let found = try ledger.verify { _ in }
            guard let fault = found.fault else {
                return .ok(
                    "ledger", "\(Figures.counted(found.transactions, "transaction")), the chain "
                        + "holds and every currency balances")
            }
            return .act("ledger", "\(fault)", "restore the folder from its newest backup")
        } catch {
            return .act("ledger", Self.words(error), "run `tillbox ledger verify`")
        }
    }

    private func audit() -> Finding {
        guard FileManager.default.fileExists(atPath: folder.accounts) else {
            return .note("audit", "nobody has an account yet")
        }
        let store = FolderAccounts(readingAt: folder.accounts)
        defer { store.close() }
        do {
            let count = try store.verifyAudit()
            return .ok("audit", "\(Figures.counted(count, "entry", "entries")), the chain holds")
        } catch {
            return .act(
                "audit", "\(error)", "find out who changed it: `tillbox audit verify` says where")
        }
    }

    private func backup() -> Finding {
        let now = Int64(Date().timeIntervalSince1970)
        return Self.backup(
            settings.backup.note(in: settings.dataPath), at: Instant(seconds: now),
            into: settings.backup.folder, isDevelopment: settings.profile == .dev)
    }

    /// - Parameter place: the folder that backups are to go into; nil where any will do.
    static func backup(
        _ note: BackupNote?, at now: Instant, into place: String? = nil, isDevelopment: Bool
    ) -> Finding {
        func wanting(_ words: String, _ todo: String) -> Finding {
            isDevelopment ? .note("backup", words, todo) : .act("backup", words, todo)
        }
        // Where the folder is set, the commands know it.
        let todo = place == nil
            ? "run `tillbox backup DIR`, or set backup.folder; then try it with "
                + "`tillbox backup drill DIR`"
            : "run `tillbox backup`, which says what is in the way; then try it with "
                + "`tillbox backup drill`"
        guard let note else {
            return wanting("no backup is known" + (place.map { " in \($0)" } ?? ""), todo)
        }
        guard let age = note.age(at: now) else {
            return wanting(
                "the last one is noted as of \(note.moment.rfc3339), which is still to come",
                "compare this machine's clock, which is wrong or was; then \(todo)")
        }
        let words = "the last one is of \(Figures.ago(seconds: Double(age))), in "
            + note.folder + (note.isEncrypted ? ", encrypted" : "")
        return age <= backupAgeMaxSeconds ? .ok("backup", words) : wanting(words, todo)
    }

    /// That the files in cold folders are there, with their sizes, and that nothing is missing that
    /// was sealed; nil where nothing was moved.
    func archive() -> Finding? {
        guard FileManager.default.fileExists(atPath: folder.log) else { return nil }
        do {
            if settings.retentionDays == nil, let lost = try folder.archivePlace.lost() {
                return .act(
                    "archive", "\(lost.topic) lacks offsets \(lost.from) to \(lost.to), which were "
                        + "sealed: neither the log has them nor a folder that log/cold names",
                    "put log/cold back from a backup, unless log.retention_days removed them")
            }
            let shares = try folder.archivePlace.shares()
            if let fault = shares.fault { return .act("archive", fault.says, fault.todo) }
            let count = shares.folders.reduce(0) { $0 + $1.count }
            return count == 0
                ? nil
                : .ok(
                    "archive", "\(Figures.counted(count, "cold segment")) "
                        + "\(Counted.noun(count, "is", "are")) there, and `tillbox archive verify` "
                        + "reads \(Counted.noun(count, "it", "them"))")
        } catch {
            return .act("archive", Self.words(error), "put log/cold back from a backup")
        }
    }

    /// Records that failed and that nobody has sent back. Some are left for good, so that this is
    /// nothing that has to end.
    func letters() -> Finding {
        do {
            let list = LetterList(view: LogView(log: try view.log(), ledger: nil))
            let left = try list.leftCount()
            return left == 0
                ? .ok("dead-letters", "none waits for somebody to look at it")
                : .note(
                    "dead-letters", left == 1
                        ? "1 was not sent back" : "\(Figures.grouped(left)) were not sent back",
                    "look why: `tillbox dead-letter list`; then `tillbox dead-letter redrive "
                        + "--dry-run`, or leave them")
        } catch {
            return .skipped("dead-letters", Self.words(error))
        }
    }

    /// The model that scores and its thresholds; it needs no data folder.
    func model() -> Finding {
        do {
            let steps = try PipelineSteps(settings, counters: Counters())
            _ = try steps.verdicts()
            return .ok(
                "model", "\(steps.model.schema.version), "
                    + (settings.usesOwnModel ? "a file of your own" : "the built-in one"))
        } catch {
            return .act("model", "\(error)", "correct model.path or the thresholds, then start")
        }
    }

    private static func words(_ error: any Error) -> String {
        (error as? CommandFailure)?.message ?? "\(error)"
    }
}
