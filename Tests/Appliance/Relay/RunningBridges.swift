import ServiceLifecycle

/// Runs services while `body` does, and stops them behind it, whatever it throws.
func running(
    _ services: [any Service], _ body: () async throws -> Void
) async throws {
    let group = ServiceGroup(
        configuration: ServiceGroupConfiguration(
            services: services.map { .init(service: $0) }, logger: PipelineFixture.quiet))
    async let running: Void = group.run()
    let outcome: Result<Void, any Error>
    do {
        outcome = .success(try await body())
    } catch {
        outcome = .failure(error)
    }
    await group.triggerGracefulShutdown()
    try await running
    try outcome.get()
}
