/// What the server said of a statement that failed, in its own words.
public struct PostgresServerError: Hashable, Sendable {
    /// Five characters; see "PostgreSQL Error Codes" in its manual.
    public var sqlState: String
    /// `ERROR`, `FATAL` or `PANIC`.
    public var severity: String
    public var message: String
    public var detail: String?
    /// The constraint that was violated, where it has a name.
    public var constraint: String?
    public var table: String?

    public init(
        sqlState: String, severity: String, message: String, detail: String? = nil,
        constraint: String? = nil, table: String? = nil
    ) {
        self.sqlState = sqlState
        self.severity = severity
        self.message = message
        self.detail = detail
        self.constraint = constraint
        self.table = table
    }
}

/// What can go wrong between us and a Postgres server. No password is in any of it.
public enum PostgresError: Error, Hashable, Sendable {
    /// The URI cannot be used; says why, without quoting it.
    case configuration(String)
    /// The password file or whoever hands the password out failed; says why.
    case noPassword(String)
    /// No connection came about. The state is the server's, where it answered.
    case cannotConnect(sqlState: String?, detail: String)
    /// The connection is gone. What the last statement did is not known unless it was inside a
    /// transaction that was not being committed: then nothing.
    case connectionLost(sqlState: String?, detail: String)
    /// No answer within the reply time-out; the connection is given up.
    case noAnswer(milliseconds: Int64)
    /// The connection was lost while a transaction was being committed: it is stored, or nothing
    /// of it is. Connect again and look, before anything else.
    case outcomeUnknown(sqlState: String?, detail: String)
    /// The server refused a statement.
    case refused(PostgresServerError)
    /// The server's answer is not what the statement gives.
    case malformedAnswer(String)
    /// A value or a statement that the protocol cannot carry.
    case tooLarge(bytes: Int)
}

/// What helps against an error.
public enum PostgresRemedy: Hashable, Sendable {
    /// The same transaction again, after a while.
    case again
    /// Connect anew, after a while.
    case reconnect
    /// Connect anew, and look what was stored.
    case look
    /// Somebody has to change something; the error's description says what.
    case stop
}

extension PostgresError {
    /// The server's own code; nil where the server has said none.
    public var sqlState: String? {
        switch self {
        case .cannotConnect(let state, _), .connectionLost(let state, _),
            .outcomeUnknown(let state, _):
            state
        case .refused(let error): error.sqlState
        case .configuration, .noPassword, .noAnswer, .malformedAnswer, .tooLarge: nil
        }
    }

    /// What helps against it.
    public var remedy: PostgresRemedy {
        switch self {
        case .configuration, .malformedAnswer, .tooLarge: .stop
        // Who hands out access tokens is a server too.
        case .noPassword: .reconnect
        case .cannotConnect(let state, let detail):
            if let state {
                PostgresState(state).remedyOfConnecting
            } else {
                TLSWords.isRefusal(detail) ? .stop : .reconnect
            }
        case .connectionLost, .noAnswer: .reconnect
        case .outcomeUnknown: .look
        case .refused(let error): PostgresState(error.sqlState).remedy
        }
    }

    /// Whether the same may succeed later without anybody's help.
    public var isRetryable: Bool { remedy != .stop }
    /// Whether somebody has to change something first.
    public var isPermanent: Bool { remedy == .stop }
    /// Whether a transaction may be stored, or not.
    public var isOutcomeUnknown: Bool { remedy == .look }

    /// Whether the server does not find what a statement names: it is not there, or it is in a
    /// schema that the role may not use, which then looks the same.
    public var isNameMissing: Bool { sqlState.map { PostgresState($0).isNameMissing } ?? false }

    /// Whether the connection is of no more use.
    public var losesConnection: Bool {
        switch self {
        case .refused(let error): error.severity != "ERROR"
        case .malformedAnswer, .tooLarge, .configuration, .noPassword: false
        case .cannotConnect, .connectionLost, .noAnswer, .outcomeUnknown: true
        }
    }

    /// The same error at the end of a transaction.
    var atCommit: Self {
        switch self {
        case .connectionLost(let state, let detail):
            .outcomeUnknown(sqlState: state, detail: detail)
        case .noAnswer(let milliseconds):
            .outcomeUnknown(sqlState: nil, detail: "no answer within \(milliseconds) ms")
        case .refused(let error)
        where error.severity != "ERROR" || PostgresState(error.sqlState).isUnknownAtCommit:
            .outcomeUnknown(sqlState: error.sqlState, detail: error.message)
        default: self
        }
    }
}

/// Five characters that say what kind of error it is.
struct PostgresState {
    private let code: String

    init(_ code: String) { self.code = code }

    private var kind: Substring { code.prefix(2) }

    /// The manual's classes, by what helps.
    var remedy: PostgresRemedy {
        switch code {
        // Serialization failure, deadlock, lock not available, statement cancelled.
        case "40001", "40P01", "55P03", "57014": .again
        // Where a replica was reached after a failover, connecting anew finds the new primary.
        case "25006": .reconnect
        case "40003", "08007": .look
        // Shut down, crashed, starting up, idle for too long inside a transaction.
        case "57P01", "57P02", "57P03", "57P05", "25P03", "25P04": .reconnect
        default:
            switch kind {
            case "08": .reconnect
            // Insufficient resources, and errors of the operating system.
            case "53", "58": .again
            default: .stop
            }
        }
    }

    var remedyOfConnecting: PostgresRemedy { remedy == .again ? .reconnect : remedy }

    /// Schema, table, column, function.
    var isNameMissing: Bool { ["3F000", "42P01", "42703", "42883"].contains(code) }

    var isUnknownAtCommit: Bool {
        ["57P01", "57P02", "57P03", "40003", "08007"].contains(code) || kind == "08"
    }

    /// What to do about it; nil where nobody has to do anything.
    var advice: String? {
        switch code {
        case "28P01", "28000":
            "check the user, the password and the server's pg_hba.conf"
        case "42501": "grant the role what migrations/postgres/grants.sql lists"
        case "3D000": "create the database, or correct its name in the URI"
        case _ where isNameMissing: "bring the schema up to date with its migrations"
        case "25006": "it is a replica or a read-only database; name the primary in the URI"
        case "57P01", "57P02", "57P03": "it is restarting, and is connected to again"
        case "53300": "raise max_connections, or run fewer instances"
        case "53100": "free some space on the server's disk, and it resumes by itself"
        case "22021", "22P05": "use a database whose encoding is UTF8"
        case "XX001", "XX002": "the database is damaged: restore a backup"
        default:
            kind == "23" ? "the rules of the database forbid it, so retrying cannot help" : nil
        }
    }
}

/// libpq tells why a TLS connection did not come about only in words (its fe-secure-openssl.c and
/// fe-secure-common.c).
enum TLSWords {
    static func isRefusal(_ detail: String) -> Bool {
        [
            "certificate verify failed", "does not match host name", "root certificate file",
            "does not support SSL", "SSL error: tlsv1", "SSL error: unsupported protocol",
            "could not load", "could not read certificate", "certificate could not be obtained",
        ].contains { detail.contains($0) }
    }
}

/// libpq tells only in words, too, that it cannot use a setting of the URI (its fe-connect.c).
enum SettingWords {
    /// libpq takes no such value: no retrying helps. What it quotes is that one value.
    static func isRefusal(_ detail: String) -> Bool {
        guard detail.contains("invalid ") else { return false }
        return [" value: \"", " for connection option \"", "SSL protocol version range"]
            .contains { detail.contains($0) }
    }
}

extension PostgresError: CustomStringConvertible {
    /// One sentence for the operator: what happened, and what to do; the words of libpq or of the
    /// server, which name host, database and table, stand at its end.
    public var description: String {
        switch self {
        case .configuration(let reason): "the Postgres URI cannot be used: \(reason)"
        case .noPassword(let reason): "there is no password for Postgres: \(reason)"
        case .cannotConnect(let state, let detail):
            "cannot connect to Postgres"
                + (state == nil ? "; \(connectingAdvice)" : Self.advice(state))
                + ": \(detail)\(Self.ending(state))"
        case .connectionLost(let state, let detail):
            "the connection to Postgres was lost\(Self.advice(state)): "
                + "\(detail)\(Self.ending(state))"
        case .noAnswer(let milliseconds):
            "Postgres gave no answer within \(milliseconds) ms, so the connection was given up"
        case .outcomeUnknown(let state, let detail):
            "the connection to Postgres was lost at COMMIT, so that it is unknown whether the "
                + "transaction is stored\(Self.advice(state)): \(detail)\(Self.ending(state))"
        case .refused(let error):
            "Postgres refused a statement\(Self.advice(error.sqlState)): "
                + "\(error.message)\(Self.ending(error.sqlState))"
        case .malformedAnswer(let what): "Postgres gave an unexpected answer: \(what)"
        case .tooLarge(let bytes): "\(bytes) bytes are more than one message to Postgres holds"
        }
    }

    /// Where no server has said a word.
    private var connectingAdvice: String {
        isPermanent
            ? "check sslmode, sslrootcert and the server's certificate"
            : "check that it runs, and the host and the port of postgres.url"
    }

    private static func advice(_ state: String?) -> String {
        state.flatMap { PostgresState($0).advice }.map { "; \($0)" } ?? ""
    }

    private static func ending(_ state: String?) -> String {
        state.map { " (SQLSTATE \($0))" } ?? ""
    }
}
