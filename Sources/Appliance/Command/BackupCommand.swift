import AppendLog
import ArgumentParser
import Backup
import Daemon
import Foundation
import Terminal
import Vocabulary

/// `tillbox backup …`: copies of a data folder that can be restored, made while the daemon runs.
struct BackupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Back up the data folder while the daemon runs, and look at backups.",
        discussion: """
            A backup holds log, ledger, snapshots and accounts as of one moment: what was \
            acknowledged before it is in it. Segments that an earlier backup in the same folder \
            has are not copied again. Every file is read again and compared before the backup \
            counts. Configuration and secrets are in no backup. See docs/BACKUP.md. Exit codes: \
            0 done, 1 what was looked at is damaged, 2 wrong usage, 3 cannot run.
            """,
        subcommands: [Make.self, List.self, Verify.self, Drill.self], defaultSubcommand: Make.self)

    /// Where the backups are, and their key.
    struct Place: ParsableArguments {
        @OptionGroup var data: DataOptions
        @Argument(help: "The folder of the backups. Default: backup.folder.")
        var dir: String?
        @Option(
            help: """
                A private file (mode 0600) with the key that encrypts the backups: 64 hex digits, \
                as `openssl rand -hex 32` prints. Default: backup.key_file.
                """)
        var keyFile: String?
        @Flag(help: "Answer with one JSON document.") var json = false

        /// The settings, the folder and the key.
        func read() async throws -> (settings: Settings, dir: String, key: BackupKey?) {
            let settings = try await data.folderSettings(
                insteadInCloud: "no data folder; back up its Postgres and Kafka by their own means")
            guard let dir = dir ?? settings.backup.folder else {
                throw CommandFailure(
                    exitCode: CommandFailure.wrongUsage,
                    message: "name the folder of the backups, or set backup.folder")
            }
            let key = try await orCannotRun {
                try keyFile.map { try BackupSettings.key(inFile: $0) } ?? settings.backup.key()
            }
            return (settings, dir, key)
        }

        /// The folder, with the backups that are there.
        func open() async throws -> (settings: Settings, place: BackupPlace) {
            let (settings, dir, key) = try await read()
            let place = try await orCannotRun { try BackupPlace(existingAt: dir, key: key) }
            return (settings, place)
        }
    }

    /// `backup DIR`
    struct Make: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "make", abstract: "Make a backup (what `backup DIR` does).")
        @OptionGroup var place: Place
        @Option(help: "How many backups stay in the folder. Default: backup.keep, 7.")
        var keep: Int?
        @Flag(
            help: """
                Restore the backup into a folder of its own afterwards, run the whole pipeline \
                again there and compare: as `backup drill` does.
                """)
        var replay = false

        func validate() throws {
            guard keep ?? 1 >= 1 else { throw ValidationError("--keep must be at least 1") }
        }

        mutating func run() async throws {
            let (settings, dir, key) = try await place.read()
            try Self.refuseMistypedVerb(dir)
            let view = FolderView(path: settings.dataPath)
            _ = (try view.logPath(), try view.ledgerPath())
            let bar = ProgressBar(label: "backing up")
            let began = ContinuousClock.now
            let count = keep ?? settings.backup.keptCount
            try FolderOwner.become(of: settings.dataPath, making: dir)
            let (target, report) = try await orCannotRun {
                defer { bar.clear() }
                let source = DataFolder(existingAt: settings.dataPath).backupSource
                let target = try source.place(at: dir, key: key)
                let run = BackupRun(of: source, into: target) { bar.show($0, of: $1, $2) }
                return (target, try run.run(keeping: count))
            }
            let seconds = began.duration(to: .now) / .seconds(1)
            if place.json, !replay {
                return try Output.standard.line(report.json(seconds: seconds))
            }
            if !place.json {
                try Output.standard.line(report.text(settings.dataPath, seconds: seconds))
            }
            for warning in report.warnings { writeError("tillbox: \(warning)") }
            guard replay else { return }
            let drill = try await BackupDrill.run(
                target, report.manifest.name, settings, at: nil, showsProgress: !place.json)
            try drill.print(asJSON: place.json)
        }

        /// A slip in a verb would else be the name of a new folder.
        private static func refuseMistypedVerb(_ dir: String) throws(CommandFailure) {
            guard !dir.contains("/"), !FileManager.default.fileExists(atPath: dir),
                let verb = NearestWord.to(dir, among: ["list", "verify", "drill"])
            else { return }
            throw CommandFailure(
                exitCode: CommandFailure.wrongUsage,
                message: "there is no folder \(dir); did you mean backup \(verb)? For a new folder "
                    + "of that name write ./\(dir)")
        }
    }

    /// `backup list DIR`
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the backups in a folder, the newest first.")
        @OptionGroup var place: Place

        mutating func run() async throws {
            let (_, target) = try await place.open()
            let rows = try await orCannotRun {
                try target.names().compactMap { name -> [String: Table.Cell]? in
                    do {
                        let manifest = try target.manifest(name)
                        return [
                            "backup": .text(name), "moment": .text(manifest.momentText),
                            "webhooks": .number(manifest.end(of: .webhookReceived) ?? 0),
                            "transactions": .number(manifest.transactions),
                            "bytes": .number(manifest.byteCount), "readable": .flag(true),
                        ]
                    } catch BackupError.damaged {
                        return ["backup": .text(name), "readable": .flag(false)]
                    } catch BackupError.noBackup {
                        // One that is made just now has taken its place.
                        return nil
                    }
                }
            }
            let columns = ["backup", "moment", "webhooks", "transactions", "bytes", "readable"]
            try Table(columns: columns, rows: rows).print(asJSON: place.json, named: "backups")
        }
    }

    /// `backup verify DIR`
    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Read every file of a backup and compare it with what was backed up.")
        @OptionGroup var place: Place
        @Option(help: "The backup's name. Default: the newest.") var backup: String?

        mutating func run() async throws {
            let (_, target) = try await place.open()
            let bar = ProgressBar(label: "verifying")
            defer { bar.clear() }
            let manifest: BackupManifest
            do {
                manifest = try target.verify(backup) { bar.show($0, of: $1, $2) }
            } catch let error as BackupError {
                guard case .damaged = error else { throw CommandFailure.cannotRun(error) }
                throw CommandFailure.foundSomething("\(error)")
            }
            bar.clear()
            let row: [String: Table.Cell] = [
                "backup": .text(manifest.name), "files": .number(Int64(manifest.files.count)),
                "bytes": .number(manifest.byteCount), "sound": .flag(true),
            ]
            try Table(columns: ["backup", "files", "bytes", "sound"], rows: [row])
                .print(asJSON: place.json, named: "verification")
        }
    }

    /// `backup drill DIR`
    struct Drill: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Restore a backup aside, compare and replay it, then remove it again.",
            discussion: """
                Says how long a restore takes, and proves that it can be started: its parts are \
                compared as a start does, log and ledger verified, and the whole pipeline run \
                again and compared. The data folder is not touched.
                """)
        @OptionGroup var place: Place
        @Option(help: "The backup's name. Default: the newest.") var backup: String?
        @Option(
            help: """
                Where the drill restores to, a folder that is made and removed; it needs room for \
                the backup twice. Default: a folder of its own among the temporary files.
                """)
        var into: String?

        mutating func run() async throws {
            let (settings, target) = try await place.open()
            if let into { try FolderOwner.become(onTheWayTo: into) }
            let drill = try await BackupDrill.run(
                target, backup, settings, at: into, showsProgress: !place.json)
            try drill.print(asJSON: place.json)
        }
    }
}

extension BackupManifest {
    /// The moment that it is of.
    var momentText: String { Timestamp(milliseconds: moment).rfc3339 }

    /// What it holds, in a few words.
    var contentText: String {
        "\(Figures.counted(end(of: .webhookReceived) ?? 0, "webhook")), "
            + Figures.counted(transactions, "transaction")
    }
}

extension BackupReport {
    fileprivate func text(_ data: String, seconds: Double) -> String {
        let earlier = manifest.files.count - copiedFileCount
        var lines = [
            "backed up \(data) as of \(manifest.momentText): \(manifest.contentText)",
            "copied \(Counted.words(copiedFileCount, "file")) "
                + "(\(Figures.counted(copiedByteCount, "byte"))) in "
                + "\(String(format: "%.1f", seconds)) s, each read again and compared; "
                + "\(Counted.words(earlier, "was", "were")) there from earlier backups",
            "it is \(manifest.name) in \(folder)" + (isEncrypted ? ", encrypted" : ""),
        ]
        if removedCount > 0 { lines.append("older backups removed: \(removedCount)") }
        return lines.joined(separator: "\n")
    }

    fileprivate func json(seconds: Double) -> String {
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("backup", manifest.name)
        writer.member("folder", folder)
        writer.member("moment", manifest.momentText)
        writer.member("encrypted", isEncrypted)
        writer.member("webhooks", manifest.end(of: .webhookReceived))
        writer.member("transactions", manifest.transactions)
        writer.member("head", manifest.ledgerHash)
        writer.member("bytes", manifest.byteCount)
        writer.member("files", Int64(manifest.files.count))
        writer.member("copied_bytes", copiedByteCount)
        writer.member("copied_files", Int64(copiedFileCount))
        writer.member("removed", Int64(removedCount))
        writer.member("seconds", seconds)
        writer.key("warnings")
        writer.beginArray()
        for warning in warnings { writer.string(warning) }
        writer.endArray()
        writer.endObject()
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}
