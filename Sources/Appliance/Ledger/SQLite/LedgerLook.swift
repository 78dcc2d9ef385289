internal import Foundation
internal import GRDB

/// What a start finds where the ledger should be.
enum LedgerLook {
    /// No file, an empty one, or one in which no ledger was made yet.
    case missing
    /// Not to be written to; says what is wrong.
    case malformed(String)
    /// Open for reading.
    case found(SQLiteLedgerReader)
}

/// A note beside a ledger that was found damaged while the daemon ran: the next starts have SQLite
/// check the whole file, however large it is, so that they come to the same verdict.
package struct LedgerSuspicion: Sendable {
    private let path: String

    /// - Parameter ledger: the path of `ledger.sqlite`.
    package init(of ledger: String) { path = ledger + ".suspected" }

    var exists: Bool { FileManager.default.fileExists(atPath: path) }

    /// Best effort: the disk may be what is broken.
    package func note(_ error: LedgerError) {
        try? Data("\(error)\n".utf8).write(to: URL(filePath: path), options: .atomic)
    }

    package func clear() { try? FileManager.default.removeItem(atPath: path) }
}

extension SQLiteLedgerReader {
    /// Opens the ledger for reading and looks whether it can be written to. Nothing is changed, not
    /// even the files that SQLite keeps beside it, unless a write-ahead log has to be read.
    ///
    /// - Parameter isHeld: whether nobody else can be writing to it.
    /// - Throws: `.newerSchema`, `.cannotOpen`, `.busy` and the like; damage is returned.
    static func look(at path: String, isHeld: Bool) throws(LedgerError) -> LedgerLook {
        guard byteCount(path) > 0 else { return .missing }
        // Whoever has the ledger open has its shared memory beside it, also before it writes.
        let isAlone =
            byteCount(path + "-wal") == 0
            && (isHeld || !FileManager.default.fileExists(atPath: path + "-shm"))
        let ledger: SQLiteLedgerReader
        do throws(LedgerError) {
            ledger = try open(path: isAlone ? immutable(path) : path)
        } catch {
            switch error {
            case .noSchema: return .missing
            case .corrupt(_, let detail): return .malformed(detail)
            case .io(let code): return .malformed("SQLite code \(code)")
            default: throw error
            }
        }
        do throws(LedgerError) {
            let (page, due) = try ledger.byteCounts()
            let count = byteCount(path)
            // Pages may be in the write-ahead log alone; but the file ends with a whole one.
            let isCut = count % page != 0 || isAlone && count < due
            let fault =
                isCut
                ? "\(count) of \(due) bytes" : try ledger.quickFault(
                    wholeFile: LedgerSuspicion(of: path).exists)?.description
            guard let fault else { return .found(ledger) }
            try ledger.close()
            return .malformed(fault)
        } catch {
            try? ledger.close()
            switch error {
            case .corrupt(_, let detail), .invariant(_, let detail): return .malformed(detail)
            case .io(let code): return .malformed("SQLite code \(code)")
            default: throw error
            }
        }
    }

    /// Of a page, and of all pages.
    private func byteCounts() throws(LedgerError) -> (page: Int64, pages: Int64) {
        try reading { database in
            let page = try Int64.fetchOne(database, sql: "PRAGMA page_size") ?? 0
            let count = try Int64.fetchOne(database, sql: "PRAGMA page_count") ?? 0
            return (max(1, page), page * count)
        }
    }

    /// A URI under which SQLite takes the file as it is, and makes none beside it.
    private static func immutable(_ path: String) -> String {
        let encoded = path.addingPercentEncoding(withAllowedCharacters: .urlPathAllowed) ?? path
        return "file:\(encoded)?immutable=1"
    }

    private static func byteCount(_ path: String) -> Int64 {
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        return (attributes?[.size] as? NSNumber)?.int64Value ?? 0
    }
}
