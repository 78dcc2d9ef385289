import Foundation
import TestSupport
import Testing

/// What `make` would do, from the Makefile itself; nothing is built.
@Suite("make")
struct MakeTests {
    private static func plan(_ target: String) async throws -> [String] {
        let plan = try await Child.run(
            "/usr/bin/make", ["-n", "-C", Repository.root.path, target],
            environment: ["HOME": "/tmp"])
        try #require(plan.code == 0, "\(plan.errors)")
        return plan.output.split(separator: "\n").map(String.init)
    }

    /// Flags that differ from one call to the next make the next one build everything again; so do
    /// colours, which are a flag of the compiler on a terminal only.
    @Test("run, build and test build alike, whatever they write to")
    func alike() async throws {
        for target in ["run", "build", "test"] {
            let build = #/^\s*swift build /#
            let builds = try await Self.plan(target).filter { $0.contains(build) }
            try #require(builds.count == 1, "\(target): \(builds)")
            #expect(builds[0].contains("swift build --no-color-diagnostics -c release"))
        }
    }

    @Test("a first build says how long it takes; the tool's own steps are its progress")
    func firstBuild() async throws {
        for target in ["run", "build", "test"] {
            let plan = try await Self.plan(target).joined(separator: "\n")
            #expect(plan.contains(#/for the first time: \d+ to \d+ minutes/#), "\(target): \(plan)")
            #expect(!plan.contains("swift build --quiet") && !plan.contains("> /dev/null"))
        }
    }
}
