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

    /// Single payments that are shown, and records that they are looked for in.
    private static let feedMax = 12

    func response(_ asked: PageRequest) throws -> Response {
        let seen = parts.live.seen()
        var view = OverviewView(seen.figures, seen.history)
        view.feed = try feed()
        view.hasFeed = !view.feed.isEmpty
        return ConsolePages.html("overview", pages.shell("Overview", .overview, asked), view)
    }

    /// The last payments that the ledger has considered: those that come are told as events.
    private func feed() throws -> [OverviewView.Payment] {
        let topic = parts.topic(.paymentScored)
        let considered = try parts.ledger.position(topic: TopicID.paymentScored.rawValue) ?? 0
        let end = min(topic.end, Offset(considered))
        let first = max(topic.start, Offset(max(0, end.rawValue - Int64(Self.feedMax))))
        let document = JSONDocument()
        var payments: [OverviewView.Payment] = []
        try topic.scan(from: first) { stored in
            guard stored.offset < end else { return false }
            if let scored = try? ScoredPayment(stored.record.value ?? [], using: document) {
                payments.append(OverviewView.Payment(scored, at: stored))
            }
            return true
        }
        return payments.reversed()
    }
}
