import Foundation
import TestSupport
import Testing
import TwinSupport

@testable import Appliance
@testable import Vocabulary

/// `tillbox simulate` as a process.
@Suite("Simulate as a process", .timeLimit(.minutes(5)))
struct SimulateProcessTests {
    private static func simulate(
        port: Int, seed: Int, _ more: [String]
    ) async throws -> (code: Int32, output: String, errors: String) {
        try await Child.run(
            Tillbox.executable,
            [
                "simulate", "--to", "http://127.0.0.1:\(port)/", "--secret", "whsec_x", "--rate",
                "0", "--count", "3000", "--seed", "\(seed)", "--json",
            ] + more)
    }

    /// Hashes are seeded anew in each process, so an order that came from a dictionary would show.
    @Test("two processes with one seed send the same bytes", arguments: [[], ["--templates"]])
    func deterministic(mode: [String]) async throws {
        let gate = ScriptedGate()
        let port = try await gate.listen()
        let options = mode + ["--duplicates", "0.1", "--reorder", "0.1"]
        let first = try await Self.simulate(port: port, seed: 21, options)
        #expect(first.code == 0, "\(first.errors)")
        let sent = gate.state.bodies
        #expect(sent.count > 2_500 && sent.values.allSatisfy { $0.count == 1 })
        // Every event is known to this gate now, which simulate tells.
        let second = try await Self.simulate(port: port, seed: 21, options)
        #expect(second.code == 1 && second.output.contains("called_duplicate_at_first"))
        #expect(gate.state.bodies == sent)
        try await gate.stop()
    }

    @Test(
        "an endpoint is sent what it is subscribed to, and nothing else",
        arguments: [[], ["--templates"]])
    func subscribed(mode: [String]) async throws {
        let gate = ScriptedGate()
        let port = try await gate.listen()
        let ended = try await Self.simulate(
            port: port, seed: 3, mode + ["--events", "charge.succeeded,refund.created"])
        #expect(ended.code == 0, "\(ended.errors)")
        #expect(gate.state.types == ["charge.succeeded", "refund.created"])
        try await gate.stop()
    }

    @Test("a type that the world never tells of is refused with those that it tells of")
    func unknownType() async throws {
        let ended = try await Self.simulate(
            port: try freePort(), seed: 3, ["--events", "charge.succeeded,charge.suceeded"])
        #expect(ended.code == 2 && ended.errors.contains("charge.succeeded, charge.failed"))
    }

    @Test("nobody listening is one sentence and exit code 3")
    func nobody() async throws {
        let ended = try await Self.simulate(port: try freePort(), seed: 1, [])
        #expect(ended.code == 3)
        #expect(ended.errors.contains("Nobody listens"))
        #expect(ended.errors.split(separator: "\n").count == 1)
    }

    @Test("a folder without a ledger to prove is one sentence and exit code 3")
    func noLedger() async throws {
        let gate = ScriptedGate()
        let port = try await gate.listen()
        let folder = try TemporaryFolder()
        let ended = try await Self.simulate(port: port, seed: 1, ["--prove", folder.path])
        #expect(ended.code == 3)
        #expect(ended.errors.contains("--prove"), "\(ended.errors)")
        try await gate.stop()
    }
}
