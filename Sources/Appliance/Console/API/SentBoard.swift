import AppendLog
import Appliance
import Synchronization
package import Vocabulary

/// What was sent since the daemon's start, and the records that came of it.
///
/// Every look goes on where the last one ended, so that following an order costs each record that
/// comes meanwhile one comparison, whatever its rate.
package final class SentBoard: Sendable {
    /// A record that came of an event.
    struct Found: Sendable {
        var topic: TopicID
        var stored: StoredRecord
        var eventID: String
    }

    /// An order, and what is known of it by now.
    struct Followed: Sendable {
        var sent: SentPayment
        var found: [Found] = []
        /// Of each topic what is to be looked at next.
        var next: [TopicID: Offset]
    }

    /// Orders that are remembered, the newest.
    private static let orderCountMax = 50
    /// Records of one topic that a look goes through.
    private static let recordsPerLook = 20_000
    /// Records that are kept of what came of one order, over all its events and topics.
    private static let foundCountMax = 100
    static let topics: [TopicID] = [
        .webhookReceived, .paymentValidated, .paymentFeatures, .paymentScored, .deadLetter,
    ]

    let sender: any PaymentSending
    private let reader: @Sendable (TopicID) -> TopicReader
    private let orders = Mutex<[Followed]>([])

    package init(
        sender: any PaymentSending, reader: @escaping @Sendable (TopicID) -> TopicReader
    ) {
        self.sender = sender
        self.reader = reader
    }

    /// Sends an order and remembers it.
    func send(_ order: PaymentOrder) async throws(Problem) -> SentPayment {
        let places = Dictionary(uniqueKeysWithValues: Self.topics.map { ($0, reader($0).end) })
        let sent: SentPayment
        do throws(SendingRefusal) {
            sent = try await sender.send(order)
        } catch {
            throw error.problem
        }
        orders.withLock { orders in
            orders.append(Followed(sent: sent, next: places))
            if orders.count > Self.orderCountMax { orders.removeFirst() }
        }
        return sent
    }

    /// The orders, the newest first.
    var recent: [SentPayment] { orders.withLock { $0.reversed().map(\.sent) } }

    /// Everything of a payment that was sent, oldest first; empty for one that is not remembered.
    /// Blocking.
    func follow(_ id: String) throws -> [Followed] {
        var followed = orders.withLock { $0.filter { $0.sent.id == id } }
        for place in followed.indices { try goOn(&followed[place]) }
        orders.withLock { orders in
            for order in followed {
                // Two may look at once: either of them has seen all up to its own place.
                if let place = orders.firstIndex(where: { $0.sent == order.sent }) {
                    orders[place] = order
                }
            }
        }
        return followed
    }

    private func goOn(_ order: inout Followed) throws(StoreFailure) {
        let events = Set(order.sent.events.map(\.eventID.rawValue))
        for topic in Self.topics {
            let reader = reader(topic)
            var next = max(order.next[topic] ?? reader.end, reader.start)
            var (found, count) = (order.found, 0)
            try reader.scan(from: next) { stored in
                guard count < Self.recordsPerLook else { return false }
                count += 1
                next = stored.offset.advanced(by: 1)
                if let event = stored.record.text("event-id"), events.contains(event),
                    found.count < Self.foundCountMax
                {
                    found.append(Found(topic: topic, stored: stored, eventID: event))
                }
                return true
            }
            (order.found, order.next[topic]) = (found, next)
        }
    }
}
