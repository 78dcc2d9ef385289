import Foundation
import TestSupport
import Testing

/// Where the demo draws, and what stays behind.
@Suite("The demo's terminal", .serialized)
struct DemoTerminalTests {
    @Test("is drawn on an alternate screen and has its own back at the end")
    func alternateScreen() async throws {
        let folder = try TemporaryFolder()
        // `script` gives the demo a terminal of its own.
        let command = "stty cols 80 rows 24; TERM=xterm TMPDIR=\(folder.path) "
            + "\(Tillbox.executable) demo --rate 50 --count 100 --twin-port \(try freePort())"
        let answer = try await Child.run(
            "/usr/bin/script", ["-qec", command, folder.file("typescript")])
        #expect(answer.code == 0, "\(answer.output)")
        let parts = answer.output.components(separatedBy: "\u{1B}[?1049h")
        try #require(parts.count == 2, "\(answer.output)")
        let ends = parts[1].components(separatedBy: "\u{1B}[?1049l")
        try #require(ends.count == 2, "\(parts[1])")
        #expect(ends[0].contains("payments booked"), "\(ends[0])")
        #expect(ends[1].contains("The ledger is sound"), "\(ends[1])")
        #expect(!ends[1].contains("payments booked"), "\(ends[1])")
    }

    @Test("is left alone where the demo is piped: lines, and no colour")
    func piped() async throws {
        let folder = try TemporaryFolder()
        let answer = try await Child.run(
            Tillbox.executable,
            ["demo", "--rate", "50", "--count", "100", "--twin-port", "\(try freePort())"],
            environment: ["TMPDIR": folder.path, "TERM": "xterm"])
        #expect(answer.code == 0, "\(answer.errors)")
        #expect(answer.output.contains("admitted "), "\(answer.output)")
        #expect(!(answer.output + answer.errors).contains("\u{1B}"), "\(answer.output)")
    }
}
