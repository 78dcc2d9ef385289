package import AppendLog
package import Appliance
package import Reconcile
package import Relay
package import Vocabulary

/// What the pages read, and the two doors by which they change something.
///
/// Pages that follow the log are there only beside a ``LogParts``; without one the console is that
/// of a plane whose log is elsewhere, which is read by ``ShownLog``, and says in ``absent`` what it
/// lacks.
package struct ConsoleParts: Sendable {
    /// What stands on the log of this process; nil where that is elsewhere.
    let log: LogParts?
    /// Its dead letters, and what sends them back.
    let letters: any LetterReading
    let redriver: any Redriving
    /// Its records, wherever it is.
    let shownLog: ShownLog
    /// What payments are listed and told from.
    let payments: PaymentSources
    /// The pipeline as the overview shows it, with its last hour. Blocking.
    let seen: @Sendable () -> (figures: LiveFigures, history: [LiveHistory.Bucket])
    /// What reports by day are made of.
    let reports: ReportSource
    /// Where decided reviews are listed from.
    let decisions: DecisionSource
    /// What is asked on every plane.
    let ledger: any LedgerReading
    /// One for one caller.
    let explainer: @Sendable () -> Explainer
    /// Parts that this plane has not, so that nobody takes them for a misspelt address.
    let absent: [AbsentPart]
    let desk: ReviewDesk
    let reconciler: Reconciler?
    /// Runs of reconciliation and what they found, whoever made them; nil where none are shown.
    let runs: (any ReconciliationReading)?
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

    /// Where a record is that was written here, in words.
    var kept: String {
        log == nil ? "at Kafka, acknowledged by all replicas" : "on disk"
    }

    /// Beside the log of this process.
    package init(
        sources: ConsoleSources, live: LiveBoard, desk: ReviewDesk, letters: LetterList,
        redriver: Redriver, reconciler: Reconciler?, bridges: BridgeBoard? = nil,
        check: LedgerCheck? = nil, readiness: Readiness, counters: Counters, clock: any LogClock,
        profile: String, sent: SentBoard? = nil, refunds: RefundKeeper? = nil,
        stripeBase: String = Self.stripe, reviewExpirySeconds: Int64? = nil
    ) {
        log = LogParts(sources: sources)
        (self.letters, self.redriver) = (letters, redriver)
        payments = sources.payments
        seen = { live.seen() }
        shownLog = ShownLog(sources)
        reports = ReportSource(sources.index)
        decisions = DecisionSource { sources.reader(.paymentReview) }
        ledger = sources.ledger
        explainer = { sources.explainer }
        absent = []
        self.desk = desk
        self.reconciler = reconciler
        runs = reconciler
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

    /// Of a plane whose log is elsewhere.
    package init(
        ledger: any LedgerReading, shownLog: ShownLog, letters: any LetterReading,
        redriver: any Redriving, payments: PaymentSources,
        live: LiveBoard, reports: ReportSource, decisions: DecisionSource,
        explainer: @escaping @Sendable () -> Explainer, runs: any ReconciliationReading,
        absent: [AbsentPart], desk: ReviewDesk, check: LedgerCheck?, readiness: Readiness,
        counters: Counters, clock: any LogClock, profile: String, refunds: RefundKeeper? = nil,
        stripeBase: String = Self.stripe
    ) {
        log = nil
        (self.letters, self.redriver) = (letters, redriver)
        self.payments = payments
        seen = { live.seen() }
        self.shownLog = shownLog
        self.reports = reports
        self.decisions = decisions
        self.ledger = ledger
        self.explainer = explainer
        self.absent = absent
        self.desk = desk
        reconciler = nil
        self.runs = runs
        bridges = nil
        self.check = check
        self.readiness = readiness
        self.counters = counters
        self.clock = clock
        self.profile = profile
        self.refunds = refunds
        self.stripeBase = stripeBase
        reviewExpirySeconds = nil
        sent = nil
    }

    /// Where Stripe's own API is.
    package static let stripe = "https://api.stripe.com"

    /// For pages that ``ConsolePages`` adds beside a log alone.
    private var own: LogParts {
        guard let log else { preconditionFailure("a page that reads the log has none to read") }
        return log
    }

    var sources: ConsoleSources { own.sources }

    /// By the daemon's own clock.
    var now: Instant { Instant(seconds: clock.now().milliseconds / 1_000) }

    /// The pages of the reports that there are here, for the line above them.
    func reportLinks(at current: ReportSection, _ query: String) -> [SectionLink] {
        let further: [ReportSection] =
            log == nil ? [.reconciliation] : [.reconciliation, .bank, .month]
        return ReportSection.links(at: current, query, reports.reports, further: further)
    }

    func topic(_ id: TopicID) -> TopicReader { sources.reader(id) }
}

/// What stands on the log that this process has open.
package struct LogParts: Sendable {
    /// What the JSON routes read as well.
    let sources: ConsoleSources
}
