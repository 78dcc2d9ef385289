import AppendLog
import Appliance
import ServiceLifecycle
import Synchronization
import Vocabulary

/// One payment that the ledger has booked, as the demo shows it.
struct DemoPayment: Hashable, Sendable {
    var movement: MovementKey
    var amount: MinorUnits
    var currency: Currency
    var verdict: Verdict
    var reasons: [VerdictReason]
    /// From the webhook's arrival until its transaction was published.
    var latencyMilliseconds: Int64
    /// The transaction's two accounts.
    var debit: String
    var credit: String
}

/// Follows what is scored and what is booked, and keeps the latest payments.
///
/// A screen can show a few payments a second: of what passes between two looks it keeps those that
/// were not approved before those that were, and of each the latest.
final class DemoFeed: Service {
    private let scored: TopicReader
    private let posted: FollowedTopic
    private let clock: any LogClock
    private let latest = Mutex<[DemoPayment]>([])

    private struct Judged {
        var verdict: Verdict
        var reasons: [VerdictReason]
    }

    /// Records that are read at once of a topic at most; beyond it, the oldest are passed over.
    private static let readCountMax: Int64 = 2_000
    /// Verdicts that wait for their transaction.
    private static let judgedCountMax = 10_000
    /// Payments that wait to be shown.
    private static let latestCountMax = 1_000

    init(scored: TopicReader, posted: FollowedTopic, clock: any LogClock) {
        self.scored = scored
        self.posted = posted
        self.clock = clock
    }

    /// Follows the ledger until graceful shutdown.
    func run() async throws {
        var (scoredNext, postedNext) = (scored.end, posted.reader.end)
        var judged: [MovementKey: Judged] = [:]
        let document = JSONDocument()
        while !Task.isShuttingDownGracefully {
            do {
                let from = postedNext
                try await cancelWhenGracefulShutdown { [posted] in
                    try await posted.waitForRecords(from: from)
                }
            } catch StoreFailure.stopping {
                return
            }
            let now = clock.now()
            // What is booked is read first: its verdict is then in the other topic already.
            let booked = Self.records(posted.reader, from: &postedNext)
            Self.remember(Self.records(scored, from: &scoredNext), in: &judged, document)
            keep(booked.compactMap { Self.payment($0, now: now, &judged, document) })
        }
    }

    private func keep(_ payments: [DemoPayment]) {
        latest.withLock { latest in
            latest += payments
            guard latest.count > Self.latestCountMax else { return }
            latest = Self.selection(of: latest, count: Self.latestCountMax / 2)
        }
    }

    /// The payments booked since the last look that a screen should show, oldest first.
    ///
    /// - Parameter count: how many at most.
    func take(count: Int) -> [DemoPayment] {
        let payments = latest.withLock { latest in
            defer { latest = [] }
            return latest
        }
        return Self.selection(of: payments, count: count)
    }

    /// Flagged ones first, of each the latest; in the order in which they were booked.
    static func selection(of payments: [DemoPayment], count: Int) -> [DemoPayment] {
        let byNeed = payments.indices.sorted { left, right in
            let (strict, other) = (
                payments[left].verdict > .approve, payments[right].verdict > .approve
            )
            return strict == other ? left > right : strict
        }
        return byNeed.prefix(count).sorted().map { payments[$0] }
    }

    private static func records(_ topic: TopicReader, from next: inout Offset) -> [StoredRecord] {
        let end = topic.end
        if next.distance(to: end) > readCountMax { next = end.advanced(by: -readCountMax) }
        var records: [StoredRecord] = []
        try? topic.scan(from: next) { stored in
            records.append(stored)
            return stored.offset.advanced(by: 1) < end
        }
        next = max(next, records.last?.offset.advanced(by: 1) ?? end)
        return records
    }

    private static func remember(
        _ records: [StoredRecord], in judged: inout [MovementKey: Judged], _ document: JSONDocument
    ) {
        for stored in records {
            guard let value = stored.record.value,
                let payment = try? ScoredPayment(value, using: document),
                payment.event.kind == .payment, judged[payment.event.movement] == nil
            else { continue }
            // The first scoring is the one that it is booked with; a better informed one moves it.
            judged[payment.event.movement] = Judged(
                verdict: payment.verdict, reasons: payment.reasons)
        }
        if judged.count > judgedCountMax { judged.removeAll() }
    }

    private static func payment(
        _ stored: StoredRecord, now: Timestamp, _ judged: inout [MovementKey: Judged],
        _ document: JSONDocument
    ) -> DemoPayment? {
        guard let value = stored.record.value,
            let posted = try? LedgerPosted(value, using: document),
            posted.kind == PostingKind.payment.name,
            let debit = posted.entries.first(where: { $0.amount > .zero }),
            let credit = posted.entries.first(where: { $0.amount < .zero }),
            let verdict = judged.removeValue(forKey: posted.movement)
        else { return nil }
        return DemoPayment(
            movement: posted.movement, amount: debit.amount, currency: debit.currency,
            verdict: verdict.verdict, reasons: verdict.reasons,
            latencyMilliseconds: max(
                0, now.milliseconds - stored.record.timestamp.milliseconds),
            debit: debit.account, credit: credit.account)
    }
}
