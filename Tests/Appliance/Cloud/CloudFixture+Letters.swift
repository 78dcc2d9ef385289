import AppendLog
import TestSupport

@testable import Appliance
@testable import Cloud
@testable import Daemon
@testable import Vocabulary

// Dead letters at Kafka, and what became of those that were sent back.

extension CloudFixture {
    /// Transactions are aborted here, which noida-db alone tells its readers wrongly of.
    private static let mended = Task { try await KafkaServer(behind: KafkaProxy()) }

    /// The broker of those that `ofLetters` makes.
    static func letterBroker() async throws -> KafkaServer { try await mended.value }

    static func ofLetters(partitions: Int32 = 3) async throws -> CloudFixture {
        try await CloudFixture(partitions: partitions, broker: try await letterBroker())
    }

    // MARK: What lies there

    /// Writes a record, and the letter of a step that could not take it then.
    ///
    /// - Parameters:
    ///   - value: what the letter holds; a newer release understands it.
    ///   - headers: further ones of the record.
    @discardableResult
    func refuse(
        _ value: [UInt8], in topic: TopicID, key: String, reason: String = "bad_id",
        headers: [RecordHeader] = []
    ) async throws -> SourcePlace {
        var original = PipelineFixture.received("{}", event: "evt_\(key)")
        let source = SourceHeader.header(
            SourcePlace(topic: .webhookReceived, offset: Offset(99)))
        original = Record(
            key: Array(key.utf8)[...], value: original.value,
            headers: original.headers + [source] + headers, timestamp: original.timestamp)
        let place = try await write(original, to: topic)
        let letter = DeadLetter(of: place, stage: "a step", reason: reason, detail: "as it was")
            .record(
                key: original.key, value: value[...], eventID: "evt_\(key)",
                timestamp: original.timestamp)
        return try await write(letter, to: .deadLetter)
    }

    /// Deliveries of charges 1…count that validation refused.
    func refuseCharges(_ count: Int) async throws {
        for number in 1...count {
            try await refuse(
                Array(PipelineFixture.charge(number).utf8), in: .webhookReceived,
                key: "evt_\(number)")
        }
    }

    /// A delivery that the gate refused.
    func refuseDelivery(_ body: String) async throws {
        try await write(
            PipelineFixture.letter(body.utf8, topic: "webhook", stage: "gate", reason: "too_deep"),
            to: .deadLetter)
    }

    // MARK: What becomes of it

    /// All that a request comes to, page by page, as the command does it.
    @discardableResult
    func redrive(_ request: RedriveRequest = RedriveRequest()) async throws -> [RedriveLine] {
        try await plane.redriving(isDryRun: request.isDryRun) { redriver in
            var (request, lines) = (request, [RedriveLine]())
            while true {
                let answer = try await redriver.redrive(request)
                lines += answer.lines
                guard let next = answer.next else { return lines }
                request.after = next
            }
        }
    }

    /// Records that came back, of all topics but `dead.letter`.
    func copies() async throws -> [TopicID: [Record]] {
        var copies: [TopicID: [Record]] = [:]
        for topic in TopicID.allCases where topic != .deadLetter {
            let found = try await records(topic).filter {
                RedriveHeader.letter(of: $0) != nil && $0.text("stage") == RedriveStage.name
                    || $0.text("endpoint") == RedriveStage.name
            }
            if !found.isEmpty { copies[topic] = found }
        }
        return copies
    }

    /// How many records stand in each topic.
    func counts() async throws -> [TopicID: Int] {
        var counts: [TopicID: Int] = [:]
        for topic in TopicID.allCases { counts[topic] = try await records(topic).count }
        return counts
    }

    /// The letters that have an order.
    func orders() async throws -> [String] {
        try await records(.deadLetter).filter { $0.header(RedriveHeader.to) != nil }
            .compactMap { $0.text(RedriveHeader.from) }
    }
}

extension RedriveLine {
    /// How many lines there are of each result.
    static func results(_ lines: [RedriveLine]) -> [String: Int] {
        lines.reduce(into: [:]) { $0[$1.result.rawValue, default: 0] += 1 }
    }
}

extension Given {
    static func scoredBytes(_ charge: String) -> [UInt8] {
        guard case .scored(let payment) = Given.payment(charge, currency: usd) else { return [] }
        return payment.encoded()
    }
}
