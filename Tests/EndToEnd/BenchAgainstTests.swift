import Foundation
import TestSupport
import Testing

@Suite("A benchmark beside another release")
struct BenchAgainstTests {
    private struct Report: Decodable {
        struct Row: Decodable {
            var measure: String
            var rounds: Int
            var peer: String?
            var ratio: Double?
            var ratioLow: Double?
            var ratioHigh: Double?
        }
        var against: String
        var rows: [Row]
    }

    @Test("has a ratio with its spread for every measure", arguments: ["validate", "features"])
    func itself(part: String) async throws {
        let answer = try await Tillbox.run(
            "bench", part, "--quick", "--rounds", "2", "--json", "--against", Tillbox.executable)
        #expect(answer.code == 0, "\(answer.errors)")
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let report = try decoder.decode(Report.self, from: Data(answer.output.utf8))
        #expect(report.against.hasPrefix(Tillbox.executable))
        #expect(!report.rows.isEmpty)
        for row in report.rows {
            #expect(row.rounds == 2 && row.peer == "the other program", "\(row.measure)")
            let ratio = try #require(row.ratio, "\(row.measure)")
            let (low, high) = (try #require(row.ratioLow), try #require(row.ratioHigh))
            // Memory is a difference of two readings, and may be none.
            let isMemory = row.measure.contains("memory")
            #expect(ratio > 0 || isMemory && ratio.isFinite, "\(row.measure)")
            #expect(low <= ratio && ratio <= high, "\(row.measure)")
        }
    }

    @Test("a file that is no tillbox is refused in one sentence", arguments: [
        "/nowhere/tillbox", "/bin/cat", "/bin/false", "/etc/hostname",
    ])
    func noTillbox(path: String) async throws {
        let answer = try await Tillbox.run("bench", "validate", "--quick", "--against", path)
        #expect(answer.code == 3)
        #expect(answer.output.isEmpty)
        let lines = answer.errors.split(separator: "\n")
        #expect(lines.count == 1 && answer.errors.contains(path), "\(answer.errors)")
    }
}
