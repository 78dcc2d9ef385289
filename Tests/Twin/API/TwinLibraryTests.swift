import Foundation
import TestSupport
import Testing
import TwinSupport

@testable import Twin
@testable import Vocabulary

@Suite("The twin and the libraries of others", .timeLimit(.minutes(5)))
struct TwinLibraryTests {
    private static let key = TwinSettings().apiKeys[0]

    /// Runs a script of Fixtures against a twin of its own.
    ///
    /// - Parameter environment: the Python environment, nil for the common one.
    /// - Returns: the names of the checks that held.
    private static func run(
        _ script: String, in environment: String? = nil, _ arguments: String...
    ) async throws -> [String] {
        let twin = try Child(Tillbox.executable, ["twin", "--port", "0"])
        try await eventually("the twin listens: \(twin.standardError)") {
            !twin.isRunning || twin.standardOutput.contains("curl")
        }
        let address = try #require(
            twin.standardOutput.firstMatch(of: #/listens on (\S+)/#)?.output.1.description)
        let path = Repository.root.appending(path: "Tests/Appliance/Fixtures/\(script)").path
        let run = try await Child.run(
            try Repository.python(environment), [path, address, key] + arguments)
        #expect(run.code == 0, "\(run.output.suffix(500)) \(run.errors.suffix(2_000))")
        twin.kill(SIGTERM)
        #expect(await twin.wait() == 0)
        return run.output.split(separator: "\n").compactMap { line in
            line.hasPrefix("ok ") ? String(line.dropFirst(3)) : nil
        }
    }

    @Test("Stripe's Python library works on it, changed in nothing but its base address")
    func library() async throws {
        #expect(try await Self.run("stripe_twin.py").count == 12)
    }

    @Test(
        "an old and a new generation of it find booleans, expansions and errors as at Stripe",
        arguments: ["stripe2", nil])
    func generations(environment: String?) async throws {
        #expect(
            try await Self.run("stripe_generations.py", in: environment) == [
                "booleans", "expands", "authentication", "refusals", "unattached_once", "pages",
            ])
    }

    @Test("dj-stripe mirrors every model of it, and takes its webhooks")
    func djstripe() async throws {
        let folder = try TemporaryFolder()
        #expect(
            try await Self.run("djstripe_twin.py", in: "djstripe", folder.path) == [
                "prepares", "makes", "mirrors", "listens",
            ])
    }

    @Test("without a seed its ids differ from run to run; it says the seed that brings them back")
    func seeds() async throws {
        func firstID(_ more: String...) async throws -> (seed: String, id: String) {
            let twin = try Child(Tillbox.executable, ["twin", "--port", "0", "--lines"] + more)
            try await eventually("the twin listens") {
                !twin.isRunning || twin.standardOutput.contains("curl")
            }
            let welcome = twin.standardOutput
            let address = try #require(
                welcome.firstMatch(of: #/listens on (\S+)/#)?.output.1.description)
            let seed = try #require(
                welcome.firstMatch(of: #/seed +(\d+)/#)?.output.1.description)
            let answer = try await Child.run(
                "/usr/bin/env",
                ["curl", "-sS", "\(address)/v1/customers", "-u", "\(Self.key):", "-d", "name=a"])
            try await eventually("the call has its line") {
                twin.standardOutput.contains("call 200 POST /v1/customers req_")
            }
            twin.kill(SIGTERM)
            #expect(await twin.wait() == 0)
            return (seed, TwinCaller.parse(Array(answer.output.utf8)).id)
        }
        let (first, second) = (try await firstID(), try await firstID())
        #expect(first.id != second.id && first.seed != second.seed)
        #expect(try await firstID("--seed", first.seed).id == first.id)
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
        let answer = try await Child.run(
            "/usr/bin/env",
            ["curl", "-sS", "http://127.0.0.1:\(port)/v1/balance", "-u", "sk_test_mine:"])
        #expect(answer.code == 0)
        // Nobody looks on here: no line for each call.
        #expect(!twin.standardOutput.contains(" call "))
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
