import AppendLog
import Foundation
import Synchronization
import Testing

@testable import Appliance
@testable import Console
@testable import Vocabulary

@Suite("Verifying the ledger beside the daemon")
struct LedgerCheckTests {
    /// A ledger of a few payments in a folder of its own.
    private static func folder() throws -> LedgerFolder {
        let folder = try LedgerFolder()
        let ledger = try folder.open()
        _ = try ledger.post((0..<20).map { Given.payment("ch_\($0)") })
        try ledger.close()
        return folder
    }

    private static func check(
        _ folder: LedgerFolder, _ log: VerificationLog? = nil
    ) -> LedgerCheck {
        let file = folder.file
        return LedgerCheck(clock: SystemLogClock(), log: log) { () throws(LedgerError) in
            let ledger = try SQLiteLedgerReader.open(path: file)
            return LedgerCheck.Opened(ledger) { ledger.interrupt() }
        }
    }

    /// Runs one verification to its end.
    private static func ended(_ check: LedgerCheck) async throws -> LedgerCheck.Ended {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await check.run() }
            while check.state.running != nil { await Task.yield() }
            group.cancelAll()
            try await group.waitForAll()
        }
        return try #require(check.state.ended)
    }

    @Test("there is one at a time, and it says who began it and what it found")
    func sound() async throws {
        let folder = try Self.folder()
        let check = Self.check(folder)
        #expect(check.state.running == nil && check.state.ended == nil)
        #expect(check.begin(by: "ada"))
        #expect(!check.begin(by: "rita"))
        let ended = try await Self.ended(check)
        #expect(ended.by == "ada")
        let found = try ended.outcome.get()
        #expect(found.fault == nil && found.transactions == 20)
        let view = LedgerCheckView(
            check.state, now: Instant(seconds: 0), mayBegin: true, token: "t")
        #expect(view.ended?.isRight == true && view.running == nil && view.mayBegin)
        #expect(view.ended?.head == String(hex: found.head))
    }

    @Test("that it was found sound, and when, outlives the process; that it was not does not count")
    func kept() async throws {
        let (folder, world) = (try Self.folder(), try AccessWorld())
        let check = Self.check(folder, VerificationLog(world.desk.audit))
        #expect(check.verifiedAt == nil)
        #expect(check.begin(by: "ada"))
        let ended = try await Self.ended(check)
        #expect(check.verifiedAt == ended.at)
        let noted = try #require(try world.store.lastAudit(of: "ledger verified"))
        #expect(noted.who == "ada" && noted.detail == "20 transactions")
        let kept = VerificationLog(world.desk.audit).verifiedAt
        #expect(kept == Instant(seconds: noted.at / 1_000))
        _ = try folder.sqlite3(
            "DROP TRIGGER entries_no_update;\n"
                + "UPDATE entries SET amount = amount + 1 WHERE transaction_id = 7")
        let next = Self.check(folder, VerificationLog(world.desk.audit))
        #expect(next.begin(by: "rita"))
        _ = try await Self.ended(next)
        #expect(next.verifiedAt == kept)
        #expect(try world.store.lastAudit(of: "ledger not sound")?.who == "rita")
    }

    @Test("a ledger that was changed is found, and named with its place")
    func tampered() async throws {
        let folder = try Self.folder()
        _ = try folder.sqlite3(
            "DROP TRIGGER entries_no_update;\n"
                + "UPDATE entries SET amount = amount + 1 WHERE transaction_id = 7")
        let check = Self.check(folder)
        #expect(check.begin(by: "ada"))
        let found = try await Self.ended(check).outcome.get()
        #expect(found.fault != nil)
        let view = LedgerCheckView(
            check.state, now: Instant(seconds: 0), mayBegin: false, token: "")
        #expect(view.ended?.isRight == false && view.ended?.tone == "is-stop")
        #expect(view.needsRole && !view.mayBegin)
    }

    @Test("a ledger that is not there is no sound one")
    func missing() async throws {
        let folder = try LedgerFolder()
        let check = Self.check(folder)
        #expect(check.begin(by: "ada"))
        let ended = try await Self.ended(check)
        #expect(throws: LedgerError.self) { try ended.outcome.get() }
        #expect(LedgerCheckView.Ended(ended).words == "The ledger could not be verified")
    }

    @Test("each step is told with how far it is", arguments: [
        (0, 0, "Step 1 of 2: opening the ledger"),
        (8_192, 65_363, "Step 1 of 2: hashes and sums, 8,192 of 65,363 transactions"),
        (5, 5, "Step 2 of 2: balances, rules, and what is kept beside the chain"),
    ])
    func steps(checked: Int64, total: Int64, expected: String) {
        let running = LedgerCheck.Running(
            by: "ada", begun: Instant(seconds: 0), checked: checked, total: total)
        let view = LedgerCheckView(
            LedgerCheck.State(running: running), now: Instant(seconds: 61), mayBegin: true,
            token: "t")
        #expect(view.running?.step == expected)
        #expect(view.running?.age == "61 s" && !view.mayBegin)
    }

    @Test("a page begins it for a reviewer, and nobody beside it")
    func page() async throws {
        try await PageFixture.opened { pages in
            let first = try await pages.ask("/ledger/verify", as: PageFixture.reviewer).text
            #expect(first.contains("Verify now") && first.contains("value=\"t-rita\""))
            let viewer = try await pages.ask("/ledger/verify", as: PageFixture.viewer).text
            #expect(!viewer.contains("Verify now"))
            let refused = try await pages.ask(
                "/ledger/verify", form: "csrf=t", as: PageFixture.viewer)
            #expect(refused.status == 403)
            let begun = try await pages.ask(
                "/ledger/verify", form: "csrf=t-rita", as: PageFixture.reviewer)
            #expect(begun.status == 303)
            let running = try await pages.ask("/ledger/verify").text
            #expect(running.contains("data-refresh") && running.contains("<progress"))
            #expect(try await pages.ask("/ledger/verify", form: "csrf=t-ada").status == 409)
            _ = try await Self.ended(pages.check)
            let ended = try await pages.ask("/ledger/verify").text
            #expect(ended.contains("The whole ledger fits together"))
            #expect(!ended.contains("data-refresh"))
        }
    }
}
