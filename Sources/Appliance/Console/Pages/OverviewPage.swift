import AppendLog
import Appliance
import Hummingbird
import Vocabulary

/// `/`: whether the money is right, what waits for a person, the pipeline, and what came last. All
/// but the last payments is one look at the pipeline, which open pages go on being told of.
struct OverviewPage {
    let parts: ConsoleParts
    private let pages: ConsolePages

    init(_ pages: ConsolePages) { (parts, self.pages) = (pages.parts, pages) }

    /// Single payments that are shown, and records that they are looked for in: others stand
    /// between them, and more than one telling of a payment.
    private static let feedMax = 12
    private static let feedWindow: Int64 = 240

    func response(_ asked: PageRequest) throws -> Response {
        let seen = parts.seen()
        var view = OverviewView(seen.figures, seen.history)
        view.feed = try parts.log == nil ? indexed() : feed()
        view.hasFeed = !view.feed.isEmpty
        return ConsolePages.html("overview", pages.shell("Overview", .overview, asked), view)
    }

    /// The last payments that the index knows, by when they were made.
    private func indexed() throws -> [OverviewView.Payment] {
        var query = PaymentQuery()
        query.limit = Self.feedMax
        return try parts.payments.index.payments(query).rows.compactMap {
            OverviewView.Payment($0)
        }
    }

    /// The last payments that the ledger has considered, each once, with its newest telling: those
    /// that come are told as events.
    private func feed() throws -> [OverviewView.Payment] {
        let topic = parts.topic(.paymentScored)
        let considered = try parts.ledger.position(topic: TopicID.paymentScored.rawValue) ?? 0
        let end = min(topic.end, Offset(considered))
        let first = max(topic.start, Offset(max(0, end.rawValue - Self.feedWindow)))
        let document = JSONDocument()
        var payments: [OverviewView.Payment] = []
        try topic.scan(from: first) { stored in
            guard stored.offset < end else { return false }
            if let scored = try? ScoredPayment(stored.record.value ?? [], using: document),
                let payment = OverviewView.Payment(scored, at: stored)
            {
                payments.append(payment)
            }
            return true
        }
        var names: Set<String> = []
        return Array(
            payments.reversed().filter { names.insert($0.name).inserted }.prefix(Self.feedMax))
    }
}
