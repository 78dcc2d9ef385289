/// What can go wrong between the ledger and its file. Numbers are SQLite's extended result codes.
package enum LedgerError: Error, Hashable, Sendable {
    /// The disk is full. Nothing of the batch was stored; retry it when there is space.
    case diskFull
    /// Another process kept the file locked for longer than the busy time-out. Retry.
    case busy
    /// The process ran out of memory in SQLite. Retry with a smaller batch.
    case outOfMemory
    /// Reading or writing the file failed. Stop; look at the disk; open again.
    case io(code: Int32)
    /// The file is not a ledger or is damaged. Stop; run `tillbox ledger verify`; restore a backup.
    case corrupt(code: Int32, detail: String)
    /// The file cannot be opened or written: a missing folder, or permissions.
    case cannotOpen(code: Int32, path: String)
    /// The file lies where nobody can write, and there was no room for the copy that it is read
    /// from.
    case notCopied(path: String, to: String)
    /// The file was made by a newer Tillbox. Start that one, or restore an older backup.
    case newerSchema(found: Int64, known: Int64)
    /// The file was last written by an earlier Tillbox, and knows nothing of what was asked. Start
    /// the daemon once: it brings the file to this schema.
    case olderSchema(found: Int64, needed: Int64)
    /// The file has no ledger in it, and a read-only opening does not make one.
    case noSchema
    /// The database refused what the rules produced: a bug in the rules or a foreign writer. Stop.
    case invariant(code: Int32, detail: String)
    /// A position would go backwards: two writers, or a log that was cut. Stop.
    case positionWentBack(topic: String, stored: Int64, given: Int64)

    /// Whether the same call may succeed later without anybody's help but space or time.
    package var isRetryable: Bool {
        switch self {
        case .diskFull, .busy, .outOfMemory: true
        case .io, .corrupt, .cannotOpen, .notCopied, .newerSchema, .olderSchema, .noSchema,
            .invariant,
            .positionWentBack:
            false
        }
    }
}

extension LedgerError: CustomStringConvertible {
    /// One sentence for the operator: what happened, and what to do.
    package var description: String {
        switch self {
        case .diskFull:
            "the disk of ledger.sqlite is full; free some space: a daemon that runs goes on by "
                + "itself, and what has ended is to be started again"
        case .busy: "another process holds ledger.sqlite locked; close it and try again"
        case .outOfMemory: "SQLite ran out of memory; raise the memory limit"
        case .io(let code):
            "reading or writing ledger.sqlite failed (SQLite code \(code)); check the disk"
        case .corrupt(let code, let detail):
            "ledger.sqlite is damaged (SQLite code \(code): \(detail)); run `tillbox ledger "
                + "verify` and restore a backup"
        case .cannotOpen(let code, let path):
            "cannot open \(path) (SQLite code \(code)); check that the folder exists and is "
                + "writable"
        case .notCopied(let path, let copy):
            "\(path) lies where nothing can be written, and it could not be copied to \(copy) to "
                + "be read; free some space there, name another place in TMPDIR, or copy the whole "
                + "folder to where it can be written"
        case .newerSchema(let found, let known):
            "ledger.sqlite has schema \(found) and this program knows \(known); start a newer "
                + "tillbox"
        case .olderSchema(let found, let needed):
            "ledger.sqlite has schema \(found), of a release that did not keep this; start the "
                + "daemon once, which brings it to schema \(needed)"
        case .noSchema: "ledger.sqlite holds no ledger; start the daemon once to make one"
        case .invariant(let code, let detail):
            "the ledger refused a transaction (SQLite code \(code): \(detail)); run `tillbox "
                + "ledger verify`"
        case .positionWentBack(let topic, let stored, let given):
            "the ledger has read \(topic) up to \(stored) and was asked to go back to \(given); "
                + "check that log/ and ledger.sqlite belong together"
        }
    }
}
