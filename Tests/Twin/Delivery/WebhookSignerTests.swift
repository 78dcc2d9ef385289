import Foundation
import TestSupport
import Testing

@testable import Traffic
@testable import Vocabulary

@Suite("Webhook signer")
struct WebhookSignerTests {
    private static let secret = "whsec_test_secret"

    /// Reads lines of body and header in base64, and says `ok` or the error's name for each.
    private static let verifier = """
        import base64, sys, stripe
        for line in sys.stdin:
            body, header = [base64.b64decode(part) for part in line.rstrip("\\n").split(",")]
            try:
                event = stripe.Webhook.construct_event(body, header.decode(), sys.argv[1])
                print("ok", event.id)
            except stripe.SignatureVerificationError:
                print("refused")
        """

    @Test("Stripe's own library accepts what is signed well and refuses every forgery")
    func stripesLibrary() throws {
        var plan = DeliveryPlan(
            .init(world: .init(seed: 2, customers: 200), count: 400, badSignatures: 0.3))
        let signer = WebhookSigner(secrets: [Self.secret])
        let now = Instant(seconds: Int64(Date().timeIntervalSince1970))
        var lines = ""
        var expected: [String] = []
        var forgeries: Set<Forgery> = []
        while let delivery = plan.next() {
            let header = delivery.signatureHeader(at: now, by: signer) ?? ""
            lines += Data(delivery.body).base64EncodedString() + ","
            lines += Data(header.utf8).base64EncodedString() + "\n"
            if let forgery = delivery.forgery { forgeries.insert(forgery) }
            // Stripe's library refuses only the past; a signature from the future passes there.
            let passes = delivery.forgery == nil || delivery.forgery == .fromTheFuture
            expected.append(passes ? "ok \(delivery.event.id)" : "refused")
        }
        let answers = try Self.python(Self.verifier, Self.secret, input: lines)
        #expect(answers == expected)
        #expect(forgeries == Set(Forgery.allCases))
    }

    @Test(
        "Stripe's own library accepts both signatures of a rotation, and the second secret's alone")
    func rotation() throws {
        let body = Array(#"{"id":"evt_1","object":"event"}"#.utf8)
        let now = Instant(seconds: Int64(Date().timeIntervalSince1970))
        let headers = [
            WebhookSigner(secrets: [Self.secret]).header(for: body, at: now, isRotating: true),
            WebhookSigner(secrets: ["whsec_new", Self.secret]).header(for: body, at: now),
            WebhookSigner(secrets: ["whsec_new"]).header(for: body, at: now, isRotating: true),
        ]
        let lines = headers.map { header in
            let signature = Data((header ?? "").utf8).base64EncodedString()
            return "\(Data(body).base64EncodedString()),\(signature)\n"
        }
        let answers = try Self.python(Self.verifier, Self.secret, input: lines.joined())
        #expect(answers == ["ok evt_1", "ok evt_1", "refused"])
    }

    private static func python(
        _ script: String, _ argument: String, input: String
    ) throws -> [String] {
        let python = try URL(filePath: Repository.python())
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("tillbox-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let inputFile = folder.appendingPathComponent("input")
        try Data(input.utf8).write(to: inputFile)
        let process = Process()
        process.executableURL = python
        process.arguments = ["-c", script, argument]
        process.standardInput = try FileHandle(forReadingFrom: inputFile)
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let answer = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        return String(decoding: answer, as: UTF8.self).split(separator: "\n").map(String.init)
    }
}
