import Bridges
import Cloud
import Logging
import ServiceLifecycle

extension CloudPlane {
    /// Computes vectors until a signal.
    ///
    /// - Throws: what keeps it out of Kafka, as the roles do.
    package func runFeatures() async throws {
        _ = try checkTopics()
        let (redis, producer) = (try redis(), try producer())
        var quiet = logger
        quiet.logLevel = .critical
        let configuration = ServiceGroupConfiguration(
            services: [
                .init(service: try features(redis, producer)),
                .init(
                    service: StopSignals.kept(StopSignals.all, logger: logger),
                    successTerminationBehavior: .gracefullyShutdownGroup),
            ], logger: quiet)
        try await ServiceGroup(configuration: configuration).run()
        producer.close(within: .seconds(1))
        await redis.shutDown()
    }
}
