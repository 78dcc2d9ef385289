import Foundation
import TestSupport
import Testing

/// What the demo tells a person to paste, pasted: while its traffic goes on.
@Suite("The demo's hint", .serialized)
struct DemoHintTests {
    @Test(
        "works as pasted and reconciles to zero, as soon as it is printed and every time after",
        arguments: [5, 150])
    func hint(rate: Int) async throws {
        let folder = try TemporaryFolder()
        let demo = try Child(
            Tillbox.executable, ["demo", "--rate", "\(rate)"], environment: ["TMPDIR": folder.path])
        try await eventually("the hint is printed: \(demo.standardError)") {
            !demo.isRunning || Self.hint(of: demo) != nil
        }
        let hint = try #require(Self.hint(of: demo), "\(demo.standardError)")
        for number in 1...4 {
            let run = try await Child.run("/bin/bash", ["-c", hint])
            #expect(run.code == 0, "run \(number): \(run.output) \(run.errors)")
            #expect(run.output.contains("run \(number): clean"), "\(run.output)")
            // Traffic goes on: what was admitted meanwhile is for the next run.
            let admitted = Self.admitted(by: demo)
            try await eventually("more is admitted") {
                Self.admitted(by: demo) > admitted || !demo.isRunning
            }
        }
        let last = try await Child.run("/bin/bash", ["-c", "\(hint) --json"])
        #expect(last.code == 0, "\(last.output.prefix(4_000)) \(last.errors)")
        let root = try JSONSerialization.jsonObject(with: Data(last.output.utf8)) as? [String: Any]
        let run = try #require(root?["reconciliation"] as? [String: Any])
        let breaks = try #require(run["breaks"] as? [String: Int])
        #expect(breaks.filter { $0.key != "late" } == [:])
        #expect(try #require(run["transactions"] as? Int) > 0)
        let currencies = try #require(run["currencies"] as? [[String: Any]])
        #expect(!currencies.isEmpty)
        for currency in currencies {
            #expect(currency["unexplained"] as? Int == 0, "\(currency)")
        }
        #expect(demo.isRunning, "\(demo.standardError)")
        demo.kill(SIGINT)
        #expect(await demo.wait() == 0, "\(demo.standardError)")
        #expect(!demo.standardError.contains("found breaks"), "\(demo.standardError)")
    }

    private static func hint(of demo: Child) -> String? {
        let lines = demo.standardOutput.split(separator: "\n").map(String.init)
        return lines.first { $0.contains(" reconcile run ") }
    }

    private static func admitted(by demo: Child) -> Int {
        let counts = demo.standardOutput.matches(of: #/admitted (\d+)/#)
        return counts.last.flatMap { Int($0.output.1) } ?? 0
    }
}
