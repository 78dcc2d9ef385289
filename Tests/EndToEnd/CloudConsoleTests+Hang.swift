import TestSupport
import Testing

/// A Postgres that takes questions and answers none of them.
extension CloudConsoleTests {
    /// Whoever asks is told so within seconds: a program whose token only Postgres knows, and one
    /// for whom the ledger is read.
    func expectHang(_ place: CloudPlace, _ console: Console) async throws {
        let made = try await place.run("token", "add", "hung", "--role", "viewer")
        let token = try #require(made.output.firstMatch(of: /tillbox_[A-Za-z0-9_-]+/)).output
        #expect(try console.ask("GET", "/api/v1/accounts", token: String(token)).status == 200)
        place.postgres.pause()
        defer { place.postgres.resume() }
        for (path, shown) in [
            ("/api/v1/accounts", String(token)), ("/api/v1/accounts", Self.token),
            ("/ledger", Self.token), ("/review", Self.token),
        ] {
            let begun = ContinuousClock.now
            let answer = try console.ask("GET", path, token: shown)
            let waited = ContinuousClock.now - begun
            // 5 s by its own clock; the ledger's own connections would wait for 37.
            #expect(waited < .seconds(12), "\(path): \(waited)")
            #expect(answer.status == 503, "\(path): \(answer)")
            #expect(answer.content.contains("no answer within"), "\(path): \(answer.text)")
            #expect(answer.content.contains("Postgres"), "\(path): \(answer.text)")
        }
        place.postgres.resume()
        try await eventually("it reads again", every: .milliseconds(100)) {
            try console.ask("GET", "/api/v1/accounts", token: String(token)).status == 200
        }
    }
}
