package import AppendLog
import Logging
package import NIOConcurrencyHelpers
import ServiceLifecycle
package import Twin

private let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// A sender that runs while `body` does, and whose endpoints may change meanwhile.
package func sending(
    to endpoints: [TwinEndpoint], clock: any LogClock = SystemLogClock(),
    change: (inout DeliverySettings) -> Void = { _ in },
    _ body:
        @escaping @Sendable (WebhookSender, NIOLockedValueBox<[TwinEndpoint]>) async throws
        -> Void
) async throws {
    var settings = DeliverySettings()
    settings.schedule.firstMilliseconds = 5
    settings.schedule.longestMilliseconds = 20
    settings.schedule.attemptsMax = 100
    // A slow machine is no reason to try again.
    settings.answerMillisecondsMax = 600_000
    change(&settings)
    let list = NIOLockedValueBox(endpoints)
    let sender = WebhookSender(settings: settings, clock: clock, logger: quiet)
    sender.follow { list.withLockedValue { $0 } }
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await sender.run() }
        try await body(sender, list)
        group.cancelAll()
    }
}

package func endpoint(
    _ id: String = "we_1", port: Int, secrets: [String] = ["whsec_x"], path: String = "/"
) -> TwinEndpoint {
    TwinEndpoint(id: id, url: "http://127.0.0.1:\(port)\(path)", secrets: secrets)
}
