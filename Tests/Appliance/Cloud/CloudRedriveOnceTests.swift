import AppendLog
import Bridges
import Synchronization
import TestSupport
import Testing

@testable import Appliance
@testable import Cloud
@testable import Daemon
@testable import Vocabulary

/// Dead letters at Kafka sent back: each once, whoever asks, however often and whatever is killed.
@Suite("Redriving dead letters of the cloud plane once", .serialized, .timeLimit(.minutes(4)))
struct CloudRedriveOnceTests {
    @Test("what a killed run had not committed is sent by the next one, once")
    func killed() async throws {
        let cloud = try await CloudFixture.ofLetters()
        try await cloud.refuseCharges(6)
        let first = try await cloud.redrive(RedriveRequest(isDryRun: true))
        try await cloud.redrive(RedriveRequest(letters: [first[0].letter]))
        // A run that was killed: its orders and its records are written, and not committed.
        let names = cloud.plane.names
        let victim = try KafkaTransactionalProducer(
            cloud.kafka, transactionalID: names.group(RedriveStage.name))
        try victim.start(within: CloudFixture.patience)
        try victim.begin()
        for line in first.dropFirst() {
            let letter = try #require(try await cloud.plane.letter(line.letter))
            let order = RedriveOrder.record(
                for: letter, original: nil, to: .webhookReceived, at: cloud.plane.clock.now())
            let target = names.topic(.webhookReceived)
            try victim.produce(
                KafkaOutgoing(
                    order, to: names.topic(.deadLetter), partition: line.letter.partition))
            try victim.produce(KafkaOutgoing(order, to: target))
        }
        try await eventually("all of it is at the broker") { victim.queuedCount == 0 }
        let next = try await cloud.redrive()
        #expect(RedriveLine.results(next) == ["sent": 5])
        #expect(throws: KafkaError.self) { try victim.commit(within: CloudFixture.patience) }
        let copies = try await cloud.copies()[.webhookReceived] ?? []
        let letters = copies.compactMap { RedriveHeader.letter(of: $0) }
        #expect(letters.sorted() == first.map(\.letter))
        #expect(try await cloud.redrive().isEmpty)
    }

    @Test("a delivery whose claim a killed run has left stays for now, and holds up no other")
    func claimLeft() async throws {
        let cloud = try await CloudFixture.ofLetters()
        for number in 30..<33 { try await cloud.refuseDelivery(PipelineFixture.charge(number)) }
        let foretold = try await cloud.redrive(RedriveRequest(isDryRun: true))
        #expect(RedriveLine.results(foretold) == ["would_send": 3])
        // What the victim leaves: its claim, and no record.
        let identity = EventIdentity(
            id: EventID("evt_31"), type: "charge.succeeded", created: "\(1_760_054_400 + 31 * 60)")
        let claims = ClaimStore(
            cloud.redis, prefix: RedisKeys(prefix: cloud.settings.redis.prefix).claims,
            done: RedisKeys.lifetime)
        let claim = try await claims.claim(
            identity.id.rawValue, identity: identity.claimText)
        guard case .taken(let token) = claim else {
            Issue.record("\(claim)")
            return
        }
        let lines = try await cloud.redrive()
        #expect(RedriveLine.results(lines) == ["admitted": 2, "under_way": 1])
        let detail = lines.first { $0.result == .underWay }?.detail ?? ""
        #expect(detail.contains("try again"), "\(detail)")
        // It has run out.
        try await claims.giveBack(
            identity.id.rawValue, identity: identity.claimText, token: token)
        #expect(RedriveLine.results(try await cloud.redrive()) == ["admitted": 1])
        #expect(try await cloud.redrive().isEmpty)
        #expect(try await cloud.copies()[.webhookReceived]?.count == 3)
    }

    @Test("of two at once the later one goes on, and the first says so; nothing goes twice")
    func twoAtOnce() async throws {
        let cloud = try await CloudFixture.ofLetters()
        try await cloud.refuseCharges(6)
        try await cloud.refuseDelivery(PipelineFixture.charge(30))
        let failure = await #expect(throws: StoreFailure.self) {
            try await cloud.plane.redriving(isDryRun: false) { first in
                let all = try await first.redrive(RedriveRequest(isDryRun: true)).lines
                // It has looked, and now the other one begins and ends.
                #expect(RedriveLine.results(all) == ["would_send": 7])
                #expect(
                    RedriveLine.results(try await cloud.redrive()) == ["sent": 6, "admitted": 1])
                let late = try await first.redrive(RedriveRequest()).lines
                #expect(late.isEmpty, "it looks again before it writes")
                try await cloud.refuseCharges(1)
                return try await first.redrive(RedriveRequest()).lines
            }
        }
        let words = failure?.description ?? ""
        #expect(words.contains("another redrive has begun"), "\(words)")
        #expect(try await cloud.orders().count == 7)
        #expect(try await cloud.copies()[.webhookReceived]?.count == 7)
        #expect(RedriveLine.results(try await cloud.redrive()) == ["sent": 1])
    }

    @Test("an order is seen behind somebody else's open transaction")
    func hiddenOrder() async throws {
        // A broker of its own, at whose door nobody else is heard.
        let proxy = try await KafkaProxy()
        let cloud = try await CloudFixture(broker: try await KafkaServer(behind: proxy))
        try await cloud.refuseCharges(2)
        let name = cloud.plane.names.topic(.deadLetter)
        // A step at work, whose letter stands before the orders and is not committed yet.
        let step = try KafkaTransactionalProducer(cloud.kafka, transactionalID: "\(name)-step")
        try step.start(within: CloudFixture.patience)
        try step.begin()
        try step.produce(
            KafkaOutgoing(
                PipelineFixture.letter("{}".utf8, topic: "webhook.received"), to: name))
        try await eventually("the open record is at the broker") { step.queuedCount == 0 }
        let partition = KafkaPartition(name, 0)
        let ends = try KafkaReader(cloud.kafka, group: "looks").ends(
            of: partition, within: CloudFixture.patience)
        #expect(ends.stableEnd == Offset(2), "it holds back what stands behind the two letters")
        let orders = try KafkaOrders(cloud.kafka, names: cloud.plane.names)
        try await orders.begin()
        for offset in 0..<2 as Range<Int64> {
            let letter = try #require(
                try await KafkaReader(cloud.kafka, group: "looks").first(
                    partition, at: Offset(offset)))
            try await orders.keep([
                RedriveOrder.record(
                    for: letter, original: nil, to: .webhookReceived,
                    at: cloud.plane.clock.now())
            ])
        }
        let hasEnded = Atomic(false)
        let later = Task {
            defer { hasEnded.store(true, ordering: .releasing) }
            return try await cloud.redrive()
        }
        // It does not look past what is open, however long that is: it looks, and waits.
        let before = try proxy.seenRequests
        try await eventually("it looks at the broker") { try proxy.seenRequests > before + 50 }
        await #expect(throws: ConditionNeverHeld.self) {
            try await eventually("it has ended", within: 3) {
                hasEnded.load(ordering: .acquiring)
            }
        }
        try step.commit(within: CloudFixture.patience)
        #expect(RedriveLine.results(try await later.value) == ["still_refused": 1])
        #expect(try await cloud.copies()[.webhookReceived]?.count == 2)
    }
}

extension KafkaReader {
    /// The dead letter at an offset, committed, before any open transaction.
    fileprivate func first(
        _ partition: KafkaPartition, at offset: Offset
    ) async throws -> StoredLetter? {
        var letter: StoredLetter?
        try read(partition, from: offset, within: CloudFixture.patience) { batch in
            letter = batch.records.first.flatMap {
                StoredLetter($0, partition: partition.number)
            }
            return false
        }
        return letter
    }
}
