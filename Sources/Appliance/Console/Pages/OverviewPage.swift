import AppendLog
import Appliance
import Hummingbird
import Reconcile
import Vocabulary

/// `/`: whether the money is right, what waits for a person, the pipeline, and what came last.
struct OverviewPage {
    let parts: ConsoleParts
    private let pages: ConsolePages

    init(_ pages: ConsolePages) { (parts, self.pages) = (pages.parts, pages) }

    /// Single payments that are shown, and records that they are looked for in.
    private static let feedMax = 12

    func response(_ asked: PageRequest) throws -> Response {
        let trial = LedgerView.totals(try parts.ledger.balances())
        let run = try lastRun()
        let readers = parts.sources.lags()
        let reviews = try parts.ledger.openReviews(after: TransactionID(0), limit: 1_000)
        let proofs = [
            trialProof(trial), reconciliationProof(run), missedProof(run), unreadProof(readers),
            reviewProof(reviews), letterProof(),
        ]
        let warnings = parts.readiness.current + parts.readiness.warnings
        var view = OverviewView(
            answer: OverviewView.Answer(proofs, warnings, isEmpty: trial.isEmpty), proofs: proofs,
            warnings: warnings.map(ShownText.escaped), stages: stages(readers),
            topology: TopologyView(parts, readers, reviewCount: reviews.count),
            figures: figures(reviews), feed: try feed(), hasFeed: false)
        view.hasFeed = !view.feed.isEmpty
        return ConsolePages.html("overview", pages.shell("Overview", .overview, asked), view)
    }

    // MARK: The money

    /// The newest run that has ended; nil before the first.
    private func lastRun() throws(LedgerError) -> RunReport? {
        try parts.reconciler?.reports(before: nil, limit: 10).first { $0.run.state.isOver }
    }

    private func trialProof(_ totals: [LedgerView.Total]) -> OverviewView.Proof {
        let wrong = totals.filter { !$0.isZero }
        guard wrong.isEmpty else {
            return .init(
                "Trial balance", "Not zero",
                "in \(wrong.map(\.amount.code).joined(separator: ", "))", .stop, "/ledger")
        }
        let count = Int64(totals.count)
        return .init(
            "Trial balance", "Zero",
            totals.isEmpty
                ? "nothing is booked yet"
                : "in \(ShownNumber.count(count, "currency", "currencies"))", .ok, "/ledger")
    }

    private func reconciliationProof(_ run: RunReport?) -> OverviewView.Proof {
        guard let run, let ended = run.run.finishedAt else {
            return .init("Reconciliation", "None yet", "needs a Stripe key", .mute, nil)
        }
        let age = "\(ShownAge.words(from: ended, to: parts.now)) ago"
        guard run.isClean else {
            let count = run.breaks.reduce(0) { $0 + $1.count }
            return .init(
                "Reconciliation", count == 0 ? "Not clean" : ShownNumber.count(count, "break"), age,
                .stop, nil)
        }
        return .init(
            "Reconciliation", run.share.map(ShownNumber.share) ?? "Clean", "explained, \(age)", .ok,
            nil)
    }

    private func missedProof(_ run: RunReport?) -> OverviewView.Proof {
        guard let swept = run?.run.sweptTo else {
            return .init("Missed events", "Not looked for", "needs a Stripe key", .mute, nil)
        }
        let age = ShownAge.words(from: swept, to: parts.now)
        return .init("Missed events", "None", "looked for until \(age) ago", .ok, nil)
    }

    private func unreadProof(_ readers: [ConsumerLag]) -> OverviewView.Proof {
        guard let slowest = readers.max(by: { $0.recordCount < $1.recordCount }),
            slowest.recordCount > 0
        else {
            return .init("Unread records", "None", "every reader is at the end", .ok, "/log")
        }
        return .init(
            "Unread records", ShownAmount.grouped(slowest.recordCount),
            "\(slowest.group) of \(slowest.topic)", slowest.recordCount > 10_000 ? .wait : .ok,
            "/log")
    }

    private func reviewProof(_ reviews: [Review]) -> OverviewView.Proof {
        guard let oldest = reviews.map(\.effectiveAt).min() else {
            return .init("Reviews", "None", "nobody need look", .ok, "/review")
        }
        return .init(
            "Reviews", "\(reviews.count) \(reviews.count == 1 ? "waits" : "wait")",
            "oldest \(ShownAge.words(from: oldest, to: parts.now))", .wait, "/review")
    }

    private func letterProof() -> OverviewView.Proof {
        let count = parts.count(.deadLetter)
        return count == 0
            ? .init("Dead letters", "None", "every record was understood", .ok, "/log/letters")
            : .init(
                "Dead letters", ShownAmount.grouped(count), "in the log, redriven or not",
                .wait, "/log/letters")
    }

    // MARK: The pipeline

    private func stages(_ readers: [ConsumerLag]) -> [OverviewView.Stage] {
        let readings: [(TopicID, String, String)] = [
            (.webhookReceived, "Gate", "Validate"), (.paymentValidated, "Validate", "Score"),
            (.paymentFeatures, "Features", "Bridges"), (.paymentScored, "Score", "Ledger"),
            (.ledgerPosted, "Ledger", "Bridges"), (.paymentReview, "People", "Ledger"),
            (.deadLetter, "Any stage", "People"),
        ]
        return readings.map { id, writer, reader in
            let lag = readers.filter { $0.topic == id.rawValue }.map(\.recordCount).max() ?? 0
            let count = parts.count(id)
            return OverviewView.Stage(
                topic: id.rawValue, href: "/log/\(id.rawValue)", writer: writer, reader: reader,
                count: ShownAmount.grouped(count), lag: ShownAmount.grouped(lag),
                tone: lag > 10_000 ? "wait" : "", records: count)
        }
    }

    private func figures(_ reviews: [Review]) -> [OverviewView.Figure] {
        let counters = parts.counters
        func figure(_ name: String, _ count: UInt64, _ second: String) -> OverviewView.Figure {
            OverviewView.Figure(
                name: name, value: ShownAmount.grouped(Int64(clamping: count)), second: second)
        }
        return [
            figure("Booked", UInt64(counters[.booked]), "transactions since the start"),
            figure("Duplicates blocked", UInt64(counters[.duplicates]), "answered, never stored"),
            figure("Held for a person", UInt64(reviews.count), "now"),
        ]
    }

    private func feed() throws(StoreFailure) -> [OverviewView.Payment] {
        let topic = parts.topic(.paymentScored)
        let document = JSONDocument()
        let first = max(topic.start, Offset(max(0, topic.end.rawValue - Int64(Self.feedMax))))
        var payments: [OverviewView.Payment] = []
        try topic.scan(from: first) { stored in
            if let scored = try? ScoredPayment(stored.record.value ?? [], using: document) {
                payments.append(OverviewView.Payment(scored, at: stored.record.timestamp))
            }
            return true
        }
        return payments.reversed()
    }
}
