import Testing

@testable import Appliance

@Suite("What is wrong with a ledger")
struct LedgerErrorTests {
    private struct Foreign: Error, CustomStringConvertible {
        var description: String { "something else" }
    }

    @Test("is said of the database that it is wrong with")
    func places() {
        for error in [
            LedgerError.corrupt(code: 0, detail: "entries of transaction 7"),
            .invariant(code: 0, detail: "entries of transaction 7"),
        ] {
            #expect(!error.description.contains("SQLite"))
            let there = LedgerError(postgres: error)
            #expect(!there.isRetryable)
            #expect(there.description.contains("the ledger in Postgres"))
            #expect(there.description.contains("(entries of transaction 7); run `tillbox ledger"))
            #expect(!there.description.contains("sqlite"))
        }
        #expect(
            LedgerError.corrupt(code: 11, detail: "malformed").description
                .contains("(SQLite code 11: malformed)"))
        #expect(LedgerError(postgres: Foreign()).description == "something else")
        #expect(LedgerError(postgres: LedgerError.busy) == .busy)
    }
}
