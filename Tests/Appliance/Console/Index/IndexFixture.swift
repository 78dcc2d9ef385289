import AppendLog
import Foundation
import Synchronization
import TestSupport

@testable import Appliance
@testable import Console
@testable import Vocabulary

/// Records in memory, read as a topic is.
final class ListedTopic: RecordReading {
    private struct State {
        var start: Int64 = 0
        var records: [StoredRecord] = []
    }

    private let state = Mutex(State())
    /// Records that one read returns at most.
    private static let readCountMax = 2_000

    var start: Offset { Offset(state.withLock { $0.start }) }
    var end: Offset { Offset(state.withLock { $0.start + Int64($0.records.count) }) }

    var all: [StoredRecord] { state.withLock { $0.records } }

    func append(_ record: Record) {
        state.withLock { state in
            let offset = Offset(state.start + Int64(state.records.count))
            state.records.append(StoredRecord(offset: offset, record: record))
        }
    }

    /// Takes away what is there, as retention does.
    func forget() {
        state.withLock { state in
            state.start += Int64(state.records.count)
            state.records = []
        }
    }

    func read(from offset: Offset, byteCountMax: Int) throws(StoreFailure) -> [StoredRecord] {
        state.withLock { state in
            let rest = state.records[Int(offset.rawValue - state.start)...]
            return Array(rest.prefix(byteCountMax == 1 ? 1 : Self.readCountMax))
        }
    }

    func offset(at timestamp: Timestamp) throws(StoreFailure) -> Offset? { nil }
}

/// A payment as a test wants it, and how the index should have it.
struct ToldPayment: Hashable {
    var number: Int
    var customer: String?
    var amount: Int64
    var currency = Given.usd
    var created: Int64
    var lastFour: String
    var merchant = "shop"
    var account: String?
    var verdict = Verdict.approve
    var review: ReviewState?
    var isFailed = false
    var isBooked = true

    var charge: String { "ch_\(number)" }

    var place: MoneyPlace {
        if isFailed { return .failed }
        guard isBooked else { return .unbooked }
        return switch verdict {
        case .approve: .payable
        case .block: .blocked
        case .manualReview, .notScored: .held
        }
    }
}

/// An index over topics in memory.
final class IndexFixture {
    let folder: TemporaryFolder
    let path: String
    private let topics: [TopicID: ListedTopic]
    private(set) var index: PaymentIndex
    private let since: Int64

    /// - Parameter since: milliseconds since 1970 from when on the index counts payments.
    init(since: Int64 = 0) throws {
        folder = try TemporaryFolder()
        self.since = since
        path = folder.file("console/index.sqlite")
        let topics = Dictionary(uniqueKeysWithValues: TopicID.allCases.map { ($0, ListedTopic()) })
        self.topics = topics
        index = Self.index(topics, path, log: "log-1", since)
    }

    private static func index(
        _ topics: [TopicID: ListedTopic], _ path: String, log: String, _ since: Int64
    ) -> PaymentIndex {
        PaymentIndex(
            at: path, log: log, since: since,
            reader: { id in
                guard let topic = topics[id] else { preconditionFailure("no \(id)") }
                return TopicReader(topic) { $0 }
            }, logger: PipelineFixture.quiet)
    }

    /// Opens the file anew, as a restart does.
    func reopen(log: String = "log-1") { index = Self.index(topics, path, log: log, since) }

    /// An index of the same records in topics of several partitions, and kept nowhere: each record
    /// is in another partition than the one before it.
    func spread(over count: Int32) -> PaymentIndex {
        var lanes: [SourceLane: ListedTopic] = [:]
        for (id, topic) in topics {
            for partition in 0..<count {
                lanes[SourceLane(topic: id, partition: partition)] = ListedTopic()
            }
            for (place, stored) in topic.all.enumerated() {
                let partition = Int32((place + Int(id.number)) % Int(count))
                lanes[SourceLane(topic: id, partition: partition)]?.append(stored.record)
            }
        }
        return PaymentIndex(
            partitions: count,
            reader: { [lanes] lane throws(StoreFailure) in
                guard let topic = lanes[lane] else { throw .outside("no \(lane)") }
                return TopicReader(topic) { $0 }
            }, logger: PipelineFixture.quiet)
    }

    func append(_ record: Record, to id: TopicID) { topics[id]?.append(record) }

    func append(_ value: some JSONRecord, to id: TopicID, at milliseconds: Int64 = 0) {
        append(
            Record(
                key: nil, value: value.encoded()[...],
                timestamp: Timestamp(milliseconds: milliseconds)), to: id)
    }

    /// Everything that the seven topics say of a payment.
    func tell(_ payment: ToldPayment) {
        let charge = payment.charge
        let body = """
            {"id":"evt_\(payment.number)","type":"charge.succeeded","data":{"object":\
            {"id":"\(charge)","object":"charge","payment_intent":"pi_\(payment.number)",\
            "payment_method_details":{"card":{"last4":"\(payment.lastFour)","brand":"visa"}}}}}
            """
        append(
            Record(
                key: nil, value: ArraySlice(body.utf8),
                timestamp: Timestamp(milliseconds: payment.created * 1_000)),
            to: .webhookReceived)
        let movement = MovementKey((payment.isFailed ? "charge_failed:" : "charge:") + charge)
        let event = PaymentEvent(
            eventID: EventID("evt_\(payment.number)"),
            kind: payment.isFailed ? .paymentFailed : .payment, objectID: charge,
            movement: movement, amount: MinorUnits(payment.amount), currency: payment.currency,
            created: Instant(seconds: payment.created), livemode: false, account: payment.account,
            merchant: MerchantID(payment.merchant), customer: payment.customer, fee: .zero)
        append(event, to: .paymentValidated)
        append(
            ScoredPayment(
                event: event, verdict: payment.verdict, score: 0.5, reasons: [], model: "m",
                featuresAsOf: nil), to: .paymentScored)
        if let review = payment.review {
            append(
                ReviewRecord(
                    movement: movement, state: review, reasons: [], by: "ada",
                    at: Instant(seconds: payment.created)), to: .paymentReview)
        }
        guard payment.isBooked, !payment.isFailed else { return }
        let account = payment.verdict == .approve ? "payable" : "held"
        append(
            LedgerPosted(
                id: Int64(payment.number), movement: movement,
                eventID: EventID("evt_\(payment.number)"), kind: "payment",
                effectiveAt: Instant(seconds: payment.created),
                postedAt: Instant(seconds: payment.created),
                entries: [
                    .init(
                        account: "processor:stripe", currency: payment.currency,
                        amount: MinorUnits(payment.amount)),
                    .init(
                        account: "merchant:\(payment.merchant):\(account)",
                        currency: payment.currency, amount: MinorUnits(-payment.amount)),
                ], hash: String(repeating: "0", count: 64)), to: .ledgerPosted)
    }

    /// Takes in what there is, and lets the records go.
    func catchUpAndForget() throws {
        try index.catchUp()
        for topic in topics.values { topic.forget() }
    }

    /// What the index has, in the order of its list.
    func list(_ query: PaymentQuery = PaymentQuery()) throws -> [PaymentRow] {
        var (query, rows) = (query, [PaymentRow]())
        while true {
            let page = try index.payments(query)
            rows += page.rows
            guard let next = page.next else { return rows }
            query.after = next
        }
    }
}

extension ToldPayment {
    /// A payment of the sort that many are, with few values of each kind so that they meet.
    static func random(_ number: Int, using generator: inout SeededGenerator) -> ToldPayment {
        func pick<Value>(_ values: [Value]) -> Value {
            values[Int.random(in: 0..<values.count, using: &generator)]
        }
        let currencies = ["usd", "eur", "jpy", "kwd"].compactMap { Currency($0) }
        let account = pick([nil, nil, "acct_1", "acct_2"])
        let verdict = pick([Verdict.approve, .approve, .approve, .manualReview, .block])
        return ToldPayment(
            number: number, customer: pick([nil] + (1...20).map { "cus_\($0)" }),
            amount: pick([500, 1_000, 2_000, 128_400, Int64(number)]), currency: pick(currencies),
            created: 1_760_000_000 + Int64.random(in: 0..<400_000, using: &generator) / 100,
            lastFour: pick(["4242", "0001", "1881", "0077"]), merchant: account ?? "shop",
            account: account, verdict: verdict,
            review: verdict == .approve ? nil : pick([.opened, .approved, .declined]),
            isFailed: pick([false, false, false, false, true]),
            isBooked: pick([true, true, true, false]))
    }
}
