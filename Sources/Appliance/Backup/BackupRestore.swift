import AppendLog
import Foundation
import Vocabulary

/// Restores a backup into an empty folder: all of it, or nothing. Blocking: call it off the
/// cooperative pool.
///
/// ```
/// folder made ─▶ marked ─▶ held ─▶ emptied ─▶ written, synced ─▶ compared ─▶ mark removed
/// ```
///
/// The mark is durable before anything else is in the folder, and goes when all the rest is: while
/// it is there no daemon starts on the folder. A process that dies leaves it, and the next restore
/// into the folder begins anew.
package struct BackupRestore {
    /// The file that says that the folder is not whole yet; empty.
    private static let marker = "restoring"
    /// What may be in the folder all the same: the root of a file system has the first, who holds
    /// the folder is noted in the second.
    private static let beside = ["lost+found", "holder"]
    /// Folders that a start makes before it refuses, and leaves empty.
    private static let madeByStarts = ["console", "features", "gate"]
    /// What a restore that was killed has left beside what the backup names.
    private static let leftovers = [
        "log", "ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm", "console", "gate",
        "features", "bridges", "archive", "format", "backup.json", "backup.json.part",
    ]

    let place: BackupPlace
    package let manifest: BackupManifest
    package let folder: String
    private let disk = PosixDisk()
    private let progress: (Int64, Int64, String) -> Void

    /// - Parameters:
    ///   - name: of the backup; nil for the newest.
    ///   - folder: is made where it is missing.
    /// - Throws: `.noBackup`, `.damaged`, `.newer`, `.disk`
    package init(
        from place: BackupPlace, name: String? = nil, into folder: String,
        progress: @escaping (Int64, Int64, String) -> Void = { _, _, _ in }
    ) throws(BackupError) {
        self.place = place
        manifest = try place.manifest(name)
        self.folder = folder
        self.progress = progress
    }

    private var mark: String { "\(folder)/\(Self.marker)" }

    /// Whether a restore into the folder has begun and not come to its end.
    package static func isUnfinished(in folder: String) -> Bool {
        access("\(folder)/\(marker)", F_OK) == 0
    }

    /// Writes every file and compares it with what was backed up. The mark stays until
    /// ``finish()``.
    ///
    /// - Parameter hold: keeps others out of the folder, which is there by then, and marked.
    /// - Throws: `.notEmpty`, `.noRoom`, `.damaged`, `.busy`, `.disk`, what `hold` throws; the
    ///   folder is then as it was, or, where an earlier restore has left something, empty.
    package func run(holding hold: () throws -> Void = {}) throws {
        let lock = try place.lockedForReading()
        defer { lock?.release() }
        // It may have been removed before this.
        guard try place.names().contains(manifest.name) else {
            throw BackupError.noBackup(path: place.path, name: manifest.name)
        }
        let made = try makeFolder()
        try refuseStrangers(whereMarked: Self.isUnfinished(in: folder))
        let isOwn = try putMark()
        do {
            try syncNames(of: made)
            try hold()
            // Another restore may have come to its end since the first look.
            try refuseStrangers(whereMarked: !isOwn && Self.isUnfinished(in: folder))
            for file in manifest.files where !place.isThere(file) {
                throw BackupError.damaged(
                    file: place.stored(file), reason: "it is missing, or has another size")
            }
        } catch {
            if isOwn { try? disk.remove(mark) }
            throw error
        }
        do {
            // Whoever was in the folder before may have taken the mark away.
            _ = try putMark()
            try empty()
            try checkRoom()
            try write()
        } catch {
            clear()
            guard let error = error as? DiskError else { throw error }
            if case .full = BackupError(error) { throw noRoom() }
            throw BackupError(error)
        }
    }

    // MARK: The folder

    /// Makes the folder, and those above it that are missing.
    ///
    /// - Returns: what it has made, the folder itself first.
    private func makeFolder() throws(BackupError) -> [String] {
        do throws(DiskError) {
            var (missing, path) = ([String](), folder)
            while try !disk.exists(path) {
                missing.append(path)
                path = Self.parent(of: path)
            }
            for path in missing.reversed() { try disk.createDirectory(path) }
            return missing
        } catch {
            throw error.code == ENOTDIR ? .notAFolder(path: folder) : BackupError(error)
        }
    }

    /// Makes the folder's name durable, and those of the others that were made: one that a power
    /// cut takes away again would be made anew by a start, as an empty box.
    private func syncNames(of made: [String]) throws(BackupError) {
        do throws(DiskError) {
            for path in made.dropLast() { try disk.syncDirectory(Self.parent(of: path)) }
        } catch {
            throw BackupError(error)
        }
        // The one that was there already may be one that only others read.
        try? disk.syncDirectory(Self.parent(of: made.last ?? folder))
    }

    private static func parent(of path: String) -> String {
        let parent = NSString(string: path).deletingLastPathComponent
        return parent.isEmpty ? "." : parent
    }

    /// Refuses a folder that holds what is not to be taken away.
    ///
    /// - Parameter isMarked: whether what a restore that was killed has left may be there.
    /// - Throws: `.notEmpty`, `.notAFolder`, `.disk`
    private func refuseStrangers(whereMarked isMarked: Bool) throws(BackupError) {
        let names: [String]
        var known = Set(Self.beside + [Self.marker])
        if isMarked {
            known.formUnion(Self.leftovers)
            known.formUnion(
                manifest.files.compactMap { $0.path.split(separator: "/").first.map(String.init) })
        }
        // A file of such a name, or a folder that cannot be looked into, is not to be taken away.
        known.formUnion(
            Self.madeByStarts.filter { (try? disk.list("\(folder)/\($0)"))?.isEmpty == true })
        do throws(DiskError) {
            names = try disk.list(folder).sorted()
        } catch {
            throw error.code == ENOTDIR ? .notAFolder(path: folder) : BackupError(error)
        }
        if let name = names.first(where: { !known.contains($0) }) {
            throw .notEmpty(path: folder, name: name)
        }
    }

    /// Makes the mark, where there is none, at once under its name, and makes it durable.
    ///
    /// - Returns: whether it is this restore's, and not one that an earlier restore has left.
    private func putMark() throws(BackupError) -> Bool {
        let descriptor = open(mark, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        let code = errno
        guard descriptor >= 0 || code == EEXIST else {
            throw BackupError(DiskError(operation: .open, path: mark, code: code))
        }
        if descriptor >= 0 { close(descriptor) }
        do {
            try disk.syncDirectory(folder)
        } catch {
            throw BackupError(error)
        }
        return descriptor >= 0
    }

    /// Takes away what a restore that was killed has left.
    private func empty() throws {
        let kept = Self.beside + [Self.marker]
        for name in try disk.list(folder) where !kept.contains(name) {
            try FileManager.default.removeItem(atPath: "\(folder)/\(name)")
        }
        try disk.syncDirectory(folder)
    }

    /// Takes away what was written. The mark goes last, and only when everything else has: a
    /// process that dies meanwhile leaves no part of a backup that a daemon would start on.
    private func clear() {
        do {
            try empty()
            try disk.remove(mark)
        } catch {
            // The mark stays, and says to restore again.
        }
    }

    private func checkRoom() throws {
        guard try disk.freeBytes(folder) > manifest.byteCount + DiskRoom.spareByteCount else {
            throw noRoom()
        }
    }

    private func noRoom() -> BackupError {
        .noRoom(
            path: folder, needed: manifest.byteCount, free: (try? disk.freeBytes(folder)) ?? 0)
    }

    private func write() throws {
        let total = manifest.byteCount
        var done: Int64 = 0
        var folders: Set<String> = [folder]
        for file in manifest.files {
            var parent = folder
            for part in file.path.split(separator: "/").dropLast() {
                parent += "/\(part)"
                if folders.insert(parent).inserted { try disk.createDirectory(parent) }
            }
            let target = try disk.open("\(folder)/\(file.path)", .create)
            var position: Int64 = 0
            try place.read(file) { piece in
                guard !Task.isCancelled else { throw CancellationError() }
                try target.writeAll(piece, at: position)
                position += Int64(piece.count)
                progress(done + position, total, file.path)
            }
            try target.sync()
            done += file.bytes
        }
        for folder in folders.sorted(by: >) { try disk.syncDirectory(folder) }
    }

    /// Says that the folder is whole: from then on a daemon may start on it.
    ///
    /// - Throws: `.disk`
    package func finish() throws(BackupError) {
        BackupNote(
            moment: Instant(seconds: manifest.moment / 1_000), name: manifest.name,
            folder: BackupNote.place(place.path), byteCount: manifest.byteCount,
            isEncrypted: place.key != nil
        ).write(in: folder)
        do throws(DiskError) {
            try disk.remove(mark)
            try disk.syncDirectory(folder)
        } catch {
            throw BackupError(error)
        }
    }
}

extension BackupPlace {
    /// Whether the folder's files are encrypted.
    package var isEncrypted: Bool { key != nil }

    /// Reads every file of a backup and compares it with what was backed up, while no other one is
    /// made that could remove it.
    ///
    /// - Parameter name: nil for the newest.
    /// - Throws: `.damaged` naming the first file that is something else, `.noBackup`, `.busy`,
    ///   `.disk`
    package func verify(
        _ name: String?, progress: (Int64, Int64, String) -> Void = { _, _, _ in }
    ) throws -> BackupManifest {
        let lock = try lockedForReading()
        defer { lock?.release() }
        let manifest = try manifest(name)
        try verify(manifest, progress: progress)
        return manifest
    }

    func verify(
        _ manifest: BackupManifest, progress: (Int64, Int64, String) -> Void = { _, _, _ in }
    ) throws {
        var done: Int64 = 0
        for file in manifest.files {
            var position: Int64 = 0
            try read(file) { piece in
                position += Int64(piece.count)
                progress(done + position, manifest.byteCount, file.path)
            }
            done += file.bytes
        }
    }
}
