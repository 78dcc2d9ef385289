import AppendLog
import Foundation
import Testing

@testable import Appliance
@testable import Daemon
@testable import Vocabulary

@Suite("Reviews that nobody decides")
struct ReviewExpiryTests {
    /// Runs one look in a folder with one held payment that was booked at `bookedAt`.
    ///
    /// - Returns: the decisions that were written.
    private func decisions(after seconds: Int64, bookedAt: Int64) async throws -> [ReviewRecord] {
        let dollar = try #require(Currency("usd"))
        let fixture = try PipelineFixture(clockMilliseconds: { bookedAt }) {
            $0.amountLimits = [dollar: MinorUnits(1)]
        }
        return try await fixture.opened { opened in
            _ = try await opened.append(
                PipelineFixture.received(PipelineFixture.charge(1), event: "evt_1"),
                to: .webhookReceived)
            try await fixture.process(opened)
            // Once more, so that the ledger has read what it has told of the review itself.
            try await fixture.process(opened)
            let clock = SystemLogClock()
            // No ledger runs any more: a decision is written, and nobody waits for its booking.
            let desk = ReviewDesk(
                decisions: opened.plane.decisions, ledger: opened.ledger, clock: clock,
                waitMilliseconds: 0)
            await ReviewExpiry(
                desk: desk, ledger: opened.ledger, afterSeconds: seconds, clock: clock,
                logger: PipelineFixture.quiet
            ).look()
            let document = JSONDocument()
            return try opened.records(.paymentReview).compactMap {
                try ReviewRecord($0.record.value ?? [], using: document)
            }.filter { $0.by == ReviewExpiry.actor }
        }
    }

    @Test("what is overdue is declined, and says why")
    func overdue() async throws {
        let long = Int64(Date().timeIntervalSince1970 - 7_200) * 1_000
        let written = try await decisions(after: 3_600, bookedAt: long)
        #expect(written.map(\.state) == [.declined])
        #expect(written.first?.movement == MovementKey("charge:ch_1"))
        #expect(written.first?.note == "nobody decided within 1 h")
    }

    @Test("what was booked late has all of its time, however old its event is")
    func fresh() async throws {
        let now = Int64(Date().timeIntervalSince1970) * 1_000
        #expect(try await decisions(after: 3_600, bookedAt: now).isEmpty)
    }
}
