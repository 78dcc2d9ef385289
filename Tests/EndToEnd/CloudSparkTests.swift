import Foundation
import TestSupport
import Testing

/// The Spark job of `deploy/spark`, whose own tests are Python's.
@Suite("The Spark job", .serialized, .timeLimit(.minutes(30)))
struct CloudSparkTests {
    @Test(
        "steps, source and sink; every vector is the engine's; late vectors close their reviews",
        arguments: [
            "test_steps.py", "test_checkpoint.py", "test_kafka_source.py", "test_sink.py",
            "test_parity.py", "test_outside.py", "test_upgrade.py", "test_cloud.py",
        ])
    func tests(file: String) async throws {
        let folder = Repository.root.appending(path: "deploy/spark/tests")
        let ran = try await Child.run(
            try Repository.python("spark"),
            ["-m", "pytest", "-q", "-p", "no:cacheprovider", folder.appending(path: file).path],
            environment: ["TILLBOX": Tillbox.executable, "HOME": "/tmp"])
        #expect(ran.code == 0, "\(ran.output.suffix(6_000)) \(ran.errors.suffix(800))")
        #expect(ran.output.contains(" passed"))
    }
}
