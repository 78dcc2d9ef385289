package import AppendLog
import Appliance
import Foundation
import Vocabulary

/// What making a backup came to.
package struct BackupReport: Sendable {
    package var manifest: BackupManifest
    package var folder: String
    package var isEncrypted: Bool
    /// Bytes of content that were copied; the others were there from earlier backups.
    package var copiedByteCount: Int64
    package var copiedFileCount: Int
    /// Backups that were removed, because newer ones are kept in their place.
    package var removedCount: Int
    /// What an operator should look at although the backup is complete.
    package var warnings: [String]
}

/// Makes one backup of a data folder, also while a daemon writes to it: reads only there, but for
/// the staging folder and the note of it. Blocking: call it off the cooperative pool.
package struct BackupRun {
    /// How often the folder is looked at anew when retention takes files away meanwhile.
    private static let attemptCountMax = 4

    let source: BackupSource
    let place: BackupPlace
    let clock: any LogClock
    /// Bytes done, bytes to be done, and of which file.
    let progress: (Int64, Int64, String) -> Void
    /// Asked now and then.
    let goesOn: () -> Bool

    package init(
        of source: BackupSource, into place: BackupPlace, clock: any LogClock = SystemLogClock(),
        progress: @escaping (Int64, Int64, String) -> Void = { _, _, _ in },
        goesOn: @escaping () -> Bool = { !Task.isCancelled }
    ) {
        self.source = source
        self.place = place
        self.clock = clock
        self.progress = progress
        self.goesOn = goesOn
    }

    /// - Parameter count: how many backups stay, this one among them; at least 1.
    /// - Throws: `BackupError`, `LogError`, `LedgerError`, `CancellationError`. The backups that
    ///   were complete are then as they were.
    package func run(keeping count: Int) throws -> BackupReport {
        let lock = try place.locked()
        defer { lock.release() }
        // What a process has left that died here.
        _ = try? place.prune(keeping: .max)
        let former = try formerFiles()
        var attempts = 1
        while true {
            do {
                return try attempt(former, keeping: count)
            } catch is SourceMoved {
                guard attempts < Self.attemptCountMax else {
                    throw BackupError.neverStill(path: source.folder)
                }
                attempts += 1
            } catch {
                _ = try? place.prune(keeping: .max)
                throw error
            }
        }
    }

    /// The files of the newest backup that can be read, by their paths.
    private func formerFiles() throws(BackupError) -> [String: BackupManifest.File] {
        for name in try place.names() {
            guard let manifest = try? place.manifest(name) else { continue }
            return Dictionary(
                manifest.files.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
        }
        return [:]
    }

    private func attempt(
        _ former: [String: BackupManifest.File], keeping count: Int
    ) throws -> BackupReport {
        let staging = try BackupStaging(for: source, place, spare: DiskRoom.spareByteCount)
        defer { staging.remove() }
        guard
            let point = try BackupPoint(
                of: source, staging: staging.path, clock: clock, goesOn: goesOn)
        else { throw SourceMoved() }
        var copy = try BackupCopy(
            of: point, source, staging.path, into: place, former: former, progress: progress,
            goesOn: goesOn)
        try copy.run()
        let manifest = BackupManifest(
            name: try name(at: point.moment), moment: point.moment.milliseconds,
            endedAt: clock.now().milliseconds, log: place.log,
            topics: point.topics.map {
                BackupManifest.Topic(
                    name: $0.topic.name.rawValue, start: $0.topic.start.rawValue,
                    end: $0.end.rawValue)
            }, transactions: point.ledger.head, ledgerHash: String(hex: point.ledger.hash),
            files: copy.files)
        try place.complete(manifest)
        var report = BackupReport(
            manifest: manifest, folder: place.path, isEncrypted: place.key != nil,
            copiedByteCount: copy.copiedByteCount, copiedFileCount: copy.copiedFileCount,
            removedCount: 0, warnings: [])
        do {
            report.removedCount = try place.prune(keeping: count)
        } catch {
            report.warnings.append("older backups could not be removed: \(error)")
        }
        BackupNote(of: report).write(in: source.folder)
        return report
    }

    /// After the newest one's, also where the clock was set back: the newest is found by it.
    private func name(at moment: Timestamp) throws(BackupError) -> String {
        let name = BackupName.text(of: moment)
        guard let last = try place.names().first, name <= last else { return name }
        let seconds = BackupName.moment(of: last)?.milliseconds ?? moment.milliseconds
        return BackupName.text(of: Timestamp(milliseconds: (seconds / 1_000 + 1) * 1_000))
    }
}

/// A backup's name: `2026-11-27T16-22-24.123Z`, which every file system takes and which sorts.
package enum BackupName {
    static func text(of moment: Timestamp) -> String {
        moment.rfc3339.replacing(":", with: "-")
    }

    /// To the second; nil for another name.
    package static func moment(of name: String) -> Timestamp? {
        let parts = name.split(separator: "T", maxSplits: 1)
        guard parts.count == 2 else { return nil }
        let text = "\(parts[0])T\(parts[1].replacing("-", with: ":"))"
        return Moment(text).map { Timestamp(milliseconds: $0.start.seconds * 1_000) }
    }
}

/// Something that is to be copied has gone since the point was taken.
struct SourceMoved: Error {}

/// A folder for the copies of the tables before they are stored: beside the data, where they are
/// as safe as that; where there is too little room, in the backup's folder unless that is to see
/// them encrypted only.
struct BackupStaging {
    private static let prefix = "backup.part-"
    let path: String

    /// - Throws: `.full`, `.disk`
    init(
        for source: BackupSource, _ place: BackupPlace, spare: Int64
    ) throws(BackupError) {
        Self.removeLeft(in: source.folder, where: Self.hasEnded)
        // Whoever makes one there holds the folder's lock, which is ours now.
        Self.removeLeft(in: place.path) { _ in true }
        let needed = [source.ledger, source.accounts].reduce(Int64(0)) { sum, file in
            sum + BackupSource.byteCount(file) + BackupSource.byteCount(file + "-wal")
        }
        let disk = PosixDisk()
        let name = Self.prefix + "\(getpid())"
        let free = (try? disk.freeBytes(source.folder)) ?? 0
        if access(source.folder, W_OK) == 0, free - needed > spare {
            path = source.folder + "/" + name
        } else if place.key == nil {
            path = place.path + "/" + name
        } else {
            throw .full(path: source.folder)
        }
        do throws(DiskError) {
            try disk.createDirectory(path)
        } catch {
            throw BackupError(error)
        }
    }

    /// - Parameter isLeft: of a process's number, whether what it has made is nobody's any more.
    private static func removeLeft(in folder: String, where isLeft: (Substring) -> Bool) {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        where name.hasPrefix(prefix) && isLeft(name.dropFirst(prefix.count)) {
            try? FileManager.default.removeItem(atPath: folder + "/" + name)
        }
    }

    private static func hasEnded(_ number: Substring) -> Bool {
        guard let process = Int32(number), process > 0, process != getpid() else { return false }
        return kill(process, 0) != 0 && errno == ESRCH
    }

    func remove() { try? FileManager.default.removeItem(atPath: path) }
}
