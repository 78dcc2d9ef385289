import AppendLog
import Logging
import TestSupport
import Testing

@testable import Appliance
@testable import Daemon
@testable import Reconcile
@testable import Vocabulary
@testable import Warehouse

private let hour: Int64 = 3_600
private let start = ReconcileFixture.start

@Suite("The nightly export")
struct NightlyExportTests {
    private struct Unread: Error, CustomStringConvertible { var description = "no ledger" }

    private static func export(
        _ fixture: ReconcileFixture, opens: @escaping @Sendable () throws -> Void = {}
    ) -> NightlyExport {
        let (ledger, plane) = (fixture.data.ledger, fixture.plane)
        return NightlyExport(
            atMinute: 3 * 60 + 30, into: fixture.exportRoot, isCompressed: false,
            clock: fixture.clock, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        ) {
            try opens()
            let reader = try SQLiteLedgerReader.open(path: ledger)
            return WarehouseSource(
                name: "test", livemode: false, lanes: { [plane.reader($0)] }, ledger: reader,
                statement: StatementStore(of: reader), members: nil)
        }
    }

    @Test("is due at its time, once, and a missed night is made up for")
    func due() async throws {
        let fixture = try ReconcileFixture(clock: HandClock(start + 2 * hour))
        let nightly = Self.export(fixture)
        func isDue() -> Bool {
            nightly.isDue(at: Instant(seconds: fixture.clock.now().milliseconds / 1000))
        }
        // Nobody has exported into this folder yet.
        #expect(isDue())
        await nightly.look()
        #expect(!isDue() && nightly.warning == nil)
        #expect(WarehouseExport.lastEnd(in: fixture.exportRoot)?.seconds == start + 2 * hour)
        fixture.clock.set(start + 3 * hour + 1_799)
        #expect(!isDue())
        fixture.clock.set(start + 3 * hour + 1_800)
        #expect(isDue())
        await nightly.look()
        #expect(!isDue())
        fixture.clock.set(start + 5 * 24 * hour)
        // Another process finds the same.
        #expect(isDue() && Self.export(fixture).isDue(at: Instant(seconds: start + 120 * hour)))
    }

    @Test("one that failed is told of, and tried again after ten minutes")
    func failing() async throws {
        let fixture = try ReconcileFixture(clock: HandClock(start))
        let failing = Self.export(fixture) { throw Unread() }
        await failing.look()
        #expect(failing.warning?.contains("no ledger") == true)
        #expect(!failing.isDue(at: Instant(seconds: start + 599)))
        #expect(failing.isDue(at: Instant(seconds: start + 600)))
        #expect(WarehouseExport.lastEnd(in: fixture.exportRoot) == nil)
    }
}
