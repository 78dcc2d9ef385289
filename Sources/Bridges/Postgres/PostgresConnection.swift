internal import Foundation

/// One connection to a Postgres server.
///
/// Every call blocks until the server has answered, or for the reply time-out; call it on a thread
/// of its own, one at a time. Once a call has thrown an error that `losesConnection`, only `close`
/// is of use.
public final class PostgresConnection {
    /// nil once closed.
    private var handle: PostgresHandle?
    private let notices: PostgresNotices
    /// As the connection was made, and as it is until the transaction ends.
    private let ownReplyTimeout: Duration
    private var replyTimeout: Duration
    /// How often the server was asked and has answered.
    public private(set) var roundTrips = 0
    /// Names of prepared statements.
    private var prepared: [Prepared: String] = [:]

    private struct Prepared: Hashable {
        var sql: String
        var types: [UInt32]
    }

    /// Statements that stay prepared, at most; further ones are prepared anew each time.
    static let preparedMax = 256

    private init(
        _ handle: PostgresHandle, _ notices: PostgresNotices, replyTimeout: Duration
    ) {
        self.handle = handle
        self.notices = notices
        self.replyTimeout = replyTimeout
        ownReplyTimeout = replyTimeout
    }

    /// Connects, and tells the server the time-outs.
    ///
    /// - Parameter notice: what the server says beside its answers.
    /// - Throws: `.configuration`, `.noPassword`, `.cannotConnect`; and what `execute` throws where
    ///   the server does not take the time-outs.
    public static func connect(
        _ configuration: PostgresConfiguration,
        notice: @escaping @Sendable (PostgresNotice) -> Void = { _ in }
    ) throws(PostgresError) -> PostgresConnection {
        try PostgresURI.check(configuration.uri)
        let notices = PostgresNotices(notice)
        let handle = try PostgresHandle.connect(
            configuration.keywords(password: try PostgresPassword.of(configuration)),
            within: configuration.connectTimeout, notices)
        let connection = PostgresConnection(
            handle, notices, replyTimeout: configuration.replyTimeout)
        try connection.execute(configuration.sessionSettings)
        return connection
    }

    /// Whether the connection stands, as far as was seen: a server that hangs is not noticed by it.
    public var isUsable: Bool { handle?.isUsable ?? false }
    /// Whether TLS is in use.
    public var isEncrypted: Bool { handle?.isEncrypted ?? false }
    /// The server's process, as `pg_stat_activity` has it.
    public var processID: Int32 { handle?.processID ?? 0 }

    /// Idempotent. An open transaction is rolled back by the server.
    public func close() { handle = nil }

    // MARK: Statements

    /// Runs one or more statements without parameters; without `BEGIN` among them they are one
    /// transaction. COPY is none of them.
    ///
    /// - Throws: the first error; what stands behind it did not run.
    public func execute(_ script: String) throws(PostgresError) {
        let handle = try usable()
        try handle.send(script)
        _ = try rows(of: try answers(handle))
    }

    /// Runs one statement.
    ///
    /// - Parameters:
    ///   - values: for `$1`, `$2` …
    ///   - kept: whether the server keeps it prepared for the next time. For a text that comes
    ///     again and again.
    public func query(
        _ sql: String, _ values: [PostgresValue] = [], kept: Bool = false
    ) throws(PostgresError) -> PostgresAnswer {
        let handle = try usable()
        if kept, let name = try prepare(sql, values, handle) {
            try handle.send(prepared: name, values)
        } else {
            try handle.send(sql, values)
        }
        let answers = try answers(handle)
        guard let rows = try rows(of: answers) else {
            throw .malformedAnswer("no result of \(sql.prefix(60))")
        }
        return rows
    }

    private func prepare(
        _ sql: String, _ values: [PostgresValue], _ handle: PostgresHandle
    ) throws(PostgresError) -> String? {
        let key = Prepared(sql: sql, types: values.map(\.type))
        if let name = prepared[key] { return name }
        guard prepared.count < Self.preparedMax else { return nil }
        let name = "s\(prepared.count + 1)"
        try handle.sendPrepare(name, sql, values)
        _ = try rows(of: try answers(handle))
        prepared[key] = name
        return name
    }

    private func answers(
        _ handle: PostgresHandle
    ) throws(PostgresError) -> [PostgresHandle.Answer] {
        roundTrips += 1
        return try handle.answers(within: patience)
    }

    private var patience: Duration { replyTimeout + replyTimeout / 4 }

    /// Another reply time-out until the open transaction ends, for statements that take long.
    public func wait(atMost limit: Duration) throws(PostgresError) {
        try execute("SET LOCAL statement_timeout = \(limit.postgresMilliseconds)")
        replyTimeout = limit
    }

    private func usable() throws(PostgresError) -> PostgresHandle {
        guard let handle else { throw .connectionLost(sqlState: nil, detail: "it was closed") }
        return handle
    }

    /// The last rows, or the first error.
    private func rows(
        of answers: [PostgresHandle.Answer]
    ) throws(PostgresError) -> PostgresAnswer? {
        var last: PostgresAnswer?
        for answer in answers {
            switch answer {
            case .rows(let rows): last = rows
            case .failed(let error): throw error
            }
        }
        return last
    }
}

// MARK: - Transactions

extension PostgresConnection {
    /// Begins a transaction of which each statement sees what others have committed before it: so
    /// who has waited for a lock sees what its holder wrote, whatever isolation the server takes
    /// where none is named (`default_transaction_isolation`).
    public static let beginning = "BEGIN ISOLATION LEVEL READ COMMITTED"

    /// Begins such a transaction, which `commit` or `rollBack` ends.
    public func begin() throws(PostgresError) { try execute(Self.beginning) }

    /// - Throws: `.outcomeUnknown` where it cannot be known whether the transaction is stored;
    ///   after any other error nothing of it is.
    public func commit() throws(PostgresError) {
        defer { replyTimeout = ownReplyTimeout }
        let rows: PostgresAnswer
        do throws(PostgresError) {
            rows = try query("COMMIT")
        } catch {
            throw error.atCommit
        }
        // The server answers so, and no error, where a statement before has failed.
        guard rows.command == "COMMIT" else {
            throw .refused(
                PostgresServerError(
                    sqlState: "25P02", severity: "ERROR",
                    message: "the transaction had failed before, and was rolled back"))
        }
    }

    /// Never fails: a connection that cannot roll back is closed, and the server does.
    public func rollBack() {
        defer { replyTimeout = ownReplyTimeout }
        do throws(PostgresError) {
            try execute("ROLLBACK")
        } catch {
            close()
        }
    }

    /// Runs `body` in one transaction.
    ///
    /// - Throws: what `body` throws, with nothing stored; and what `commit` throws.
    public func transaction<Value>(
        _ body: (PostgresConnection) throws -> Value
    ) throws -> Value {
        try begin()
        do {
            let value = try body(self)
            try commit()
            return value
        } catch {
            rollBack()
            throw error
        }
    }
}

/// Where the password comes from at one connect.
enum PostgresPassword {
    /// A password's file may have this many bytes; an access token has a thousand.
    private static let fileBytesMax = 64 * 1024

    /// - Returns: nil where the URI says it, or nobody.
    static func of(_ configuration: PostgresConfiguration) throws(PostgresError) -> String? {
        if let password = configuration.password {
            do {
                return try checked(try password())
            } catch let error as PostgresError {
                throw error
            } catch {
                // Whoever made it may have put anything into its description.
                throw .noPassword("asking for it failed with \(type(of: error))")
            }
        }
        guard let path = configuration.passwordFile else { return nil }
        guard let file = FileHandle(forReadingAtPath: path) else {
            throw .noPassword("the file \(path) cannot be read")
        }
        let bytes = (try? file.read(upToCount: fileBytesMax)) ?? nil
        let line = (bytes ?? Data()).prefix { $0 != 0x0A && $0 != 0x0D }
        return try checked(String(decoding: line, as: UTF8.self))
    }

    private static func checked(_ password: String) throws(PostgresError) -> String {
        guard !password.isEmpty else { throw .noPassword("it is empty") }
        guard !password.contains("\0") else { throw .noPassword("it has a zero byte in it") }
        return password
    }
}
