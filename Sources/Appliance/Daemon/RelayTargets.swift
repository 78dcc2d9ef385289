import AppendLog
package import Appliance
import Bridges
package import Logging
package import Relay
import Vocabulary

/// Makes what the settings say that the log and the ledger are copied to.
package struct RelayTargets: Sendable {
    private let settings: Settings
    /// The box's own ledger, for reading.
    private let ledger: @Sendable () throws(LedgerError) -> any LedgerReading
    private let warnings: RationedLog

    package init(
        settings: Settings, logger: Logger,
        ledger: @escaping @Sendable () throws(LedgerError) -> any LedgerReading
    ) {
        self.settings = settings
        self.ledger = ledger
        warnings = RationedLog(logger: logger)
    }

    /// A new target; it connects to nothing yet.
    package func target(_ name: BridgeName) -> any RelayTarget {
        switch name {
        case .kafka: kafka()
        case .redis: redis()
        case .postgres: postgres()
        }
    }

    private func kafka() -> KafkaTarget {
        let (settings, warnings) = (settings, warnings)
        return KafkaTarget { () throws(RelayFailure) in
            do {
                return KafkaPlace(
                    configuration: try settings.kafkaConfiguration(
                        client: "tillbox-bridge", warnings: warnings),
                    names: KafkaNames(prefix: settings.kafka.topicPrefix),
                    partitions: settings.kafka.partitions)
            } catch {
                throw .permanent("\(error)")
            }
        }
    }

    private func redis() -> RedisTarget {
        let settings = settings
        return RedisTarget { () throws(RelayFailure) in
            do {
                return RedisPlace(
                    configuration: try settings.redisConfiguration(),
                    keys: RedisKeys(prefix: settings.redis.prefix))
            } catch {
                throw .permanent("\(error)")
            }
        }
    }

    private func postgres() -> LedgerTarget {
        let configuration = settings.postgresConfiguration()
        return LedgerTarget(.postgres, local: ledger) { () throws(LedgerError) in
            // As the Kafka bridge makes its topics.
            try PostgresSchema.migrateIfNeeded(configuration)
        } copy: { original throws(LedgerError) in
            try PostgresLedger.open(
                configuration, original: original,
                clockMilliseconds: { SystemLogClock().now().milliseconds })
        }
    }
}
