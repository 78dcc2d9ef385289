import Testing

@testable import Console

@Suite("Readiness")
struct ReadinessTests {
    private static let kafka = "no Kafka broker answers at h:1 (after 3ms)"
    private static let redis = "no connection to Redis at h:2: refused"

    @Test(
        "what a watch tells of a server is not told again in other words",
        arguments: [
            (kafka: kafka, redis: nil, met: "no Kafka broker answers at h:1 (after 1ms)", also: []),
            (kafka: nil, redis: redis, met: "Redis was not asked: no connection in time", also: []),
            // It waited for what is in the way.
            (kafka: nil, redis: redis, met: "not stored within 4.5 s", also: []),
            (kafka: nil, redis: nil, met: "not stored within 4.5 s", also: nil),
            // Another server's trouble is another reason.
            (kafka: kafka, redis: nil, met: "Redis refused the command: OOM", also: nil),
            (kafka: nil, redis: redis, met: "Kafka did not answer in time", also: nil),
            (kafka: kafka, redis: redis, met: "cannot connect to Postgres", also: nil),
            (kafka: kafka, redis: redis, met: redis, also: []),
            (kafka: nil, redis: nil, met: kafka, also: nil),
        ] as [(kafka: String?, redis: String?, met: String, also: [String]?)])
    func beyondWatches(
        row: (kafka: String?, redis: String?, met: String, also: [String]?)
    ) {
        let readiness = Readiness()
        readiness.set([])
        let watches = [
            ServerWatch("Kafka") { row.kafka }, ServerWatch("Redis") { row.redis },
        ]
        for watch in watches { readiness.require(watch.trouble) }
        readiness.require(beyond: watches) { row.met }
        let told = [row.kafka, row.redis].compactMap { $0 }
        #expect(readiness.current == told + (row.also ?? [row.met]))
    }
}
