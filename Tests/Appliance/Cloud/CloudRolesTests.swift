import AppendLog
import Bridges
import Foundation
import Logging
import ServiceLifecycle
import TestSupport
import Testing

@testable import Appliance
@testable import Cloud
@testable import Daemon
@testable import Vocabulary

/// The three roles over real servers: what they book together is what the embedded plane books.
@Suite("The cloud roles", .serialized)
struct CloudRolesTests {
    /// The rule of the scenario: payments above this amount are looked at by a person.
    private static func limit(_ settings: inout Settings) {
        settings.amountLimits = [Given.usd: MinorUnits(5_000)]
    }

    /// The payments of a scenario, by the event that tells of them.
    static func events(_ scenario: PlaneScenario) -> [PaymentEvent] {
        let validator = EventValidator(defaultMerchant: MerchantID("default"))
        return scenario.bodies.flatMap { body -> [PaymentEvent] in
            if case .movements(let events, _) = validator.read(body, isOwn: false).outcome {
                return events
            }
            return []
        }
    }

    @Test("book what the embedded plane books, row by row with one partition and one instance")
    func sameRows() async throws {
        let scenario = try await PlaneScenario(seed: 7)
        let cloud = try await CloudFixture(change: Self.limit)
        // Whoever computes vectors was quicker than the score role.
        for event in Self.events(scenario) {
            guard let vector = scenario.vectors[event.eventID] else { continue }
            try await cloud.store(vector, of: event)
        }
        try await cloud.makeLedger()
        let ledger = try cloud.plane.ledger()
        let services: [any Service] = [
            cloud.plane.book(ledger, pulse: Pulse("ledger")),
            try cloud.plane.score(cloud.redis, pulse: Pulse("score")),
        ]
        let gate = cloud.plane.gate(cloud.redis, cloud.producer)
        try await cloud.running(services) {
            try await cloud.deliverAll(scenario.bodies, to: gate)
            // Twice: what was admitted once is a duplicate.
            let again = await cloud.deliver(scenario.bodies[0], to: gate)
            #expect(again == .received(isDuplicate: true))
            try await eventually("all is booked", every: .milliseconds(100)) {
                try await Self.isScored(cloud, ledger)
            }
            for decision in scenario.decisions {
                try await cloud.write(decision, to: .paymentReview)
            }
            try await Self.untilSame(cloud, ledger, as: scenario)
        }
        let content = try await cloud.content(ledger)
        #expect(content.differences(from: scenario.expected) == [])
        let posted = try ledger.posted(after: TransactionID(0), limit: 100_000)
        #expect(posted.map(\.posting) == scenario.rows)
        let published = try await cloud.records(.ledgerPosted).map {
            try LedgerPosted($0.value ?? [], using: JSONDocument()).id
        }
        #expect(published == posted.map(\.id.rawValue))
    }

    /// Waits until the ledger's content is the embedded plane's, and says what is not.
    ///
    /// A look costs a process and a client of Kafka: it must not be what the machine is busy with.
    static func untilSame(
        _ cloud: CloudFixture, _ ledger: PostgresLedger, as scenario: PlaneScenario
    ) async throws {
        var differences: [String] = []
        do {
            try await eventually(
                "the ledger has the same content", within: 120, every: .milliseconds(250)
            ) {
                differences = try await cloud.content(ledger).differences(
                    from: scenario.expected)
                return differences.isEmpty
            }
        } catch let error as ConditionNeverHeld {
            Issue.record("\(error); still different: \(differences)")
        }
    }

    /// Whether the ledger has read whatever was scored, of everything that was received.
    private static func isScored(
        _ cloud: CloudFixture, _ ledger: PostgresLedger
    ) async throws -> Bool {
        let received = try await cloud.records(.webhookReceived).count
        let read = try await cloud.committed("score", .webhookReceived)
        let scored = try await cloud.records(.paymentScored).count
        let booked = try ledger.position(topic: TopicID.paymentScored.rawValue) ?? 0
        return read[0] == Offset(Int64(received)) && booked >= Int64(scored)
    }
}

/// The same with several partitions, where the order of events is nobody's, and with several
/// instances of each role, while vectors come late.
@Suite("Several instances of the cloud roles", .serialized)
struct CloudInstancesTests {
    @Test("book the same content, with vectors that come late")
    func sameContent() async throws {
        let scenario = try await PlaneScenario(seed: 11)
        let cloud = try await CloudFixture(partitions: 3) {
            $0.amountLimits = [Given.usd: MinorUnits(5_000)]
        }
        try await cloud.makeLedger()
        let ledger = try cloud.plane.ledger()
        let services: [any Service] =
            try (0..<2).flatMap { number -> [any Service] in
                [
                    cloud.plane.book(try cloud.plane.ledger(), pulse: Pulse("ledger \(number)")),
                    try cloud.plane.score(cloud.redis, pulse: Pulse("score \(number)")),
                ]
            } + [LateVectors(scenario: scenario, cloud: cloud)]
        let gate = cloud.plane.gate(cloud.redis, cloud.producer)
        try await cloud.running(services) {
            try await cloud.deliverAll(scenario.bodies.shuffled(), to: gate)
            for decision in scenario.decisions {
                try await cloud.write(decision, to: .paymentReview)
            }
            try await CloudRolesTests.untilSame(cloud, ledger, as: scenario)
            try await eventually("nobody waits any more") {
                let waiting = RedisCommand("ZCARD", .init("\(cloud.settings.redis.prefix)waiting"))
                return try await cloud.redis.send(waiting).integer == 0
            }
        }
        let content = try await cloud.content(ledger)
        #expect(content.differences(from: scenario.expected) == [])
        let posted = try ledger.posted(after: TransactionID(0), limit: 100_000)
        let rows = try await cloud.records(.ledgerPosted).map {
            try LedgerPosted($0.value ?? [], using: JSONDocument()).id
        }
        #expect(try ledger.verify().fault == nil)
        #expect(rows.sorted() == posted.map(\.id.rawValue), "each row came out once")
    }
}

/// Stands in for the job that computes features: reads `payment.validated`, writes the vector that
/// the embedded engine has, then its record.
struct LateVectors: Service {
    let scenario: PlaneScenario
    let cloud: CloudFixture
    private let thread = OwnThread("late vectors")

    init(scenario: PlaneScenario, cloud: CloudFixture) {
        self.scenario = scenario
        self.cloud = cloud
    }

    func run() async throws {
        try await withTaskExecutorPreference(thread) {
            let names = cloud.plane.names
            let consumer = try KafkaConsumer(cloud.kafka, group: names.group("features"))
            let all = (0..<cloud.settings.kafka.partitions).map {
                KafkaPartition(names.topic(.paymentValidated), $0)
            }
            try consumer.assign(
                Dictionary(uniqueKeysWithValues: all.map { ($0, .beginning) }))
            while !Task.isShuttingDownGracefully, !Task.isCancelled {
                guard
                    case .records(let batch) = try consumer.next(
                        bytesMax: 1 << 20, within: .milliseconds(50))
                else { continue }
                for stored in batch.records {
                    let event = try PaymentEvent(stored.record.value ?? [], using: JSONDocument())
                    guard let vector = scenario.vectors[event.eventID] else { continue }
                    try await cloud.tell(vector, of: event)
                }
            }
            consumer.close(within: .seconds(1))
        }
    }
}
