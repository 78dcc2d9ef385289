import AppendLog
import Appliance
import ArgumentParser
import Backup
import Daemon
import Foundation
import Terminal
import Vocabulary

/// `tillbox restore DIR`: a backup into an empty data folder.
struct RestoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Restore a backup into an empty data folder.",
        discussion: """
            Restores all of it or nothing, compares the parts as a start does, and says to which \
            moment it goes and what the sweep has to bring back. Refuses a folder that holds \
            anything, a disk without room for it, and a backup that is damaged, another program's \
            or a newer release's. A folder whose restore was killed is begun anew. See \
            docs/BACKUP.md. Exit codes: 0 done, 1 the backup is damaged or its parts do not fit, \
            2 wrong usage, 3 cannot run.
            """)
    @OptionGroup var place: BackupCommand.Place
    @Option(help: "The backup's name, as `backup list` has it. Default: the newest.")
    var backup: String?

    mutating func run() async throws {
        let (settings, target) = try await place.open()
        // A backup says which files it writes: in a folder of the service's, by links of its own.
        try FolderOwner.become(onTheWayTo: settings.dataPath)
        let bar = ProgressBar(label: "restoring")
        defer { bar.clear() }
        let manifest: BackupManifest
        let notes: [String]
        do {
            let restore = try BackupRestore(
                from: target, name: backup, into: settings.dataPath
            ) { bar.show($0, of: $1, $2) }
            manifest = restore.manifest
            notes = try DataFolder(existingAt: settings.dataPath).restore(restore)
        } catch let refusal as StartRefusal {
            throw CommandFailure.foundSomething(
                "the backup is restored, and its parts do not fit: \(refusal)")
        } catch let error as BackupError {
            guard case .damaged = error else { throw CommandFailure.cannotRun(error) }
            throw CommandFailure.foundSomething("\(error)")
        } catch {
            throw CommandFailure.cannotRun(error)
        }
        bar.clear()
        OfflineAudit.note(settings, "restore", "\(manifest.name) from \(target.path)")
        let now = Instant(seconds: Int64(Date().timeIntervalSince1970))
        let gap = RestoreGap(from: Instant(seconds: manifest.moment / 1_000), to: now)
        try Output.standard.line(
            place.json
                ? json(manifest, notes, gap, settings.dataPath)
                : text(manifest, notes, gap, settings.dataPath))
    }

    private func text(
        _ manifest: BackupManifest, _ notes: [String], _ gap: RestoreGap, _ data: String
    ) -> String {
        var lines = [
            "restored \(manifest.name) into \(data), as of \(manifest.momentText): "
                + manifest.contentText
        ]
        lines += notes.map { "the first start makes up for this: \($0)" }
        lines += gap.sentences
        lines.append(
            "it needs Stripe's API key (stripe.api_key) for that: without one nothing is fetched")
        lines.append(
            "what people decided since then is to be decided again, and everybody signs in again; "
                + "configuration and secrets are in no backup")
        return lines.joined(separator: "\n")
    }

    private func json(
        _ manifest: BackupManifest, _ notes: [String], _ gap: RestoreGap, _ data: String
    ) -> String {
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("backup", manifest.name)
        writer.member("data", data)
        writer.member("moment", manifest.momentText)
        writer.member("webhooks", manifest.end(of: .webhookReceived))
        writer.member("transactions", manifest.transactions)
        writer.member("head", manifest.ledgerHash)
        writer.member("swept_from", gap.sweptFrom.rfc3339)
        writer.member("lost_until", gap.lostUntil?.rfc3339)
        writer.key("notes")
        writer.beginArray()
        for note in notes { writer.string(note) }
        writer.endArray()
        writer.endObject()
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}

/// What came between a backup and its restore, as far as Stripe still tells of it.
struct RestoreGap: Hashable {
    /// Stripe keeps events for 30 days (docs.stripe.com/api/events).
    static let keptSeconds: Int64 = 30 * 86_400

    let moment: Instant
    let now: Instant

    init(from moment: Instant, to now: Instant) { (self.moment, self.now) = (moment, now) }

    /// From when on the sweep has to bring events back.
    var sweptFrom: Instant { lostUntil ?? moment }

    /// Of what came before, Stripe has no events any more; nil where it has them all.
    var lostUntil: Instant? {
        let kept = Instant(seconds: now.seconds - Self.keptSeconds)
        return kept > moment ? kept : nil
    }

    var sentences: [String] {
        guard let lostUntil else {
            let until = Instant(seconds: moment.seconds + Self.keptSeconds)
            return [
                "the sweep has to bring back the events after \(moment.rfc3339): Stripe keeps them "
                    + "for 30 days, so start before \(until.rfc3339)"
            ]
        }
        return [
            "the sweep brings back the events after \(lostUntil.rfc3339); of those from "
                + "\(moment.rfc3339) to then Stripe keeps none any more: restore a newer backup if "
                + "there is one, else let `tillbox reconcile run` name what the ledger lacks"
        ]
    }
}
