package import AppendLog
import Bridges
import Foundation
import Vocabulary

/// A folder of backups of one data folder; on any file system, a mounted bucket too.
///
/// ```
/// <folder>/tillbox-backups        whose they are: text, see below
///          backups/<name>         a manifest each (BackupManifest), written last
///          files/<path>.<digest>  what they are made of; backups share what has not changed
///          lock                   who is writing
/// ```
///
/// `tillbox-backups`, put in its place by a rename before anything else:
///
/// ```
/// tillbox-backups 1
/// log <the log's identity>
/// key <32 hex digits by which the key is known, or -, where nothing is encrypted>
/// ```
///
/// A file never changes once it has its name. So a process that dies, or a disk that fills up,
/// leaves every complete backup as it was; what no manifest names is removed by the next one.
package struct BackupPlace: Sendable {
    package let path: String
    let disk: any Disk
    let key: BackupKey?
    /// The identity of the log that the backups are of.
    package let log: String

    static let owner = "tillbox-backups"
    static let format: Int64 = 1
    static let partSuffix = ".part"
    private var manifests: String { path + "/backups" }
    private var files: String { path + "/files" }

    // MARK: Opening

    /// Opens a folder that has backups.
    ///
    /// - Throws: `.notAFolder`, `.notABackup`, `.newer`, `.keyMissing`, `.keyNotUsed`, `.wrongKey`.
    package init(
        existingAt path: String, key: BackupKey?, disk: any Disk = PosixDisk()
    ) throws(BackupError) {
        guard let owner = try Self.owner(of: path, disk) else {
            let isFolder = (try? disk.list(path)) != nil
            throw isFolder
                ? BackupError.notABackup(path: path) : BackupError.notAFolder(path: path)
        }
        try self.init(path, owner, key, disk)
    }

    /// Opens the folder for the backups of a log, and makes it where it is missing or empty.
    ///
    /// - Throws: as the other one; `.otherLog`, `.disk`, `.full`.
    package init(
        at path: String, of log: String, key: BackupKey?, disk: any Disk = PosixDisk()
    ) throws(BackupError) {
        do throws(DiskError) {
            try disk.createDirectory(path)
        } catch {
            throw error.code == ENOTDIR
                ? BackupError.notAFolder(path: path) : BackupError(error)
        }
        if let owner = try Self.owner(of: path, disk) {
            guard owner.log == log else {
                throw .otherLog(path: path, holds: owner.log, given: log)
            }
            try self.init(path, owner, key, disk)
            return
        }
        let own = ["lost+found", "lock", Self.owner + Self.partSuffix]
        guard let names = try? disk.list(path) else { throw .notAFolder(path: path) }
        guard names.allSatisfy(own.contains) else { throw .notABackup(path: path) }
        let check = key?.check ?? "-"
        let text = "\(Self.owner) \(Self.format)\nlog \(log)\nkey \(check)\n"
        do throws(DiskError) {
            try disk.put(Array(text.utf8), at: path + "/" + Self.owner, in: path)
        } catch {
            throw BackupError(error, writingInto: path)
        }
        try self.init(path, (log, check), key, disk)
    }

    /// Whether something there says whose the backups are.
    static func exists(at path: String) -> Bool {
        FileManager.default.fileExists(atPath: path + "/" + owner)
    }

    private typealias Owner = (log: String, key: String)

    private init(
        _ path: String, _ owner: Owner, _ key: BackupKey?, _ disk: any Disk
    ) throws(BackupError) {
        switch (owner.key, key) {
        case ("-", .none): break
        case ("-", .some): throw .keyNotUsed(path: path)
        case (_, .none): throw .keyMissing(path: path)
        case (let known, .some(let key)):
            guard known == key.check else { throw .wrongKey(path: path) }
        }
        (self.path, self.disk, self.key, log) = (path, disk, key, owner.log)
    }

    /// nil where nothing says whose the folder is.
    private static func owner(
        of path: String, _ disk: any Disk
    ) throws(BackupError) -> Owner? {
        let place = path + "/" + owner
        guard let file = try? disk.open(place, .read), let bytes = try? file.read(at: 0, count: 512)
        else { return nil }
        let words = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
            .map { $0.split(separator: " ").map(String.init) }
        guard words.first?.first == owner, words[0].count == 2, let format = Int64(words[0][1])
        else { return nil }
        guard format <= Self.format else {
            throw .newer(path: path, format: format, known: Self.format)
        }
        guard words.count == 3, words[1].count == 2, words[1][0] == "log", words[2].count == 2,
            words[2][0] == "key"
        else { throw .damaged(file: place, reason: "it does not say whose the backups are") }
        return (words[1][1], words[2][1])
    }

    /// Keeps a second backup out until it is released.
    ///
    /// - Throws: `.busy`, `.disk`
    func locked() throws(BackupError) -> any DiskLock {
        do throws(LockError) {
            return try disk.lock(path, file: "lock")
        } catch {
            switch error {
            case .heldBy(let process): throw .busy(path: path, by: process)
            case .disk(let error): throw BackupError(error)
            }
        }
    }

    /// Keeps backups from being removed while one is read, as ``locked()``; nil where that cannot
    /// be: a mount that nobody can write to, or a copy of the folder that nobody has written to.
    ///
    /// - Throws: `.busy`
    func lockedForReading() throws(BackupError) -> (any DiskLock)? {
        // Made by a reader, it might be one that the writer cannot open.
        guard (try? disk.exists(path + "/lock")) == true else { return nil }
        do throws(BackupError) {
            return try locked()
        } catch {
            if case .busy = error { throw error }
            return nil
        }
    }

    // MARK: Reading

    /// Names of the complete backups, the newest first. What else lies among them, such as what a
    /// person has put there, is none and is left alone.
    package func names() throws(BackupError) -> [String] {
        do throws(DiskError) {
            guard try disk.exists(manifests) else { return [] }
            return try disk.list(manifests).filter { BackupName.moment(of: $0) != nil }
                .sorted(by: >)
        } catch {
            throw BackupError(error)
        }
    }

    /// - Parameter name: nil for the newest.
    /// - Throws: `.noBackup`, `.damaged`, `.newer`, `.disk`
    package func manifest(_ name: String?) throws(BackupError) -> BackupManifest {
        let names = try names()
        guard let chosen = name ?? names.first, names.contains(chosen) else {
            throw .noBackup(path: path, name: name)
        }
        let place = manifests + "/" + chosen
        var bytes: [UInt8] = []
        var reader = try StoredFileReader(place, name: "backups/" + chosen, key: key, on: disk)
        while let piece = try reader.next() {
            bytes += piece
            guard bytes.count < BackupManifest.bytesMax else {
                throw .damaged(file: place, reason: "it is too long for a manifest")
            }
        }
        let manifest = try BackupManifest(decoding: bytes, at: place, digest: Self.digest)
        guard manifest.name == chosen, manifest.log == log else {
            throw .damaged(file: place, reason: "it is another backup's")
        }
        return manifest
    }

    static func digest(_ bytes: [UInt8]) -> String { String(hex: SHA256.digest(bytes[...])) }

    func stored(_ file: BackupManifest.File) -> String { files + "/" + file.stored }

    /// Whether the stored file is there with the bytes that it must have.
    func isThere(_ file: BackupManifest.File) -> Bool {
        guard let opened = try? disk.open(stored(file), .read), let size = try? opened.size()
        else { return false }
        return size == StoredForm.byteCount(of: file.bytes, isSealed: key != nil)
    }

    /// Reads a file of a backup whole.
    ///
    /// - Throws: `.damaged`, `.disk`; what `body` throws.
    func read(
        _ file: BackupManifest.File, _ body: ([UInt8]) throws -> Void = { _ in }
    ) throws {
        var reader = try StoredFileReader(stored(file), name: file.path, key: key, on: disk)
        try reader.readAll(byteCount: file.bytes, digest: file.digest, body)
    }

    // MARK: Writing

    /// Stores a file under a name of its content, durably but for its folder's entry, then reads
    /// it again and compares.
    ///
    /// - Parameter content: hands over the bytes, piece by piece.
    /// - Throws: `.disk`, `.full`, `.damaged` where what is read is not what was written.
    func store(
        _ name: String, _ content: ((inout StoredFileWriter) throws -> Void)
    ) throws -> BackupManifest.File {
        let folder = try folder(of: name)
        let part = files + "/" + name + Self.partSuffix
        do {
            var writer = try StoredFileWriter(part, name: name, key: key, on: disk)
            try content(&writer)
            let digest = try writer.finish()
            let file = BackupManifest.File(
                path: name, stored: "\(name).\(digest.prefix(16))", bytes: writer.byteCount,
                digest: digest)
            var reader = try StoredFileReader(part, name: name, key: key, on: disk)
            try reader.readAll(byteCount: file.bytes, digest: digest)
            try disk.rename(part, to: stored(file))
            try disk.syncDirectory(folder)
            return file
        } catch {
            try? disk.remove(part)
            if let error = error as? DiskError { throw BackupError(error, writingInto: path) }
            throw error
        }
    }

    /// The folder of a stored file, made where it is missing.
    private func folder(of name: String) throws(BackupError) -> String {
        do throws(DiskError) {
            var folder = files
            try makeFolder(folder, in: path)
            for part in name.split(separator: "/").dropLast() {
                let parent = folder
                folder += "/" + part
                try makeFolder(folder, in: parent)
            }
            return folder
        } catch {
            throw BackupError(error, writingInto: path)
        }
    }

    private func makeFolder(_ folder: String, in parent: String) throws(DiskError) {
        guard try !disk.exists(folder) else { return }
        try disk.createDirectory(folder)
        try disk.syncDirectory(parent)
    }

    /// Makes the backup complete: nothing of it counts before this returns.
    func complete(_ manifest: BackupManifest) throws(BackupError) {
        let name = manifest.name
        let part = manifests + "/" + name + Self.partSuffix
        do throws(DiskError) {
            try makeFolder(manifests, in: path)
            var writer = try StoredFileWriter(part, name: "backups/" + name, key: key, on: disk)
            try writer.write(manifest.encoded(digest: Self.digest))
            _ = try writer.finish()
            try disk.rename(part, to: manifests + "/" + name)
            try disk.syncDirectory(manifests)
        } catch {
            try? disk.remove(part)
            throw BackupError(error, writingInto: path)
        }
    }

    // MARK: Removing

    /// Removes the backups before the newest `count`, and every file that no other one names.
    /// Nothing is removed where a manifest cannot be read: nobody knows what it names.
    ///
    /// - Returns: how many backups went.
    func prune(keeping count: Int) throws(BackupError) -> Int {
        let names = try names()
        var needed: Set<String> = []
        for name in names.prefix(max(1, count)) {
            needed.formUnion(try manifest(name).files.map(\.stored))
        }
        do throws(DiskError) {
            let old = names.dropFirst(max(1, count))
            for name in old { try disk.remove(manifests + "/" + name) }
            if !old.isEmpty { try disk.syncDirectory(manifests) }
            for part in (try? disk.list(manifests)) ?? [] where part.hasSuffix(Self.partSuffix) {
                try disk.remove(manifests + "/" + part)
            }
            try removeFiles(but: needed, in: "")
            return old.count
        } catch {
            throw BackupError(error)
        }
    }

    private func removeFiles(but needed: Set<String>, in folder: String) throws(DiskError) {
        guard let names = try? disk.list(files + folder) else { return }
        for name in names {
            let below = String((folder + "/" + name).dropFirst())
            guard !needed.contains(below) else { continue }
            do throws(DiskError) {
                try disk.remove(files + "/" + below)
            } catch {
                // A folder cannot be removed so, and has names below it.
                guard (try? disk.list(files + "/" + below)) != nil else { throw error }
                try removeFiles(but: needed, in: "/" + below)
            }
        }
    }
}

extension Disk {
    /// Puts a small file in its place, durably: whoever looks sees the one before, or all of it.
    package func put(
        _ bytes: [UInt8], at path: String, in folder: String
    ) throws(DiskError) {
        let part = path + BackupPlace.partSuffix
        let file = try open(part, .create)
        try file.writeAll(bytes, at: 0)
        try file.sync()
        try rename(part, to: path)
        try syncDirectory(folder)
    }
}
