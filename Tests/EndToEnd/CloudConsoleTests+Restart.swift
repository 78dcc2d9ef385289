import TestSupport
import Testing

/// Consoles that are stopped in good order and started again while somebody watches.
extension CloudConsoleTests {
    /// The stream ends with its instance. Who comes back, to another one, is told that nobody knows
    /// what was missed, and of what comes from then on.
    func expectRestart(_ place: CloudPlace, _ console: Console) async throws {
        let watching = try Watching(console)
        _ = try watching.next("hello")
        #expect(try Ask.deliver(Ask.payment("before"), to: place.port) == 200)
        let told = try watching.next("payment") { $0["movement"].text == "charge:ch_before" }
        let id = try #require(told.id)
        try await place.restart("console")
        #expect(watching.isClosedByPeer())
        let consoles = place.roles.filter { $0.role == "console" }.map { Console(port: $0.admin) }
        try await eventually("the consoles are ready", every: .milliseconds(50)) {
            consoles.allSatisfy { (try? $0.ask("GET", "/readyz").status) == 200 }
        }
        for console in consoles {
            let again = try Watching(console, after: id)
            #expect(try !again.next("hello").data["resumed"].bool)
        }
        let back = try consoles.map { try Watching($0, after: id) }
        for watching in back { _ = try watching.next("hello") }
        #expect(try Ask.deliver(Ask.payment("after"), to: place.port) == 200)
        for watching in back {
            _ = try watching.next("payment") { $0["movement"].text == "charge:ch_after" }
        }
    }
}
