/// How a Postgres server is reached. Nothing of it that may be secret is ever printed.
public struct PostgresConfiguration: Sendable {
    /// A connection URI of libpq, or its keywords and values. Whatever libpq knows may stand there:
    /// `postgresql:///tillbox?host=/cloudsql/PROJECT:REGION:INSTANCE` for a socket folder (its
    /// whole path at most 107 bytes), `?sslmode=verify-full&sslrootcert=ca.pem` for TLS with the
    /// server's name checked.
    public var uri: String

    /// A file whose first line is the password; read at each connect.
    public var passwordFile: String?
    /// Asked for the password at each connect, before the file and instead of what the URI says: an
    /// access token is one, and is needed only then.
    public var password: (@Sendable () throws -> String)?

    /// What the server shows of us in `pg_stat_activity`.
    public var applicationName = "tillbox"
    /// For all of connecting, but for the look-up of the server's name.
    public var connectTimeout: Duration = .seconds(5)
    /// How long a statement may take: the server's `statement_timeout`. A quarter longer without
    /// an answer, and the connection is given up; what the statement did is not known then.
    public var replyTimeout: Duration = .seconds(30)
    /// The server's `lock_timeout`.
    public var lockTimeout: Duration = .seconds(5)
    /// The server's `idle_in_transaction_session_timeout`: a client that hangs holds no lock for
    /// longer.
    public var idleInTransactionTimeout: Duration = .seconds(30)
    /// TCP_USER_TIMEOUT: for how long sent bytes may be unacknowledged.
    public var tcpUserTimeout: Duration = .seconds(10)
    /// The first keepalive probe comes after this much silence, the others every third of it; three
    /// without an answer end the connection.
    public var keepaliveIdle: Duration = .seconds(15)

    public init(uri: String) { self.uri = uri }
}

extension PostgresConfiguration: CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    public var description: String { "a Postgres server" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension PostgresConfiguration {
    /// What libpq is told besides the URI. A later keyword outweighs an earlier one, so what the
    /// URI says of these stands; the password comes from where it was said last.
    func keywords(password: String?) -> [(String, String)] {
        func milliseconds(_ duration: Duration) -> String { String(duration.postgresMilliseconds) }
        func seconds(_ duration: Duration) -> String {
            String(max(1, duration.postgresMilliseconds / 1000))
        }
        var keywords = [
            ("application_name", applicationName),
            ("client_encoding", "UTF8"),
            // Asking for Kerberos first would cost a round trip and read files of the user's.
            ("gssencmode", "disable"),
            ("keepalives", "1"),
            ("keepalives_idle", seconds(keepaliveIdle)),
            ("keepalives_interval", seconds(keepaliveIdle / 3)),
            ("keepalives_count", "3"),
            ("tcp_user_timeout", milliseconds(tcpUserTimeout)),
            ("dbname", uri),
        ]
        if let password { keywords.append(("password", password)) }
        return keywords
    }

    /// Said to the server once connected.
    var sessionSettings: String {
        """
        SET statement_timeout = \(replyTimeout.postgresMilliseconds);
        SET lock_timeout = \(lockTimeout.postgresMilliseconds);
        SET idle_in_transaction_session_timeout = \(idleInTransactionTimeout.postgresMilliseconds);
        SET client_min_messages = 'notice';
        SET DateStyle = 'ISO'
        """
    }
}

extension Duration {
    /// At least 0.
    var postgresMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        return max(0, seconds * 1000 + attoseconds / 1_000_000_000_000_000)
    }
}
