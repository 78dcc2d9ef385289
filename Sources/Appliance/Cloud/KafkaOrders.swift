package import AppendLog
import Appliance
package import Bridges
import Foundation
package import Vocabulary

/// Orders at Kafka: each stands in one transaction with the record that it sends back, so that no
/// step comes between the two, and whoever finds an order knows that its record is there.
///
///     redrive A                              redrive B, later
///     start: the id is A's
///     look: which letters have an order
///                                            start: ends what A has open, fences A
///                                            look: every order that A has committed
///     transaction ✗ fenced: nothing of it
///                                            transaction ✓
///
/// A crash anywhere leaves an open transaction, which the next start ends.
package final class KafkaOrders: LetterStore, @unchecked Sendable {
    // `@unchecked Sendable`: the producer is used on `queue` alone.
    private let producer: KafkaTransactionalProducer
    private let configuration: KafkaConfiguration
    private let names: KafkaNames
    private let queue = BlockingQueue("tillbox.orders")

    /// What one call to Kafka may take.
    private static let answerPatience = Duration.seconds(10)
    /// How long a transaction without an outcome is asked after.
    private static let outcomePatience = Duration.seconds(30)

    private static let abortPauseSeconds = 0.1

    /// Does not disturb another redrive yet.
    package init(_ configuration: KafkaConfiguration, names: KafkaNames) throws(KafkaError) {
        self.configuration = configuration
        self.names = names
        producer = try KafkaTransactionalProducer(
            configuration, transactionalID: names.group(RedriveStage.name))
    }

    /// Takes over from any other redrive. To be done before anybody looks which letters have gone,
    /// and once.
    package func begin() async throws(StoreFailure) {
        try await queue.run { () throws(StoreFailure) in
            do throws(KafkaError) {
                try self.producer.start(within: Self.answerPatience)
            } catch {
                throw StoreFailure(error)
            }
        }
    }

    package func keep(
        _ letters: [Record],
        completion: @escaping @Sendable (Result<Void, StoreFailure>) -> Void
    ) {
        Task {
            do throws(StoreFailure) {
                try await queue.run { () throws(StoreFailure) in try self.write(letters) }
                completion(.success(()))
            } catch {
                completion(.failure(error))
            }
        }
    }

    /// One transaction, until its outcome is known or nobody can tell it.
    private func write(_ orders: [Record]) throws(StoreFailure) {
        let records = orders.flatMap(outgoing)
        let giveUpAt = ContinuousClock.now + Self.outcomePatience
        var outcome = transact(records)
        while true {
            switch outcome {
            case .committed: return
            case .aborted where ContinuousClock.now < giveUpAt:
                // Some aborts are answered at once.
                Thread.sleep(forTimeInterval: Self.abortPauseSeconds)
                outcome = transact(records)
            case .unfinished where ContinuousClock.now < giveUpAt:
                outcome = producer.resume(within: Self.answerPatience)
            case .fenced: throw Self.takenOver
            case .refused(.messageTooLarge(let topic, _)): throw tooLarge(for: topic)
            case .refused(let error): throw .broken("\(error)")
            case .aborted(let error), .unfinished(let error), .recreate(let error):
                throw .outside("\(error); what has gone back is not sent twice, so ask again")
            }
        }
    }

    private func transact(_ records: [KafkaOutgoing]) -> KafkaTransactionOutcome {
        producer.transact(
            records, offsets: [:], group: .withoutMembers(names.group(RedriveStage.name)),
            within: Self.answerPatience)
    }

    /// The size of one record, which is no reason for others to stay.
    private func tooLarge(for topic: String) -> StoreFailure {
        .tooLarge(
            KafkaSizes.sentence(
                of: topic, own: configuration.messageBytesMax, bound: bound(of: topic)))
    }

    /// What a topic takes, which somebody may have changed; nil where nobody answers.
    private func bound(of topic: String) -> Int? {
        guard let admin = try? KafkaAdmin(configuration),
            let found = try? admin.describe([topic], within: Self.answerPatience)
        else { return nil }
        return found[topic]?.messageBytesMax
    }

    private static let takenOver = StoreFailure.outside(
        "another redrive has begun and goes on in place of this one; what had gone back by then is "
            + "not sent twice")

    /// An order, in the partition of its letter, and the record that it sends back. The order needs
    /// no value then: the record stands beside it.
    private func outgoing(_ order: Record) -> [KafkaOutgoing] {
        let letter = RedriveHeader.letter(of: order)
        let trace = Record(
            key: order.key, value: nil, headers: order.headers, timestamp: order.timestamp)
        let dead = KafkaOutgoing(
            trace, to: names.topic(.deadLetter), partition: letter?.partition)
        guard let letter,
            let (topic, record) = RedriveStage.returned(
                by: order, to: KafkaLetterSource.targets)
        else { return [dead] }
        // No offset of an order is known before the commit; what the record is of says its letter.
        let source = [
            RecordHeader(SourcedRecord.headerName, "-1"), SourceHeader.header(letter),
        ]
        return [
            dead, KafkaOutgoing(record, to: names.topic(topic), extraHeaders: source),
        ]
    }
}
