import AppendLog
import Appliance
import Backup
import Daemon
import Foundation
import Terminal
import Vocabulary

/// A backup that was restored aside, compared, verified and replayed, and what came of it.
struct BackupDrill {
    var manifest: BackupManifest
    var restoreSeconds: Double
    var replaySeconds: Double
    /// What a start would make up for.
    var notes: [String]
    /// Why the pipeline was not run again; nil where it was.
    var notReplayed: String?
    /// What is wrong with files in cold folders, which are in no backup; nil where they are there.
    var coldFault: String?
    var webhooks: Int64
    /// What is wrong; empty where the backup is good.
    var faults: [String]

    /// - Parameters:
    ///   - name: of the backup; nil for the newest.
    ///   - path: where to; nil for a folder among the temporary files.
    /// - Throws: `CommandFailure` where it cannot be carried through.
    static func run(
        _ place: BackupPlace, _ name: String?, _ settings: Settings, at path: String?,
        showsProgress: Bool
    ) async throws -> BackupDrill {
        let files = FileManager.default
        let root = path ?? files.temporaryDirectory.path + "/tillbox-drill-\(UUID().uuidString)"
        guard !files.fileExists(atPath: root) else {
            throw CommandFailure.cannotRun(
                "\(root) is there already, and a drill removes its folder; name another with "
                    + "--into")
        }
        return try await orCannotRun {
            defer { try? files.removeItem(atPath: root) }
            try files.createDirectory(
                atPath: root, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
            var drill = try restored(place, name, to: "\(root)/data", showsProgress)
            drill.verify("\(root)/data")
            try await drill.replay(settings, "\(root)/data", into: "\(root)/replay", showsProgress)
            return drill
        }
    }

    private static func restored(
        _ place: BackupPlace, _ name: String?, to data: String, _ showsProgress: Bool
    ) throws -> BackupDrill {
        let bar = ProgressBar(label: "restoring")
        defer { bar.clear() }
        let began = ContinuousClock.now
        let restore = try BackupRestore(from: place, name: name, into: data) { done, total, file in
            if showsProgress { bar.show(done, of: total, file) }
        }
        var drill = BackupDrill(
            manifest: restore.manifest, restoreSeconds: 0, replaySeconds: 0, notes: [],
            webhooks: 0, faults: [])
        do {
            drill.notes = try DataFolder(existingAt: data).restore(restore)
        } catch let refusal as StartRefusal {
            drill.faults.append("\(refusal)")
        } catch let error as BackupError {
            guard case .damaged = error else { throw error }
            throw CommandFailure.foundSomething("\(error)")
        }
        drill.restoreSeconds = began.duration(to: .now) / .seconds(1)
        return drill
    }

    /// Every batch of the log and every rule of the ledger.
    private mutating func verify(_ data: String) {
        let folder = FolderView(path: data)
        do {
            let log = try folder.verifiedLog()
            faults += log.faults
            coldFault = log.ofCold
            let ledger = try folder.ledger()
            defer { try? ledger.close() }
            if let fault = try ledger.verify(progress: { _ in }).fault {
                faults.append("ledger.sqlite: \(fault)")
            }
            let head = try ledger.point()
            if head.head != manifest.transactions || String(hex: head.hash) != manifest.ledgerHash {
                faults.append("the ledger's last transaction is not the one that was backed up")
            }
        } catch {
            faults.append((error as? CommandFailure)?.message ?? "\(error)")
        }
    }

    private mutating func replay(
        _ settings: Settings, _ data: String, into fresh: String, _ showsProgress: Bool
    ) async throws {
        guard faults.isEmpty else {
            notReplayed = "what is restored is not whole"
            return
        }
        guard coldFault == nil else {
            notReplayed = coldFault
            return
        }
        var settings = settings
        settings.dataPath = data
        let bar = ProgressBar(label: "replaying")
        defer { bar.clear() }
        let began = ContinuousClock.now
        do {
            let report = try await Replay(of: settings, into: fresh).run { done, total in
                if showsProgress { bar.show(done, of: total) }
            }
            webhooks = Int64(report.events)
            replaySeconds = began.duration(to: .now) / .seconds(1)
            guard !report.isEqual else { return }
            let places = Counted.words(report.differences.count, "place")
            faults.append("the replay differs in \(places)")
            faults += report.differences.listed.prefix(5).map { "\($0.place): \($0.what)" }
        } catch let error as ReplayError {
            // Nothing is wrong with a folder whose retention has removed the beginning.
            notReplayed = "\(error)"
        }
    }

    /// - Throws: ``failure``
    func print(asJSON isJSON: Bool) throws {
        try Output.standard.line(isJSON ? json : text)
        if let failure { throw failure }
    }

    /// How it ends where it does not end well: the backup is not good, or nobody knows yet.
    var failure: CommandFailure? {
        if !faults.isEmpty { return .foundSomething(nil) }
        return coldFault.map { _ in
            .cannotRun(
                "the drill did not come to its end; put the cold files right, then try again")
        }
    }

    var text: String {
        func rounded(_ seconds: Double) -> String { String(format: "%.1f", seconds) }
        var lines = [
            "restored \(manifest.name), as of \(manifest.momentText): \(manifest.contentText), in "
                + "\(rounded(restoreSeconds)) s"
        ]
        lines += notes.map { "a start makes up for this: \($0)" }
        if let notReplayed {
            lines.append("not replayed: \(notReplayed)")
        } else {
            lines.append(
                "replayed \(Figures.counted(webhooks, "webhook")) in "
                    + "\(rounded(replaySeconds)) s")
        }
        lines += faults.map { "wrong: \($0)" }
        lines.append(verdict)
        return lines.joined(separator: "\n")
    }

    private var verdict: String {
        if !faults.isEmpty { return "the backup is not good; make another one, and find out why" }
        guard coldFault == nil else {
            return "what the backup holds fits and is sound; what lies in a cold folder is in no "
                + "backup, and without it the replay could not be compared"
        }
        return "the backup is good: its parts fit, log and ledger are sound"
            + (notReplayed == nil ? ", and the replay comes to the same" : "")
    }

    private var json: String {
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("backup", manifest.name)
        writer.member("moment", manifest.momentText)
        writer.member("good", failure == nil)
        writer.member("restore_seconds", restoreSeconds)
        writer.member("replayed", notReplayed == nil)
        writer.member("replayed_webhooks", webhooks)
        writer.member("replay_seconds", replaySeconds)
        writer.member("not_replayed", notReplayed)
        for (name, sentences) in [("notes", notes), ("faults", faults)] {
            writer.key(named: name)
            writer.beginArray()
            for sentence in sentences { writer.string(sentence) }
            writer.endArray()
        }
        writer.endObject()
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}
