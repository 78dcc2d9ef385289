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
    /// The SQLite library of this machine is older than what the ledger's statements need.
    case oldSQLite(found: String, needed: String)
    /// The file has no ledger in it, and a read-only opening does not make one.
    case noSchema
    /// The database refused what the rules produced: a bug in the rules or a foreign writer. Stop.
    case invariant(code: Int32, detail: String)
    /// The database server said something that no other case is for; `detail` says what to do.
    case server(state: String?, detail: String, isRetryable: Bool)
    /// The connection to the database server was lost at the commit, and it could not be asked
    /// since. Read the positions before doing anything else.
    case outcomeUnknown(detail: String)
    /// A position would go backwards: two writers, or a log that was cut. Stop.
    case positionWentBack(topic: String, stored: Int64, given: Int64)
    /// What a copy would book is not what the ledger that it copies has. Nothing was stored.
    case differsFromOriginal(what: String)

    /// Whether the same call may succeed later without anybody's help but space or time.
    package var isRetryable: Bool {
        switch self {
        case .diskFull, .busy, .outOfMemory, .outcomeUnknown: true
        case .server(_, _, let isRetryable): isRetryable
        case .io, .corrupt, .cannotOpen, .notCopied, .newerSchema, .olderSchema, .oldSQLite,
            .noSchema, .invariant, .positionWentBack, .differsFromOriginal:
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
            "ledger.sqlite is damaged (\(Self.words(code, detail))); run `tillbox ledger verify` "
                + "and restore a backup"
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
        case .oldSQLite(let found, let needed):
            "the SQLite library here is \(found), and the ledger needs \(needed) or newer; install "
                + "that one (libsqlite3-0)"
        case .noSchema: "ledger.sqlite holds no ledger; start the daemon once to make one"
        case .invariant(let code, let detail):
            "the ledger refused a transaction (\(Self.words(code, detail))); run `tillbox ledger "
                + "verify`"
        case .server(_, let detail, _): detail
        case .outcomeUnknown(let detail): detail
        case .positionWentBack(let topic, let stored, let given):
            "the ledger has read \(topic) up to \(stored) and was asked to go back to \(given); "
                + "check that log/ and ledger.sqlite belong together"
        case .differsFromOriginal(let what):
            "the copy of the ledger comes to something else than the ledger: \(what); run "
                + "`tillbox ledger verify` and `tillbox replay`"
        }
    }

    /// SQLite's code where it is SQLite that says so; 0 is our own finding.
    private static func words(_ code: Int32, _ detail: String) -> String {
        code == 0 ? detail : "SQLite code \(code): \(detail)"
    }
}
