import Logging
import Testing

@testable import Appliance
@testable import Vocabulary

@Suite("Patience")
struct DiskPatienceTests {
    private struct Full: PassingFailure { var isRetryable: Bool }

    @Test("what is waited for is told while it lasts, and not afterwards")
    func told() async throws {
        let standstills = Standstills()
        let patience = DiskPatience(
            stage: "ledger", standstills: standstills, logger: PipelineFixture.quiet)
        var seen: [[String]] = []
        let value = try await patience.waitingOut("ledger.sqlite") {
            seen.append(standstills.warnings)
            guard seen.count == 2 else { throw Full(isRetryable: true) }
            return 7
        }
        #expect(value == 7 && seen.count == 2)
        #expect(seen[0].isEmpty)
        #expect(seen[1].count == 1)
        #expect(seen[1].first?.hasPrefix("ledger waits for ledger.sqlite") == true)
        #expect(standstills.warnings.isEmpty)
        await #expect(throws: Full.self) {
            try await patience.waitingOut("ledger.sqlite") { throw Full(isRetryable: false) }
        }
        #expect(standstills.warnings.isEmpty)
    }
}
