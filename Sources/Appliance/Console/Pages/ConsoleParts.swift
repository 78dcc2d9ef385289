package import AppendLog
package import Appliance
package import Reconcile
package import Relay
package import Vocabulary

/// What the pages read, and the two doors by which they change something.
package struct ConsoleParts: Sendable {
    /// What the JSON routes read as well.
    let sources: ConsoleSources
    /// What open pages are told.
    let live: LiveBoard
    let desk: ReviewDesk
    let letters: LetterList
    let redriver: Redriver
    let reconciler: Reconciler?
    /// Copies in other systems; nil where there are none.
    let bridges: BridgeBoard?
    /// Verifies the ledger when a person asks; nil where the daemon cannot.
    let check: LedgerCheck?
    /// Why the daemon is not ready, and what to look at although it is.
    let readiness: Readiness
    let counters: Counters
    let clock: any LogClock
    /// `dev`, `edge`
    let profile: String
    /// Makes refunds at Stripe; nil without an API key.
    let refunds: RefundKeeper?
    /// Where Stripe's API is, for who makes them by hand.
    let stripeBase: String
    /// Seconds after which a review that nobody decides is declined; nil keeps it held.
    let reviewExpirySeconds: Int64?
    /// Payments that are sent as Stripe would; nil where nothing can be sent.
    let sent: SentBoard?

    package init(
        sources: ConsoleSources, live: LiveBoard, desk: ReviewDesk, letters: LetterList,
        redriver: Redriver, reconciler: Reconciler?, bridges: BridgeBoard? = nil,
        check: LedgerCheck? = nil, readiness: Readiness, counters: Counters, clock: any LogClock,
        profile: String, sent: SentBoard? = nil, refunds: RefundKeeper? = nil,
        stripeBase: String = "https://api.stripe.com", reviewExpirySeconds: Int64? = nil
    ) {
        self.sources = sources
        self.live = live
        self.desk = desk
        self.letters = letters
        self.redriver = redriver
        self.reconciler = reconciler
        self.bridges = bridges
        self.check = check
        self.readiness = readiness
        self.counters = counters
        self.clock = clock
        self.profile = profile
        self.refunds = refunds
        self.stripeBase = stripeBase
        self.reviewExpirySeconds = reviewExpirySeconds
        self.sent = sent
    }

    var ledger: any LedgerReading { sources.ledger }

    /// By the daemon's own clock.
    var now: Instant { Instant(seconds: clock.now().milliseconds / 1_000) }

    func topic(_ id: TopicID) -> TopicReader { sources.reader(id) }

    /// Records of a topic that are kept.
    func count(_ id: TopicID) -> Int64 {
        let reader = topic(id)
        return reader.start.distance(to: reader.end)
    }
}
