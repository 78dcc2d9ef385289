package import AppendLog
package import Appliance
package import Backup
package import Reconcile
package import Relay
package import Vocabulary

/// What the figures are taken from.
package struct LiveParts: Sendable {
    /// Where a reader of a topic is.
    package struct ReaderPlace: Hashable, Sendable {
        package var group: String
        package var topic: String
        /// What it reads next.
        package var next: Offset
        /// Records that it still has to read.
        package var lag: Int64

        package init(group: String, topic: String, next: Offset, lag: Int64) {
            self.group = group
            self.topic = topic
            self.next = next
            self.lag = lag
        }
    }

    let ledger: any LedgerReading
    let topic: @Sendable (TopicID) -> TopicReader
    /// Every reader of the log; none where they cannot be asked now.
    let readers: @Sendable () -> [ReaderPlace]
    /// nil where there is none.
    let reconciler: Reconciler?
    let bridges: BridgeBoard
    let readiness: Readiness
    let counters: Counters
    let clock: any LogClock
    /// When the whole ledger was verified last and found sound.
    let verifiedAt: @Sendable () -> Instant?
    /// Payments since the start, by the index of payments; nil where there is none.
    let tally: @Sendable () -> PaymentTally?
    /// The last backup of the data folder; nil where none is known.
    let backup: @Sendable () -> BackupNote?

    package init(
        ledger: any LedgerReading, topic: @escaping @Sendable (TopicID) -> TopicReader,
        readers: @escaping @Sendable () -> [ReaderPlace], reconciler: Reconciler?,
        bridges: BridgeBoard, readiness: Readiness, counters: Counters, clock: any LogClock,
        verifiedAt: @escaping @Sendable () -> Instant? = { nil },
        tally: @escaping @Sendable () -> PaymentTally? = { nil },
        backup: @escaping @Sendable () -> BackupNote? = { nil }
    ) {
        self.ledger = ledger
        self.topic = topic
        self.readers = readers
        self.reconciler = reconciler
        self.bridges = bridges
        self.readiness = readiness
        self.counters = counters
        self.clock = clock
        self.verifiedAt = verifiedAt
        self.tally = tally
        self.backup = backup
    }
}
