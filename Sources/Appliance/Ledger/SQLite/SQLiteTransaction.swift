package import GRDB

/// A transaction on the connection of a queue.
package enum SQLiteTransaction: String {
    /// One snapshot for everything that is read.
    case snapshot = "BEGIN DEFERRED"
    case write = "BEGIN IMMEDIATE"
}

extension DatabaseQueue {
    /// Runs `body` in one transaction; whatever it throws, nothing of it is stored.
    ///
    /// GRDB's own `read` sets and takes back a pragma, after which SQLite compiles every statement
    /// of the connection anew: on the writer's connection also the wide ones that book. Nothing
    /// keeps the body of a snapshot from writing, then; its changes would be stored.
    package func inTransaction<Value>(
        _ transaction: SQLiteTransaction, _ body: (Database) throws -> Value
    ) throws -> Value {
        try writeWithoutTransaction { database in
            try LedgerStatement(again: database, transaction.rawValue).run()
            do {
                let value = try body(database)
                try LedgerStatement(again: database, "COMMIT").run()
                return value
            } catch {
                // SQLite has rolled back by itself after some errors, and then refuses to.
                _ = try? LedgerStatement(again: database, "ROLLBACK").run()
                throw error
            }
        }
    }
}
