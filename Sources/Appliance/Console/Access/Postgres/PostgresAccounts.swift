package import Bridges
import Foundation

/// The accounts of the cloud plane: in Postgres, in the schema `tillbox_console`, the same for
/// every instance of the console. An account, a session or a token that one of them ends is over
/// at the next request to any.
///
/// Blocking. It has one connection, made when it is needed, and made anew after it was lost: what
/// only reads is asked once more then, and so is a change of which nothing can be stored. Changes
/// go one at a time, those of all instances, as in the file of one machine.
package final class PostgresAccounts: AccountStore, @unchecked Sendable {
    // `@unchecked Sendable`: `open` and `silence` are touched only under `lock`.
    private let lock = NSLock()
    private let configuration: PostgresConfiguration
    private var open: PostgresConnection?
    /// Whoever waited behind a call that had no answer fails as that one did.
    private var silence = PostgresSilence()

    /// Of `pg_advisory_xact_lock`: one changes something at a time. The bytes of "tillacc".
    private static let writing: Int64 = 0x0074_696C_6C61_6363
    /// A link by which nobody has come in for so long gives way to that of the next start.
    static let setupMilliseconds: Int64 = 3_600_000

    package let trouble: String? = nil
    package let remedy = "look whether Postgres answers"

    /// Connects, and looks whether `ConsoleSchema.migrate` was there.
    ///
    /// - Throws: ``AccountsFailure``.
    package init(_ configuration: PostgresConfiguration) throws {
        self.configuration = configuration
        _ = try locked { try connection() }
    }

    package var throttle: any LoginThrottling { PostgresThrottle(store: self) }

    package func close() {
        lock.withLock {
            open?.close()
            open = nil
        }
    }

    package func read<Value>(_ body: (any AccountTables) throws -> Value) throws -> Value {
        try run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", body) { $0.rollBack() }
    }

    package func write<Value>(_ body: (any AccountTables) throws -> Value) throws -> Value {
        try run(
            "\(PostgresConnection.beginning); SELECT pg_advisory_xact_lock(\(Self.writing))", body
        ) { try $0.commit() }
    }

    package func writeAtOnce(_ body: (any AccountTables) throws -> Void) throws {
        try run(
            "\(PostgresConnection.beginning); SET LOCAL lock_timeout = '1ms'; "
                + "SELECT pg_advisory_xact_lock(\(Self.writing))",
            body) { try $0.commit() }
    }

    private func run<Value>(
        _ begin: String, _ body: (any AccountTables) throws -> Value,
        _ end: (PostgresConnection) throws -> Void
    ) throws -> Value {
        try locked {
            let isKept = open != nil
            do {
                return try once(begin, body, end)
            } catch PostgresError.connectionLost(_, _) where isKept {
                // It was lost while nobody used it; nothing is stored of what was not committed. A
                // server that gives no answer is not asked again: whoever asks has waited enough.
                return try once(begin, body, end)
            }
        }
    }

    private func once<Value>(
        _ begin: String, _ body: (any AccountTables) throws -> Value,
        _ end: (PostgresConnection) throws -> Void
    ) throws -> Value {
        let connection = try connection()
        do {
            try connection.execute(begin)
            let value = try body(PostgresTables(connection: connection))
            try end(connection)
            return value
        } catch {
            if let error = error as? PostgresError { silence.didFail(error, at: .now) }
            if connection.isUsable { connection.rollBack() }
            if (error as? PostgresError)?.losesConnection == true || !connection.isUsable {
                connection.close()
                open = nil
            }
            throw Self.explained(error, connection)
        }
    }

    /// Why something is not found: the accounts are of another schema by now, or the role may not
    /// use them any more.
    private static func explained(
        _ error: any Error, _ connection: PostgresConnection
    ) -> any Error {
        guard (error as? PostgresError)?.isNameMissing == true, connection.isUsable else {
            return error
        }
        do {
            try ConsoleSchema.check(connection)
            return error
        } catch { return error }
    }

    private func connection() throws -> PostgresConnection {
        if let open, open.isUsable { return open }
        if let error = silence.error(at: .now) { throw error }
        let connection: PostgresConnection
        do throws(PostgresError) {
            connection = try PostgresConnection.connect(configuration)
        } catch {
            silence.didNotConnect(error, at: .now)
            throw error
        }
        try ConsoleSchema.check(connection)
        // Whoever else has a table locked keeps a change waiting for a second, as in a file.
        try connection.execute(
            "SET search_path = tillbox_console; SET jit = off; SET lock_timeout = '1s'")
        open = connection
        return connection
    }

    private func locked<Value>(_ body: () throws -> Value) throws -> Value {
        do {
            return try lock.withLock { try body() }
        } catch let error as PostgresError {
            throw AccountsFailure(error)
        }
    }

    // MARK: The first person

    package func offerSetup(_ hash: [UInt8], at now: Int64) throws -> Bool {
        try write { tables in
            guard try tables.count("SELECT count(*) FROM users") == 0 else { return false }
            try tables.change(
                "DELETE FROM setup WHERE made <= ?", [.integer(now - Self.setupMilliseconds)])
            return try tables.change(
                "INSERT INTO setup (place, hash, made) VALUES (1, ?, ?) ON CONFLICT DO NOTHING",
                [.bytes(hash), .integer(now)]) == 1
        }
    }

    package func knowsSetup(_ hash: [UInt8], at now: Int64) throws -> Bool {
        try read { try $0.count("SELECT count(*) FROM setup WHERE hash = ?", [.bytes(hash)]) } > 0
    }

    package func useSetup(
        _ hash: [UInt8], at now: Int64, _ body: (any AccountTables) throws -> Void
    ) throws -> Bool {
        try write { tables in
            guard try tables.change("DELETE FROM setup WHERE hash = ?", [.bytes(hash)]) > 0 else {
                return false
            }
            try body(tables)
            return true
        }
    }
}

private struct PostgresTables: AccountTables {
    let connection: PostgresConnection

    func rows(_ sql: String, _ values: [AccountValue]) throws -> [AccountRow] {
        let answer = try ask(sql, values)
        return try (0..<answer.count).map { row in
            AccountRow(
                try (0..<answer.columnCount).map { try AccountValue(try answer.value(row, $0)) })
        }
    }

    func change(_ sql: String, _ values: [AccountValue]) throws -> Int {
        try ask(sql, values).changedCount
    }

    func lastAuditNumber() throws -> Int64 {
        try connection.query("SELECT last FROM audit_end").integer(0, 0)
    }

    private func ask(_ sql: String, _ values: [AccountValue]) throws -> PostgresAnswer {
        var (text, count) = ("", 0)
        for character in sql {
            guard character == "?" else {
                text.append(character)
                continue
            }
            count += 1
            text += "$\(count)"
        }
        precondition(count == values.count, "\(values.count) values for \(count) marks")
        return try connection.query(text, values.map(\.postgres), kept: true)
    }
}

extension AccountValue {
    fileprivate var postgres: PostgresValue {
        switch self {
        case .null: .null
        case .integer(let number): .integer(number)
        case .text(let text): .text(text)
        case .bytes(let bytes): .bytes(bytes)
        }
    }

    fileprivate init(_ value: PostgresValue) throws {
        switch value {
        case .null: self = .null
        case .integer(let number): self = .integer(number)
        case .text(let text): self = .text(text)
        case .bytes(let bytes): self = .bytes(bytes)
        default: throw AccountsFailure(description: "the accounts have a value of another type")
        }
    }
}
