import AppendLog
import Foundation
import Vocabulary

/// Restores a backup into an empty folder: all of it, or nothing. Blocking: call it off the
/// cooperative pool.
///
/// While it writes, the folder holds a marker that keeps a daemon from starting on it; a process
/// that dies leaves it there.
package struct BackupRestore {
    /// The file that says that the folder is not whole yet.
    private static let marker = "restoring"
    /// What is to stay free beside what is restored: the daemon writes at once.
    private static let spareByteCount: Int64 = 64 << 20

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

    /// Whether a restore into the folder has begun and not come to its end.
    package static func isUnfinished(in folder: String) -> Bool {
        access("\(folder)/\(marker)", F_OK) == 0
    }

    /// Writes every file and compares it with what was backed up. The marker stays until
    /// ``finish()``.
    ///
    /// - Throws: `.notEmpty`, `.halfRestored`, `.full`, `.damaged`, `.busy`, `.disk`; the folder is
    ///   then as empty as it was.
    package func run() throws {
        let lock = try place.lockedForReading()
        defer { lock?.release() }
        // It may have been removed before this.
        guard try place.names().contains(manifest.name) else {
            throw BackupError.noBackup(path: place.path, name: manifest.name)
        }
        try checkTarget()
        for file in manifest.files where !place.isThere(file) {
            throw BackupError.damaged(
                file: place.stored(file), reason: "it is missing, or has another size")
        }
        do {
            try disk.put([], at: "\(folder)/\(Self.marker)", in: folder)
            try write()
        } catch {
            clear()
            if let error = error as? DiskError {
                throw BackupError(error, writingInto: folder)
            }
            throw error
        }
    }

    private func checkTarget() throws(BackupError) {
        do {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
        } catch {
            throw .notAFolder(path: folder)
        }
        let names: [String]
        let free: Int64
        do throws(DiskError) {
            // The root of a file system has one; the other is a marker that was not put yet.
            let own = ["lost+found", Self.marker + BackupPlace.partSuffix]
            names = try disk.list(folder).filter { !own.contains($0) }.sorted()
            free = try disk.freeBytes(folder)
        } catch {
            throw BackupError(error)
        }
        if names.contains(Self.marker) { throw .halfRestored(path: folder) }
        if let name = names.first { throw .notEmpty(path: folder, name: name) }
        guard free > manifest.byteCount + Self.spareByteCount else { throw .full(path: folder) }
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

    /// Takes away what was written: the folder was empty before. The marker goes last, and only
    /// when everything else has: a process that dies meanwhile leaves no part of a backup that a
    /// daemon would start on.
    private func clear() {
        let own = ["lost+found", Self.marker]
        do {
            for name in try disk.list(folder) where !own.contains(name) {
                try FileManager.default.removeItem(atPath: "\(folder)/\(name)")
            }
            try disk.syncDirectory(folder)
            try disk.remove("\(folder)/\(Self.marker)")
        } catch {
            // The marker stays, and says to remove the folder.
        }
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
            try disk.remove("\(folder)/\(Self.marker)")
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
