import AppendLog
package import Appliance
import Cloud
package import Logging
package import Reconcile
package import Vocabulary
package import Warehouse

extension Settings {
    /// The mode of Stripe's objects that an export has; nil where endpoints take both, so that
    /// somebody has to say it.
    package var exportedLivemode: Bool? {
        let modes = Set(livemodes)
        if modes == [.live] { return true }
        return modes == [.test] ? false : nil
    }

    /// What asks Stripe which lines a payout paid out; nil without an API key.
    func payoutMembers(clock: any LogClock, logger: Logger) -> PayoutMembers? {
        stripeKey.map { key in
            PayoutMembers(
                client: StripeClient(
                    transport: HTTPStripeTransport(
                        base: stripeBase, key: key, clock: StripeClock(clock),
                        reach: StripeReach(base: stripeBase, clock: clock, logger: logger))))
        }
    }

    /// What an export reads of a data folder.
    ///
    /// - Parameters:
    ///   - name: of the log.
    ///   - ledger: opened for reading.
    ///   - statement: in the same file.
    ///   - reader: opens a topic.
    package func warehouse(
        of name: String, livemode: Bool, ledger: any LedgerSQL, statement: StatementStore,
        logger: Logger, reader: @escaping (TopicID) throws -> TopicReader
    ) -> WarehouseSource {
        WarehouseSource(
            name: name, livemode: livemode, lanes: { [try reader($0)] }, ledger: ledger,
            statement: statement,
            members: payoutMembers(clock: SystemLogClock(), logger: logger))
    }
}

/// What an export reads of the cloud plane: topics at Kafka, ledger and statement in Postgres. Only
/// the files are on this machine.
extension CloudPlane {
    /// Looks whether the ledger is booked from these topics. Blocks.
    ///
    /// - Throws: `SettingsError`; `LedgerNotOwn`; `LedgerError`; `StoreFailure`.
    package func warehouse(livemode: Bool) throws -> WarehouseSource {
        try settings.requireKafka(for: "an export in the profile cloud")
        try settings.requirePostgres(for: "an export in the profile cloud")
        try requireOwnLedger()
        let topics = try KafkaLetterSource(kafka, names: names)
        return WarehouseSource(
            name: "kafka \(settings.kafka.bootstrap ?? "") \(settings.kafka.topicPrefix)",
            livemode: livemode, lanes: { try topics.lanes(of: $0) }, ledger: try ledger(),
            statement: try statement(),
            members: settings.payoutMembers(clock: clock, logger: logger))
    }
}
