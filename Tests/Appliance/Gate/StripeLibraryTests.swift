import Foundation
import Testing
import TwinSupport

@testable import Appliance
@testable import Vocabulary

/// Stripe's own Python library, driven through `stripe_signatures.py`.
private struct StripeLibrary {
    struct Unavailable: Error, CustomStringConvertible {
        let description: String
    }

    struct Case: Encodable {
        var body: Data
        var secret: String
        var timestamp: Int64 = 0
        var header = ""
    }

    private let python: String
    private let script: String

    /// - Throws: `Unavailable`, saying what to do, where there is no interpreter to run it.
    init() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
        script =
            folder.appending(path: "../Fixtures/stripe_signatures.py")
            .standardizedFileURL.path
        let repository = folder.appending(path: "../../..").standardizedFileURL
        python =
            ProcessInfo.processInfo.environment["TILLBOX_TEST_PYTHON"]
            ?? repository.appending(path: ".venv/bin/python3").path
        guard FileManager.default.isExecutableFile(atPath: python) else {
            throw Unavailable(description: "no Python at \(python); run `make setup`")
        }
    }

    /// The line that the driver prints for each case.
    func run(_ act: String, _ cases: [Case]) throws -> [String] {
        let process = Process()
        process.executableURL = URL(filePath: python)
        process.arguments = [script, act]
        let input = Pipe()
        let output = Pipe()
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        let lines = try cases.map { try JSONEncoder().encode($0) + Data("\n".utf8) }
        // The driver answers line by line, so all of its answers must fit the pipe's 64 KiB.
        try input.fileHandleForWriting.write(contentsOf: lines.reduce(Data(), +))
        try input.fileHandleForWriting.close()
        let answers = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Unavailable(
                description: "the stripe package cannot be used with \(python); run `make setup`")
        }
        return String(decoding: answers, as: UTF8.self).split(separator: "\n").map(String.init)
    }
}

@Suite("Signatures of Stripe's own library")
struct StripeLibraryTests {
    private static let bodies: [[UInt8]] = [
        Array("{}".utf8), Array(#"{"id":"evt_1","name":"Zoë €😀"}"#.utf8), [],
        StripeExample.event("charge.succeeded", StripeExample.charge).bytes,
        Array(String(repeating: "x", count: 20_000).utf8),
    ]
    private static let secrets = ["whsec_a", "whsec_" + String(repeating: "k", count: 200)]

    private func cases() -> [StripeLibrary.Case] {
        Self.bodies.flatMap { body in
            Self.secrets.map { .init(body: Data(body), secret: $0, timestamp: 1_700_000_000) }
        }
    }

    @Test("are accepted here")
    func theirsHere() throws {
        let cases = cases()
        let headers = try StripeLibrary().run("sign", cases)
        try #require(headers.count == cases.count)
        for (signed, header) in zip(cases, headers) {
            let time = try SignatureVerifier(secrets: [signed.secret])
                .verify(
                    header: header, body: Array(signed.body)[...],
                    now: Instant(seconds: 1_700_000_300))
            #expect(time == Instant(seconds: 1_700_000_000))
        }
    }

    @Test("are what ours are taken for there, and a wrong one is refused by both")
    func oursThere() throws {
        var cases = cases()
        for index in cases.indices {
            cases[index].header = StripeSignature.header(
                signing: Array(cases[index].body)[...], at: Instant(seconds: 1_700_000_000),
                secrets: ["whsec_other", cases[index].secret])
        }
        var wrong = cases[0]
        wrong.secret = "whsec_wrong"
        let answers = try StripeLibrary().run("verify", cases + [wrong])
        #expect(answers.dropLast().allSatisfy { $0 == "ok" })
        #expect(answers.count == cases.count + 1)
        #expect(answers.last?.contains("No signatures found matching") == true)
    }

    @Test("and ours are made alike")
    func sameHeader() throws {
        let cases = cases()
        let headers = try StripeLibrary().run("sign", cases)
        let ours = cases.map { signed in
            StripeSignature.header(
                signing: Array(signed.body)[...], at: Instant(seconds: signed.timestamp),
                secrets: [signed.secret])
        }
        #expect(headers == ours)
    }
}
