import Foundation
import TestSupport
import Testing

/// Each mistake an operator can make: one sentence that says what to do, an exit code that says
/// whether another start may go better, nothing harmed.
@Suite("Bad use", .serialized)
struct BadUseTests {
    /// Runs the daemon in `data` and expects it to refuse.
    ///
    /// - Parameter code: 78 where it is the configuration that a person has to correct.
    private func refusal(
        data: String, arguments: [String] = [], environment: [String: String] = [:],
        secret: String? = "whsec_test", code: Int32 = 3
    ) async throws -> String {
        var all = [
            "TILLBOX_WEBHOOK_PORT": "\(try freePort())", "TILLBOX_ADMIN_PORT": "\(try freePort())",
        ]
        if let secret { all["TILLBOX_WEBHOOK_SECRET"] = secret }
        let answer = try await Child.run(
            Tillbox.executable, ["run", "--data", data] + arguments,
            environment: all.merging(environment) { $1 })
        #expect(answer.code == code, "\(answer.errors)")
        let sentences = answer.errors.split(separator: "\n").filter { $0.hasPrefix("tillbox: ") }
        #expect(sentences.count == 1, "\(answer.errors)")
        return sentences.first.map(String.init) ?? ""
    }

    @Test("a missing secret names the variable to set, and makes no folder")
    func secretMissing() async throws {
        let folder = try TemporaryFolder()
        let message = try await refusal(data: folder.file("data"), secret: nil, code: 78)
        #expect(message.contains("TILLBOX_WEBHOOK_SECRET"))
        #expect(!FileManager.default.fileExists(atPath: folder.file("data")))
    }

    @Test("a secret file that others can read stops the start")
    func secretExposed() async throws {
        let folder = try TemporaryFolder()
        let file = folder.file("secret")
        try "whsec_x".write(toFile: file, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: file)
        let message = try await refusal(
            data: folder.file("data"), environment: ["TILLBOX_WEBHOOK_SECRET_FILE": file],
            secret: nil, code: 78)
        #expect(message.contains("chmod 600 \(file)"))
        #expect(!message.contains("whsec_x"))
    }

    @Test("a secret file that is not there yet, or is still empty, is worth another start")
    func secretNotThereYet() async throws {
        let folder = try TemporaryFolder()
        let file = folder.file("secret")
        for said in ["cannot read the secret file \(file)", "the secret file \(file) is empty"] {
            let message = try await refusal(
                data: folder.file("data"), environment: ["TILLBOX_WEBHOOK_SECRET_FILE": file],
                secret: nil)
            #expect(message.contains(said), "\(message)")
            try Data().write(to: URL(filePath: file))
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o600], ofItemAtPath: file)
        }
    }

    @Test("a threshold that loosens the model's is a mistake in the configuration")
    func thresholdLoosened() async throws {
        let folder = try TemporaryFolder()
        let message = try await refusal(
            data: folder.file("data"), environment: ["TILLBOX_VERDICT_BLOCK_FROM": "1"], code: 78)
        #expect(message.contains("configuration may only tighten it"), "\(message)")
        #expect(!FileManager.default.fileExists(atPath: folder.file("data")))
    }

    @Test("a port in use is named with the key that changes it")
    func portInUse() async throws {
        let folder = try TemporaryFolder()
        let port = try freePort()
        let first = try Tillbox.start(
            data: folder.file("a"), webhookPort: port, adminPort: try freePort())
        try await first.untilListening()
        let message = try await refusal(
            data: folder.file("b"), environment: ["TILLBOX_WEBHOOK_PORT": "\(port)"])
        #expect(message.contains("127.0.0.1:\(port) is in use"))
        #expect(message.contains("webhook.port"))
        #expect(first.isRunning)
        first.kill(SIGTERM)
        #expect(await first.wait() == 0)
    }

    @Test("a host that has no address is named with the key that changes it")
    func unknownHost() async throws {
        let folder = try TemporaryFolder()
        let message = try await refusal(
            data: folder.file("data"), environment: ["TILLBOX_WEBHOOK_HOST": "example.invalid"])
        #expect(message.contains("no address is known of example.invalid"), "\(message)")
        #expect(message.contains("check webhook.host and webhook.port"), "\(message)")
    }

    @Test("the twin's port in use is named with the option that changes it", arguments: [
        (["twin", "--port"], "set --port to a free port"),
        (["demo", "--twin-port"], "name a free port with --twin-port"),
    ])
    func twinPortInUse(command: [String], expected: String) async throws {
        let port = try freePort()
        let first = try Child(Tillbox.executable, ["twin", "--port", "\(port)"])
        try await eventually("the twin listens: \(first.standardError)") {
            first.standardOutput.contains("listens on") || !first.isRunning
        }
        let answer = try await Child.run(Tillbox.executable, command + ["\(port)"])
        #expect(answer.code == 3 && answer.output.isEmpty, "\(answer)")
        #expect(answer.errors.contains(expected), "\(answer.errors)")
        #expect(!answer.errors.contains("twin.port"), "\(answer.errors)")
        first.kill(SIGTERM)
        #expect(await first.wait() == 0)
    }

    @Test("a data folder in use by another daemon names that process")
    func folderInUse() async throws {
        let folder = try TemporaryFolder()
        let first = try Tillbox.start(
            data: folder.file("data"), webhookPort: try freePort(), adminPort: try freePort())
        try await first.untilListening()
        let message = try await refusal(data: folder.file("data"))
        #expect(message.contains("\(first.processID)"), "\(message)")
        first.kill(SIGTERM)
        #expect(await first.wait() == 0)
    }

    @Test(
        "a data folder that cannot be written says which",
        arguments: ["/proc/tillbox", "file/data", "file"])
    func folderNotWritable(path: String) async throws {
        let folder = try TemporaryFolder()
        try "in the way".write(toFile: folder.file("file"), atomically: true, encoding: .utf8)
        let data = path.hasPrefix("/") ? path : folder.file(path)
        let message = try await refusal(data: data)
        #expect(message.contains(data))
        #expect(message.contains("--data"))
        // The system's words, without a full stop in the middle of the sentence.
        #expect(!message.contains(".;") && !message.contains("operation"), "\(message)")
    }

    @Test("a mistyped key names the nearest known one")
    func unknownKey() async throws {
        let folder = try TemporaryFolder()
        let file = folder.file("tillbox.yaml")
        try "webhook:\n  prot: 8080\n".write(toFile: file, atomically: true, encoding: .utf8)
        let message = try await refusal(
            data: folder.file("data"), arguments: ["--config", file], code: 78)
        #expect(message.contains("webhook.prot"))
        #expect(message.contains("did you mean webhook.port?"))
        #expect(!FileManager.default.fileExists(atPath: folder.file("data")))
    }

    @Test("a bad value names the key and what it must be")
    func badValue() async throws {
        let folder = try TemporaryFolder()
        let message = try await refusal(
            data: folder.file("data"), environment: ["TILLBOX_WEBHOOK_TOLERANCE_SECONDS": "soon"],
            code: 78)
        #expect(message.contains("webhook.tolerance_seconds"))
        #expect(message.contains("whole number"))
    }

    @Test("a damaged model stops the start before the data is touched", arguments: [true, false])
    func damagedModel(isCutOff: Bool) async throws {
        let folder = try TemporaryFolder()
        let model = Repository.root.appending(path: "model")
        try FileManager.default.copyItem(
            atPath: model.appending(path: "schema.json").path, toPath: folder.file("schema.json"))
        var bytes = try Data(contentsOf: model.appending(path: "fraud.ubj"))
        bytes = isCutOff ? bytes.prefix(bytes.count / 2) : Data("not a model".utf8)
        try bytes.write(to: URL(filePath: folder.file("fraud.ubj")))
        let message = try await refusal(
            data: folder.file("data"),
            environment: ["TILLBOX_MODEL_PATH": folder.file("fraud.ubj")])
        #expect(message.contains("model"))
        #expect(!FileManager.default.fileExists(atPath: folder.file("data")))
    }

    @Test("a damaged segment is named with its offset, and nothing is changed")
    func damagedSegment() async throws {
        let folder = try TemporaryFolder()
        let data = folder.file("data")
        let port = try freePort()
        let daemon = try Tillbox.start(data: data, webhookPort: port, adminPort: try freePort())
        try await daemon.untilListening()
        let traffic = try await Tillbox.simulate(to: port, count: 300, seed: 5)
        #expect(traffic.code == 0, "\(traffic.errors)")
        daemon.kill(SIGKILL)
        await daemon.wait()

        let segment = "\(data)/log/webhook.received-0/00000000000000000000.log"
        var bytes = try Data(contentsOf: URL(filePath: segment))
        bytes[200] ^= 0x01
        try bytes.write(to: URL(filePath: segment))
        let verify = try await Tillbox.run("log", "verify", "--data", data)
        #expect(verify.code == 1)
        #expect(verify.errors.contains("webhook.received-0"), "\(verify.errors)")
        let message = try await refusal(data: data)
        #expect(message.contains("00000000000000000000.log"), "\(message)")
    }

    @Test("wrong usage is exit code 2", arguments: [["run", "--nonsense"], ["fly"], ["log", "cat"]])
    func wrongUsage(arguments: [String]) async throws {
        #expect(try await Child.run(Tillbox.executable, arguments).code == 2)
    }
}
