import Foundation
import Logging
import Testing

@testable import Terminal

@Suite("The journal's priorities")
struct JournalTests {
    @Test("are those of syslog, worse is lower, and no level is without one")
    func priorities() {
        let levels: [(Logger.Level, String)] = [
            (.trace, "<7>"), (.debug, "<7>"), (.info, "<6>"), (.notice, "<5>"), (.warning, "<4>"),
            (.error, "<3>"), (.critical, "<2>"),
        ]
        #expect(levels.map(\.0) == Logger.Level.allCases)
        for (level, prefix) in levels {
            #expect(String(decoding: Journal.prefix(of: level), as: UTF8.self) == prefix)
        }
    }

    @Test("are written only where the output is the socket that systemd named")
    func stream() throws {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        defer { ends.forEach { close($0) } }
        let own = try #require(Journal.place(of: ends[1]))
        // As the kernel says it: `pipe:[INODE]`.
        let said = try FileManager.default.destinationOfSymbolicLink(
            atPath: "/proc/self/fd/\(ends[1])")
        #expect(said == "pipe:[\(own.drop { $0 != ":" }.dropFirst())]")
        #expect(Journal.takes(ends[1], stream: own))
        #expect(!Journal.takes(ends[1], stream: nil))
        #expect(!Journal.takes(ends[1], stream: own + "0"))
        #expect(!Journal.takes(-1, stream: own))
    }
}
