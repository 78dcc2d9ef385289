import AppendLog
import Bridges
import Dispatch
import Foundation
import TestSupport
import Testing

/// Runs each test on a thread of its own: the client's calls block, and the cooperative pool has
/// only a few threads for all tests.
struct OwnThreadTrait: TestTrait, SuiteTrait, TestScoping {
    var isRecursive: Bool { true }

    func provideScope(
        for test: Test, testCase: Test.Case?,
        performing function: @Sendable @concurrent () async throws -> Void
    ) async throws {
        guard testCase != nil else { return try await function() }
        try await withTaskExecutorPreference(TestThread()) { try await function() }
    }
}

extension Trait where Self == OwnThreadTrait {
    static var ownThread: Self { Self() }
}

private final class TestThread: TaskExecutor {
    private let queue = DispatchQueue(label: "test")

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}

/// What a test of the Kafka client begins with.
enum Fixture {
    static let patience = Duration.seconds(20)

    static func configuration(_ server: KafkaServer) -> KafkaConfiguration {
        var configuration = KafkaConfiguration(bootstrap: server.bootstrap)
        // Idle members are found to be gone sooner, so that tests of a group need not wait.
        configuration.sessionTimeout = .seconds(6)
        return configuration
    }

    /// For a broker that does not answer.
    static func impatient(_ server: KafkaServer) -> KafkaConfiguration {
        var configuration = configuration(server)
        configuration.socketTimeout = .seconds(2)
        configuration.deliveryTimeout = .seconds(20)
        return configuration
    }

    /// A name that no other test has.
    static func name(_ word: String) -> String { "\(word)-\(UUID().uuidString.prefix(8))" }

    /// Makes a topic of its own.
    static func topic(
        _ word: String, partitions: Int32 = 1, on server: KafkaServer,
        messageBytesMax: Int = 2 << 20
    ) throws -> String {
        let name = name(word)
        let admin = try KafkaAdmin(configuration(server))
        try admin.create(
            [KafkaTopic(name, partitions: partitions, messageBytesMax: messageBytesMax)],
            within: patience)
        return name
    }

    static func record(
        _ value: String, key: String? = nil, at milliseconds: Int64 = now()
    ) -> Record {
        Record(
            key: key.map { ArraySlice($0.utf8) }, value: ArraySlice(value.utf8),
            timestamp: Timestamp(milliseconds: milliseconds))
    }

    static func now() -> Int64 { Int64(Date().timeIntervalSince1970 * 1000) }

    /// All committed records of a partition.
    static func records(
        in partition: KafkaPartition, on server: KafkaServer
    ) throws -> [StoredRecord] {
        let reader = try KafkaReader(configuration(server), group: name("reader"))
        var found: [StoredRecord] = []
        try reader.read(partition, within: patience) { batch in
            found += batch.records
            return true
        }
        return found
    }

    static func values(in partition: KafkaPartition, on server: KafkaServer) throws -> [String] {
        try records(in: partition, on: server).map(\.text)
    }
}

extension StoredRecord {
    var text: String { String(decoding: record.value ?? [], as: UTF8.self) }
}

/// Gathers what completions tell, from librdkafka's thread.
final class Deliveries: @unchecked Sendable {
    // `@unchecked Sendable`: the lock guards the list.
    private let lock = NSLock()
    private var list: [KafkaDelivery] = []

    var all: [KafkaDelivery] { lock.withLock { list } }
    var count: Int { all.count }

    func add(_ delivery: KafkaDelivery) { lock.withLock { list.append(delivery) } }

    var written: [(partition: KafkaPartition, offset: Offset)] {
        all.compactMap {
            guard case .written(let partition, let offset) = $0 else { return nil }
            return (partition, offset)
        }
    }
}

extension KafkaConsumer {
    /// Reads on until there is an event that `isWanted`, and hands over the records before it.
    func events(
        within seconds: Double = 20, until isWanted: (KafkaEvent) -> Bool
    ) throws -> [KafkaEvent] {
        var seen: [KafkaEvent] = []
        let deadline = ContinuousClock.now + .seconds(seconds)
        while .now < deadline {
            let event = try next(bytesMax: 1 << 20, within: .milliseconds(200))
            if case .nothing = event { continue }
            seen.append(event)
            if isWanted(event) { return seen }
        }
        throw Unexpected(what: "the event did not come; seen \(seen)")
    }
}

/// What a test did not expect.
struct Unexpected: Error, CustomStringConvertible {
    var what: String
    var description: String { "unexpected: \(what)" }
}
