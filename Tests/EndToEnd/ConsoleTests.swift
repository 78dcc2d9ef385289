import Foundation
import TestSupport
import Testing

/// The console in a real browser, beside a real daemon.
@Suite("Console", .serialized, .timeLimit(.minutes(10)))
struct ConsoleTests {
    @Test("a person decides, explains and finds their way, by keyboard, in every size and theme")
    func person() async throws {
        let daemon = try await RunningDaemon(environment: [
            "TILLBOX_VERDICT_AMOUNT_LIMITS": "usd:1,eur:1,gbp:1,jpy:1"
        ])
        #expect(try await daemon.deliver(60, seed: 3) == 0)
        try await daemon.drained("all of it is booked")
        // In the profile dev the link of the first start lets a guest in.
        let link = try #require(
            daemon.daemon.standardError.firstMatch(of: #/http:[^\s"]+/setup\?code=[\w-]+/#))
        let shots = Repository.root.appending(path: ".build/console").path
        let walk = try await Child.run(
            try Repository.python("browser"),
            [
                Repository.root.appending(path: "Tests/EndToEnd/console.py").path,
                String(link.output), shots,
            ])
        #expect(walk.code == 0, "\(walk.output)\(walk.errors.suffix(2_000))")
    }
}
