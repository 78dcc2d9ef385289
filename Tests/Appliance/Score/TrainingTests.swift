import Foundation
import Testing

@testable import Appliance
@testable import Vocabulary

@Suite("Training")
struct TrainingTests {
    /// The interpreter of `TILLBOX_TEST_PYTHON`, else the repository's own environment.
    private static var interpreter: URL {
        if let path = ProcessInfo.processInfo.environment["TILLBOX_TEST_PYTHON"] {
            return URL(fileURLWithPath: path)
        }
        return FeatureFixture.repository.appending(path: ".venv/bin/python3")
    }

    @Test("rebuilds the model, its schema, its golden files and its card byte for byte")
    func reproducible() throws {
        let python = Self.interpreter
        guard FileManager.default.isExecutableFile(atPath: python.path) else {
            Issue.record("\(python.path) is not there: run `make setup`")
            return
        }
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "tillbox-training-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let process = Process()
        process.executableURL = python
        process.arguments = [
            "-B", FeatureFixture.repository.appending(path: "model/train.py").path, "--out",
            folder.path,
        ]
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        for name in ["fraud.ubj", "schema.json", "golden.csv", "golden_events.jsonl", "CARD.md"] {
            let made = try Data(contentsOf: folder.appending(path: name))
            let kept = Data(try FeatureFixture.model(name))
            #expect(made == kept, "model/\(name) is not what model/train.py writes")
        }
    }
}
