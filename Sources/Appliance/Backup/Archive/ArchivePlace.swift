package import AppendLog
import Appliance
import Foundation

/// A data folder whose closed months are sealed, and the seals that it has.
///
/// ```
/// <data>/archive/2026-10.json   a seal each (MonthSeal)
///                lock           who seals or moves
/// <data>/log/cold               which segments have a copy elsewhere (ColdIndex)
/// ```
package struct ArchivePlace: Sendable {
    /// The data folder, absolute.
    package let folder: String
    let log: String
    let ledger: String
    /// The folder of the seals.
    let seals: String
    let disk: any Disk

    private static let suffix = ".json"

    /// All paths are absolute and lie below the folder.
    package init(
        folder: String, log: String, ledger: String, seals: String, disk: any Disk = PosixDisk()
    ) {
        self.folder = folder
        self.log = log
        self.ledger = ledger
        self.seals = seals
        self.disk = disk
    }

    /// Keeps other commands out until it is released, and makes the folder of the seals.
    ///
    /// - Throws: `.busy`, `.disk`, `.full`
    func locked() throws(ArchiveError) -> any DiskLock {
        do throws(DiskError) {
            if try !disk.exists(seals) {
                try disk.createDirectory(seals)
                try disk.syncDirectory(folder)
            }
        } catch {
            throw ArchiveError(error, writingInto: folder)
        }
        do throws(LockError) {
            return try disk.lock(seals, file: "lock")
        } catch {
            switch error {
            case .heldBy(let process): throw .busy(path: seals, by: process)
            case .disk(let error): throw .disk(error)
            }
        }
    }

    /// - Throws: `.noIdentity`; `LogError`
    func identity(of log: ReadOnlyLog) throws -> LogIdentity {
        guard let identity = log.identity else { throw ArchiveError.noIdentity(path: folder) }
        return identity
    }

    // MARK: Seals

    /// - Throws: `.sealDamaged` where a seal is another log's
    func refuse(_ seal: MonthSeal, unlessOf log: LogIdentity) throws(ArchiveError) {
        guard seal.log != log.description else { return }
        throw .sealDamaged(file: path(of: seal.month.name), reason: "it is of another log")
    }

    /// The months that have a seal, in order.
    package func months() throws(ArchiveError) -> [String] {
        do throws(DiskError) {
            guard try disk.exists(seals) else { return [] }
            return try disk.list(seals).filter { $0.hasSuffix(Self.suffix) }
                .map { String($0.dropLast(Self.suffix.count)) }.sorted()
        } catch {
            throw .disk(error)
        }
    }

    func path(of month: String) -> String { seals + "/" + month + Self.suffix }

    /// - Throws: `.sealDamaged`, `.sealNewer`, `.disk`
    func seal(of month: String) throws(ArchiveError) -> (seal: MonthSeal, digest: String) {
        let path = path(of: month)
        let bytes: [UInt8]
        do throws(DiskError) {
            let file = try disk.open(path, .read)
            bytes = try file.read(
                at: 0, count: Int(min(try file.size(), Int64(MonthSeal.bytesMax))))
        } catch {
            throw .disk(error)
        }
        let found = try MonthSeal.decode(bytes, at: path)
        guard found.seal.month.name == month else {
            throw .sealDamaged(file: path, reason: "it is of \(found.seal.month.name)")
        }
        return found
    }

    /// All seals, in order, each of which holds by itself and names the one before.
    ///
    /// - Throws: `.sealDamaged`, `.sealNewer`, `.disk`
    package func allSeals() throws(ArchiveError) -> [(seal: MonthSeal, digest: String)] {
        var found: [(seal: MonthSeal, digest: String)] = []
        for month in try months() {
            let next = try seal(of: month)
            if let reason = Self.fault(of: next.seal, after: found.last) {
                throw .sealDamaged(file: path(of: month), reason: reason)
            }
            found.append(next)
        }
        return found
    }

    /// Why a seal does not follow the one before it; nil where it does.
    static func fault(
        of seal: MonthSeal, after last: (seal: MonthSeal, digest: String)?
    ) -> String? {
        guard seal.before == last?.digest else {
            return "it does not name the seal of the month before"
        }
        guard let last else { return nil }
        if seal.log != last.seal.log { return "it is of another log" }
        if seal.month.from != last.seal.month.to { return "a month before it has no seal" }
        let ends = Dictionary(
            last.seal.reaches.map { ($0.topic, $0.end) }, uniquingKeysWith: { first, _ in first })
        let isNext = seal.reaches.allSatisfy { $0.start == ends[$0.topic] ?? $0.start }
        return isNext ? nil : "it does not begin where the one before it ends"
    }

    /// Puts a seal in its place, durably.
    func keep(_ seal: MonthSeal) throws(ArchiveError) {
        do {
            try disk.put(seal.encoded(), at: path(of: seal.month.name), in: seals)
        } catch {
            throw ArchiveError(error, writingInto: seals)
        }
    }
}
