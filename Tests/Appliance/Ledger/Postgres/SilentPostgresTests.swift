import Bridges
import TestSupport
import Testing

@testable import Appliance
@testable import Console
@testable import Vocabulary

@Suite("A Postgres that gives no answer", .timeLimit(.minutes(1)))
struct SilentPostgresTests {
    private static let reply = Duration.milliseconds(800)
    /// A statement without an answer is given up a quarter later.
    private static let words = "Postgres gave no answer within 1000 ms"

    private static func hasty(_ configuration: PostgresConfiguration) -> PostgresConfiguration {
        var configuration = configuration
        configuration.replyTimeout = reply
        return configuration
    }

    @Test("who reads the ledger is told so after one wait, and so are those who wait behind them")
    func ledger() async throws {
        let database = try PostgresDatabase()
        let proxy = try PostgresProxy(to: database.server.port)
        defer { proxy.close() }
        let ledger = try PostgresLedger.open(
            Self.hasty(database.configuration(port: proxy.port)), sharesSilence: true,
            clockMilliseconds: { 1 })
        #expect(try ledger.point().head == 0)
        proxy.hang()
        let told = await withTaskGroup(of: String.self) { group in
            for number in 0..<6 {
                group.addTask(executorPreference: OwnThread("silent.\(number)")) {
                    do {
                        _ = try ledger.point()
                        return "an answer"
                    } catch { return "\(error)" }
                }
            }
            return await group.reduce(into: [String]()) { $0.append($1) }
        }
        #expect(told.count == 6 && told.allSatisfy { $0.contains(Self.words) }, "\(told)")
        #expect(proxy.connectionCount == 1, "none of them has asked once more")
    }

    @Test("a question about accounts is not put again, and says what hangs")
    func accounts() throws {
        let database = try AccountDatabase()
        let proxy = try PostgresProxy(to: database.server.port)
        defer { proxy.close() }
        let store = try PostgresAccounts(Self.hasty(database.configuration(port: proxy.port)))
        #expect(try store.users().isEmpty)
        proxy.hang()
        let error = #expect(throws: AccountsFailure.self) { try store.users() }
        #expect(error?.description.contains(Self.words) == true, "\(error as Any)")
        #expect(proxy.connectionCount == 1)
    }

    @Test("what a server did not answer is the answer for a moment; what it refused is not")
    func silence() {
        let now = ContinuousClock.now
        var silence = PostgresSilence()
        #expect(silence.error(at: now) == nil)
        silence.didFail(
            .refused(PostgresServerError(sqlState: "42501", severity: "ERROR", message: "no")),
            at: now)
        silence.didFail(.connectionLost(sqlState: nil, detail: "it was closed"), at: now)
        #expect(silence.error(at: now) == nil)
        silence.didFail(.noAnswer(milliseconds: 5), at: now)
        #expect(silence.error(at: now) == .noAnswer(milliseconds: 5))
        #expect(silence.error(at: now + .milliseconds(249)) == .noAnswer(milliseconds: 5))
        #expect(silence.error(at: now + .milliseconds(250)) == nil)
        let refused = PostgresError.cannotConnect(sqlState: nil, detail: "nobody")
        silence.didNotConnect(refused, at: now)
        #expect(silence.error(at: now) == refused)
    }
}
