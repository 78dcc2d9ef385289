import Foundation
import TestSupport
import Testing

/// `make cloud`: the whole of the cloud profile on one machine.
@Suite("The cloud on one machine", .serialized)
struct MakeCloudTests {
    @Test("starts, books, holds and releases a payment, verifies, and ends by itself")
    func whole() async throws {
        let script = Repository.root.appending(path: ".ci/cloud").path
        let ran = try await Child.run(
            try Repository.python(), [script, "--seconds", "12", "--rate", "60"],
            environment: ["TILLBOX": Tillbox.executable, "HOME": "/tmp"])
        #expect(ran.code == 0, "\(ran.output.suffix(2_000)) \(ran.errors.suffix(800))")
        #expect(ran.output.contains("round 1: "))
        #expect(ran.output.contains("  held: charge:"))
        #expect(ran.output.contains("moved to merchant:"), "a held payment was released")
        #expect(ran.output.contains("sound"))
        #expect(ran.errors.isEmpty, "\(ran.errors)")
    }
}
