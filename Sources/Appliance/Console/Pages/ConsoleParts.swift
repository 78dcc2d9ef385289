package import AppendLog
package import Appliance
package import Reconcile
package import Relay
package import Vocabulary

/// What the pages read, and the two doors by which they change something.
package struct ConsoleParts: Sendable {
    package let ledger: any LedgerReading
    let desk: ReviewDesk
    let letters: LetterList
    let redriver: Redriver
    let reconciler: Reconciler?
    /// Copies in other systems; nil where there are none.
    let bridges: BridgeBoard?
    /// A topic of the log; nil where there is none.
    let topic: @Sendable (TopicID) -> TopicReader?
    /// Made for each page that explains something: it is for one caller at a time.
    let explainer: @Sendable () -> Explainer
    /// How far each reader of a topic is.
    let readers: @Sendable () -> [ReaderPlace]
    /// Why the daemon is not ready, and what to look at although it is.
    let readiness: Readiness
    let counters: Counters
    let clock: any LogClock
    /// `dev`, `edge`
    let profile: String

    /// Where a reader of a topic is.
    package struct ReaderPlace: Hashable, Sendable {
        package var group, topic: String
        package var lag: Int64

        package init(group: String, topic: String, lag: Int64) {
            (self.group, self.topic, self.lag) = (group, topic, lag)
        }
    }

    package init(
        ledger: any LedgerReading, desk: ReviewDesk, letters: LetterList, redriver: Redriver,
        reconciler: Reconciler?, bridges: BridgeBoard? = nil,
        topic: @escaping @Sendable (TopicID) -> TopicReader?,
        explainer: @escaping @Sendable () -> Explainer,
        readers: @escaping @Sendable () -> [ReaderPlace], readiness: Readiness,
        counters: Counters, clock: any LogClock, profile: String
    ) {
        self.ledger = ledger
        self.desk = desk
        self.letters = letters
        self.redriver = redriver
        self.reconciler = reconciler
        self.bridges = bridges
        self.topic = topic
        self.explainer = explainer
        self.readers = readers
        self.readiness = readiness
        self.counters = counters
        self.clock = clock
        self.profile = profile
    }

    /// By the daemon's own clock.
    var now: Instant { Instant(seconds: clock.now().milliseconds / 1_000) }
}
