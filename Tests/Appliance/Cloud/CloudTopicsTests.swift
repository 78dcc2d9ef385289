import AppendLog
import Bridges
import TestSupport
import Testing

@testable import Appliance
@testable import Cloud
@testable import Daemon
@testable import Vocabulary

@Suite("What the cloud roles need", .serialized)
struct CloudTopicsTests {
    @Test("is made once, and found the next time")
    func repeatable() async throws {
        let cloud = try await CloudFixture(partitions: 3)
        let topics = cloud.plane.topics
        #expect(try topics.prepare() == [])
        try topics.check(within: CloudFixture.patience)
    }

    @Test("is named with the command that makes it, where it is missing")
    func missing() async throws {
        let cloud = try await CloudFixture()
        let other = CloudTopics(
            cloud.kafka, names: KafkaNames(prefix: "nowhere."), partitions: 1)
        let error = #expect(throws: CloudUnprepared.self) {
            try other.check(within: CloudFixture.patience)
        }
        #expect(error?.description.contains("`tillbox cloud prepare`") == true)
    }

    @Test("a place that a topic does not hold any more is named, with what a person does then")
    func placeGone() {
        let lost = KafkaError.offsetOutOfRange(KafkaPartition("payment.scored", 2), Offset(3_210))
        let sentence = "\(lost.seenByRole)"
        #expect(sentence.hasPrefix("\(lost)") && sentence.contains("payment.scored[2]"))
        #expect(sentence.contains("start the role anew"))
    }

    @Test("is asked for at a port where nobody listens for 10 s at most, and the sentence says so")
    func silent() throws {
        let nowhere = KafkaConfiguration(bootstrap: "127.0.0.1:\(try freePort())")
        let topics = CloudTopics(nowhere, names: KafkaNames(prefix: ""), partitions: 1)
        let took = ContinuousClock().measure {
            let error = #expect(throws: KafkaError.self) { try topics.prepare() }
            #expect(error?.description.contains("no Kafka broker answers at") == true)
        }
        #expect(took < .seconds(10), "\(took)")
    }

    @Test("cannot be given another number of partitions")
    func otherCount() async throws {
        let cloud = try await CloudFixture(partitions: 2)
        let other = CloudTopics(cloud.kafka, names: cloud.plane.names, partitions: 4)
        #expect(throws: KafkaTopicRefusal.self) { try other.prepare() }
    }
}
