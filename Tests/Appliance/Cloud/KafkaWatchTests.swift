import Bridges
import Testing

@testable import Appliance
@testable import Cloud
@testable import Vocabulary

@Suite("What a role says of Kafka while it has nothing to do")
struct KafkaWatchTests {
    private static let silence = KafkaError.timedOut(
        call: "ask for topics", server: "h:1", trouble: nil)
    private static let refusal = KafkaTopicRefusal.smallMessages("t", bytesMax: 1, needed: 2)
    private static let password = KafkaError.authentication(server: "h:1", detail: "no")

    private static let unprepared = CloudUnprepared(topic: "t")

    private func made(waiting trouble: String? = nil) -> KafkaWatch {
        KafkaWatch(
            CloudTopics(
                KafkaConfiguration(bootstrap: "127.0.0.1:1"), names: KafkaNames(prefix: ""),
                partitions: 1),
            trouble: trouble, logger: PipelineFixture.quiet)
    }

    @Test("one silence is none, two in a row are told of until there is an answer")
    func silence() {
        let watch = made()
        watch.note(.failure(Self.silence))
        #expect(watch.trouble == nil)
        watch.note(.failure(Self.silence))
        #expect(watch.trouble == "\(Self.silence)")
        watch.note(.success(()))
        #expect(watch.trouble == nil)
        watch.note(.failure(Self.silence))
        #expect(watch.trouble == nil)
    }

    @Test("what the start could not look at is refused when it is seen, and told of later on")
    func late() {
        for error in [Self.refusal, Self.password, Self.unprepared] as [any Error] {
            let late = made(waiting: "no broker")
            #expect(late.trouble == "no broker")
            late.note(.failure(error))
            #expect(late.refusal.map { "\($0)" } == "\(error)")

            let watch = made(waiting: "no broker")
            watch.note(.success(()))
            #expect(watch.trouble == nil)
            watch.note(.failure(error))
            #expect(watch.refusal == nil)
            // A topic that somebody changed keeps nobody from the others.
            let isWarning = error is KafkaTopicRefusal
            #expect(watch.warning == (isWarning ? "\(error)" : nil))
            let trouble =
                error is CloudUnprepared ? "\(KafkaTopicGone(topic: "t"))" : "\(error)"
            #expect(watch.trouble == (isWarning ? nil : trouble))
        }
    }
}
