import AppendLog
import Appliance
import Bridges
package import Console

/// How long the role `console` waits for Postgres on behalf of somebody who has asked it: a server
/// that takes a connection and answers nothing is told of within five seconds.
///
///     connect, 3 s ─▶ statement, ended by the server after 4 s ─▶ without a word after 5 s: 503
///
/// What open pages are told is looked at again soon, and waits less long.
enum ConsolePatience {
    static let connect = Duration.seconds(3)
    /// A quarter longer without an answer, and the connection is given up.
    static let reply = Duration.seconds(4)
    static let followed = Duration.seconds(2)
}

extension CloudPlane {
    /// Postgres for whom somebody waits.
    func askedConfiguration(_ name: String = "tillbox") -> PostgresConfiguration {
        var configuration = settings.postgresConfiguration()
        configuration.applicationName = name
        configuration.connectTimeout = ConsolePatience.connect
        configuration.lockTimeout = ConsolePatience.connect
        configuration.replyTimeout = ConsolePatience.reply
        return configuration
    }

    /// The ledger for pages, or for programs.
    ///
    /// - Throws: `LedgerError`, also where `cloud prepare` has not made it.
    func askedLedger() throws(LedgerError) -> PostgresLedger {
        try read(askedConfiguration())
    }

    /// The ledger for what open pages are told.
    func followedLedger() throws(LedgerError) -> PostgresLedger {
        var configuration = askedConfiguration()
        configuration.connectTimeout = ConsolePatience.followed
        configuration.lockTimeout = ConsolePatience.followed
        configuration.replyTimeout = ConsolePatience.followed
        return try read(configuration)
    }

    private func read(
        _ configuration: PostgresConfiguration
    ) throws(LedgerError) -> PostgresLedger {
        let clock = clock
        return try PostgresLedger.open(
            configuration, sharesSilence: true,
            clockMilliseconds: { clock.now().milliseconds })
    }

    /// The accounts of people and programs, beside the ledger. Blocks.
    ///
    /// - Throws: `AccountsFailure`, also where `cloud prepare` has not made them.
    package func accounts() throws -> any AccountStore {
        try PostgresAccounts(askedConfiguration("tillbox-accounts"))
    }

    /// A ledger on a connection of its own, for one verification, and how that is broken off: by
    /// Postgres, over another connection. Its own statements may take as long as they need. Blocks.
    func checkedLedger() throws(LedgerError) -> LedgerCheck.Opened {
        // By which it is found among all who are connected.
        let name = "tillbox-verify-\(UInt64.random(in: 0...UInt64.max))"
        let ledger = try read(askedConfiguration(name))
        return LedgerCheck.Opened(ledger) { [self] in
            var other = askedConfiguration("tillbox-stop")
            other.connectTimeout = .seconds(1)
            guard let connection = try? PostgresConnection.connect(other) else { return }
            defer { connection.close() }
            _ = try? connection.query(
                """
                SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = $1
                """, [.text(name)])
        }
    }
}
