import AppendLog
import Testing

@testable import Cloud
@testable import Vocabulary

@Suite("How large a record may be at Kafka")
struct KafkaSizesTests {
    private static func record(_ bytes: Int) -> Record {
        Record(
            key: Array("evt_1".utf8)[...], value: [UInt8](repeating: 0x20, count: bytes)[...],
            headers: [RecordHeader("endpoint", "redrive")],
            timestamp: Timestamp(milliseconds: 0))
    }

    @Test(
        "is foretold from what the topic takes and what is sent at most",
        arguments: [
            (bytes: 9_000, bound: 20_000, says: nil),
            (bytes: 9_950, bound: 20_000, says: "10000 bytes are allowed; larger ones are never"),
            (bytes: 9_000, bound: nil, says: nil),
            (bytes: 9_950, bound: nil, says: "10000 bytes are allowed; larger ones are never"),
            (bytes: 4_000, bound: 5_000, says: nil),
            (
                bytes: 6_000, bound: 5_000,
                says: "where 5000 bytes are allowed; set max.message.bytes=10000 there and redrive "
                    + "it again, unless it is compressed to less"
            ),
        ] as [(bytes: Int, bound: Int?, says: String?)])
    func foretold(row: (bytes: Int, bound: Int?, says: String?)) {
        let names = KafkaNames(prefix: "t.")
        let sizes = KafkaSizes(
            names: names, own: 10_000,
            bounds: row.bound.map { [names.topic(.webhookReceived): $0] } ?? [:])
        let sentence = sizes.refusal(of: Self.record(row.bytes), to: .webhookReceived)
        #expect((sentence == nil) == (row.says == nil), "\(sentence ?? "it fits")")
        if let says = row.says {
            #expect(sentence?.contains(says) == true, "\(sentence ?? "it fits")")
            #expect(sentence?.contains("the Kafka topic t.webhook.received") == true)
        }
    }
}
