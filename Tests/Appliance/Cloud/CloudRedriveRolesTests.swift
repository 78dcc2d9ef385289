import AppendLog
import Bridges
import ServiceLifecycle
import TestSupport
import Testing

@testable import Appliance
@testable import Cloud
@testable import Daemon
@testable import Vocabulary

/// What came back is taken as what came first.
@Suite("Redriven records and the cloud roles", .serialized, .timeLimit(.minutes(4)))
struct CloudRedriveRolesTests {
    @Test("are validated, scored and booked; what fails again is a letter of its own")
    func throughTheRoles() async throws {
        let cloud = try await CloudFixture(
            partitions: 3, broker: try await KafkaServer(behind: KafkaProxy()))
        try await cloud.makeLedger()
        let ledger = try cloud.plane.ledger()
        let services: [any Service] = [
            cloud.plane.book(ledger, pulse: Pulse("ledger")),
            try cloud.plane.score(cloud.redis, pulse: Pulse("score")),
        ]
        for number in 1...6 {
            let key = "evt_\(number)"
            let record = PipelineFixture.received("{}", event: key)
            let place = try await cloud.write(record, to: .webhookReceived)
            try await cloud.write(
                DeadLetter(of: place, stage: "validate", reason: "not_understood", detail: "")
                    .record(
                        key: record.key, value: Array(PipelineFixture.charge(number).utf8)[...],
                        eventID: key, timestamp: record.timestamp), to: .deadLetter)
        }
        try await cloud.running(services) {
            // What stands in place of the deliveries is refused by the score role itself.
            try await eventually("the roles have read", within: 60) {
                try await cloud.records(.deadLetter).count == 12
            }
            try await self.redrive(cloud, reason: "not_understood", is: [.sent: 6])
            try await eventually("six payments are booked", within: 60) {
                try ledger.posted(after: TransactionID(0), limit: 100).count == 6
            }
            try await self.failAgain(cloud, ledger)
        }
        #expect(try ledger.verify().fault == nil)
        let posted = try ledger.posted(after: TransactionID(0), limit: 100)
        let rows = try await cloud.records(.ledgerPosted).map {
            try LedgerPosted($0.value ?? [], using: JSONDocument()).id
        }
        #expect(rows.sorted() == posted.map(\.id.rawValue), "each row came out once")
    }

    private func redrive(
        _ cloud: CloudFixture, reason: String, is expected: [RedriveLine.Result: Int]
    ) async throws {
        let lines = try await cloud.plane.redriving(isDryRun: false) {
            try await $0.redrive(RedriveRequest(reason: reason)).lines
        }
        let found = lines.reduce(into: [:]) { $0[$1.result, default: 0] += 1 }
        #expect(found == expected)
    }

    /// The ledger refuses a movement that says something else than what is booked, and refuses it
    /// again when it comes back.
    private func failAgain(_ cloud: CloudFixture, _ ledger: PostgresLedger) async throws {
        let scored = try #require(try await cloud.records(.paymentScored).first)
        var other = try ScoredPayment(scored.value ?? [], using: JSONDocument())
        other.event.currency = Given.eur
        try await cloud.write(
            Record(
                key: scored.key, value: other.encoded()[...], headers: scored.headers,
                timestamp: scored.timestamp), to: .paymentScored)
        let reason = "movement_conflicts"
        func letters() async throws -> [Record] {
            try await cloud.records(.deadLetter).filter { $0.text("reason") == reason }
        }
        try await eventually("it is refused", within: 60) { try await letters().count == 1 }
        try await redrive(cloud, reason: reason, is: [.sent: 1])
        try await eventually("it is refused again", within: 60) { try await letters().count == 2 }
        let first = try await letters().compactMap { RedriveHeader.letter(of: $0) }
        #expect(first.count == 1)
        #expect(try await cloud.plane.letter(first[0])?.reason == reason)
        try await redrive(cloud, reason: reason, is: [.sent: 1])
        try await eventually("and again", within: 60) { try await letters().count == 3 }
        // A decision that comes back does not look like a row of the ledger.
        let decision = PipelineFixture.decision(99, .approved)
        let place = try await cloud.write(decision, to: .paymentReview)
        let letter = DeadLetter(of: place, stage: "ledger", reason: "not_read", detail: "")
            .record(of: decision)
        try await cloud.write(letter, to: .deadLetter)
        try await redrive(cloud, reason: "not_read", is: [.sent: 1])
        for number in 7...8 {
            try await cloud.write(
                PipelineFixture.received(
                    PipelineFixture.charge(number), event: "evt_\(number)"), to: .webhookReceived)
        }
        try await eventually("rows come out behind it", within: 60) {
            try await cloud.records(.ledgerPosted).count == 8
        }
    }
}
