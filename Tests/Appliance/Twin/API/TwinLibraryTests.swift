import Foundation
import TestSupport
import Testing

@testable import Appliance

@Suite("The twin and Stripe's own library")
struct TwinLibraryTests {
    @Test("Stripe's Python library works on it, changed in nothing but its base address")
    func library() async throws {
        let twin = try Child(Tillbox.executable, ["twin", "--port", "0"])
        try await eventually("the twin listens") {
            !twin.isRunning || twin.standardOutput.contains("curl")
        }
        let address = try #require(
            twin.standardOutput.firstMatch(of: #/listens on (\S+)/#)?.output.1.description)
        let script = Repository.root.appending(path: "Tests/Appliance/Fixtures/stripe_twin.py").path
        let run = try await Child.run(
            try Repository.python(), [script, address, "sk_test_tillbox"])
        #expect(run.code == 0, "\(run.errors.suffix(2_000))")
        #expect(run.output.split(separator: "\n").count == 12)
        twin.kill(SIGTERM)
        #expect(await twin.wait() == 0)
    }

    @Test("it says its address, its key and what to try")
    func welcome() async throws {
        let port = try freePort()
        let twin = try Child(
            Tillbox.executable, ["twin", "--port", "\(port)", "--key", "sk_test_mine"])
        try await eventually("the twin listens") {
            !twin.isRunning || twin.standardOutput.contains("curl")
        }
        #expect(twin.standardOutput.contains("http://127.0.0.1:\(port)"))
        #expect(twin.standardOutput.contains("sk_test_mine"))
    }

    @Test(
        "what it cannot use is refused in a sentence",
        arguments: [
            (["--port", "70000"], "--port"), (["--key", "sk_live_1"], "sk_test_"),
            (["--endpoint", "localhost"], "URL=SECRET"), (["--account", "shop"], "acct_"),
        ])
    func refusals(arguments: [String], word: String) async throws {
        let run = try await Child.run(Tillbox.executable, ["twin"] + arguments)
        #expect(run.code == 2)
        #expect(run.errors.contains(word))
    }
}
