package import Appliance
import Bridges
import Cloud
import Logging
package import Vocabulary

/// Dead letters of the cloud plane sent back: no service of its own, but a command that somebody
/// starts. It writes nothing on this machine: what has gone back stands at Kafka.
extension CloudPlane {
    /// Hands `body` a redriver, which blocks the thread that this gives it.
    ///
    /// - Parameters:
    ///   - isDryRun: only foretells, and so leaves another redrive alone. Else this one takes over
    ///     from any other, which fails at its next order.
    ///   - index: what is known by now of what has gone back.
    /// - Throws: `SettingsError`; `CloudUnprepared`; `LedgerNotOwn`; `StoreFailure`; what `body`
    ///   throws.
    package func redriving<Value: Sendable>(
        isDryRun: Bool, knowing index: RedriveIndex = RedriveIndex(),
        _ body: (Redriver) async throws -> Value
    ) async throws -> Value {
        try settings.requireKafka(for: "redrive in the profile cloud")
        try settings.requireRedis(for: "redrive in the profile cloud")
        let thread = OwnThread("tillbox.redrive")
        return try await withTaskExecutorPreference(thread) {
            try topics.check(within: CloudTopics.answerPatience)
            try refuseOthersLedger()
            let orders = try KafkaOrders(kafka, names: names)
            if !isDryRun { try await orders.begin() }
            let (redis, producer) = (try redis(), try producer())
            let redriver = Redriver(
                source: try KafkaLetterSource(kafka, names: names)
                    .source(foretellingBy: isDryRun ? sizes() : nil),
                letters: orders,
                admission: RedisAdmission(
                    redis, prefix: settings.redis.prefix,
                    log: KafkaTopicWriter(producer, .webhookReceived, names: names)),
                defaultMerchant: settings.defaultMerchant, livemodes: settings.livemodes,
                clock: clock, counters: counters, knowing: index)
            let outcome: Result<Value, any Error>
            do {
                outcome = .success(try await body(redriver))
            } catch {
                outcome = .failure(error)
            }
            producer.close(within: .seconds(1))
            await redis.shutDown()
            return try outcome.get()
        }
    }

    /// Hands `body` a redriver that only foretells and has no door to write through, so that it
    /// needs neither Redis nor a producer.
    ///
    /// - Throws: `SettingsError`; `StoreFailure`; what `body` throws.
    func foretelling<Value: Sendable>(
        knowing index: RedriveIndex, _ body: (Redriver) async throws -> Value
    ) async throws -> Value {
        try settings.requireKafka(for: "redrive in the profile cloud")
        return try await withTaskExecutorPreference(OwnThread("tillbox.foretell")) {
            try await body(
                Redriver(
                    source: try KafkaLetterSource(kafka, names: names)
                        .source(foretellingBy: sizes()),
                    letters: ShutDoors(), admission: ShutDoors(),
                    defaultMerchant: settings.defaultMerchant, livemodes: settings.livemodes,
                    clock: clock, counters: counters, knowing: index))
        }
    }

    /// How large what goes back may be; nil where Kafka does not say so.
    private func sizes() -> KafkaSizes? {
        try? KafkaSizes(kafka, names: names, topics: KafkaLetterSource.targets)
    }

    /// Letters go back without a ledger: one that cannot be looked at is in nobody's way.
    private func refuseOthersLedger() throws {
        guard settings.postgres.url != nil else { return }
        do {
            try requireOwnLedger()
        } catch let error as LedgerError {
            logger.warning("the ledger is not looked at", metadata: ["error": "\(error)"])
        }
    }

    /// A dead letter; nil where none is.
    package func letter(_ place: SourcePlace) async throws -> StoredLetter? {
        try settings.requireKafka(for: "dead letters in the profile cloud")
        return try await withTaskExecutorPreference(OwnThread("tillbox.letter")) {
            try topics.check(within: CloudTopics.answerPatience)
            return try KafkaLetterSource(kafka, names: names).letter(at: place)
        }
    }
}
