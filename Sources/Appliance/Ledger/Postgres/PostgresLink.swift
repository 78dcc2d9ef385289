internal import Bridges
import Vocabulary

/// The ledger's one connection, made when it is needed and made anew once it is lost.
final class PostgresLink {
    private let configuration: PostgresConfiguration
    private let maker: PostgresSchema.Maker
    private var open: PostgresConnection?
    /// nil where each call asks the server for itself.
    private var silence: PostgresSilence?

    /// - Parameters:
    ///   - maker: who makes the ledger that it leads to.
    ///   - sharesSilence: whether those who wait behind a call that the server does not answer
    ///     fail as that one does.
    init(
        _ configuration: PostgresConfiguration, madeBy maker: PostgresSchema.Maker,
        sharesSilence: Bool
    ) {
        self.configuration = configuration
        self.maker = maker
        silence = sharesSilence ? PostgresSilence() : nil
    }

    /// - Throws: `PostgresError`; `LedgerError` for a schema that this program does not know.
    func connection() throws -> PostgresConnection {
        if let open, open.isUsable { return open }
        if let error = silence?.error(at: .now) { throw error }
        let connection: PostgresConnection
        do throws(PostgresError) {
            connection = try PostgresConnection.connect(configuration)
        } catch {
            silence?.didNotConnect(error, at: .now)
            throw error
        }
        try PostgresSchema.check(connection, madeBy: maker)
        try connection.execute(Self.session)
        open = connection
        return connection
    }

    /// Every look-up is by a key: a plan of a time when a table was small must not stay. A walk
    /// that remains counts as so dear then that the server would compile it to machine code first,
    /// which takes a hundred times as long as the statement.
    private static let session =
        "SET search_path = tillbox; SET enable_seqscan = off; SET jit = off"

    /// Whether there is a connection, which may be lost since it was used last.
    var isOpen: Bool { open?.isUsable == true }

    /// Why something is not found: the ledger is of another schema by now, or the role may not use
    /// it any more. Ends what is open.
    func explained(_ error: any Error) -> any Error {
        guard let failure = error as? PostgresError, failure.isNameMissing else { return error }
        rollBack()
        guard let open else { return error }
        do {
            try PostgresSchema.check(open, madeBy: maker)
            return error
        } catch { return error }
    }

    /// A call has failed, whose words those behind it are told where the server does not answer.
    func didFail(_ error: any Error) {
        if let error = error as? PostgresError { silence?.didFail(error, at: .now) }
    }

    var roundTrips: Int { open?.roundTrips ?? 0 }

    /// Rolls back what is open; a connection that cannot is gone afterwards.
    func rollBack() {
        guard let open else { return }
        if open.isUsable { open.rollBack() }
        if !open.isUsable { close() }
    }

    func close() {
        open?.close()
        open = nil
    }
}

extension LedgerError {
    /// What Postgres, or the way there, threw, in the ledger's own words.
    init(postgres error: any Error) {
        switch error {
        case LedgerError.corrupt(_, let detail):
            self = .server(
                state: nil,
                detail: "the ledger in Postgres is damaged (\(detail)); run `tillbox ledger "
                    + "verify` and restore a backup of the database", isRetryable: false)
        case LedgerError.invariant(_, let detail):
            self = .server(
                state: nil,
                detail: "the ledger in Postgres refused a transaction (\(detail)); run `tillbox "
                    + "ledger verify`", isRetryable: false)
        case let error as LedgerError: self = error
        case let error as PostgresError:
            self =
                error.isOutcomeUnknown
                ? .outcomeUnknown(detail: "\(error)")
                : .server(
                    state: error.sqlState, detail: "\(error)", isRetryable: error.isRetryable)
        // Nothing that the ledger knows: it is told in its own words.
        default: self = .server(state: nil, detail: "\(error)", isRetryable: false)
        }
    }
}
