import AppendLog
import Foundation
import TestSupport
import Testing

@testable import Appliance
@testable import Daemon

/// What the commands that verify say beside a daemon that goes on booking: the same as of a folder
/// that stands still.
@Suite("A folder that is being written", .serialized)
struct LiveFolderTests {
    /// Runs the stages of a folder under constant traffic, letters among it, until `body` is done.
    private func underTraffic(
        _ body: (StartFixture, TemporaryFolder) async throws -> Void
    ) async throws {
        let root = try TemporaryFolder()
        let live = StartFixture(root.file("live"))
        try await live.underTraffic(step: 2) { _, daemon in
            try await daemon.log.cursors.mark()
        } _: { daemon in
            try await eventually("the ledger books") { try daemon.ledger.point().head > 20 }
            try await body(live, root)
        }
    }

    @Test("the comparison of its parts finds nothing, at every look")
    func comparison() async throws {
        try await underTraffic { live, _ in
            for look in 0..<60 {
                let state = try DataFolder(existingAt: live.path).survey.state()
                if case .refuse(let refusal) = StartComparison.verdict(of: state) {
                    Issue.record("look \(look): \(refusal)")
                    return
                }
            }
        }
    }

    @Test("every batch and every row are sound, at every look")
    func verification() async throws {
        try await underTraffic { live, _ in
            for look in 0..<6 {
                let log = try Log.openReadOnly(at: "\(live.path)/log", checksSegments: true)
                for topic in log.topics {
                    let corruption = try topic.verify().corruption
                    #expect(corruption == nil, "look \(look), \(topic.name)")
                }
                let ledger = try SQLiteLedgerReader.open(path: "\(live.path)/ledger.sqlite")
                let fault = try ledger.verify().fault
                #expect(fault == nil, "look \(look)")
                try ledger.close()
            }
        }
    }

    @Test("a replay agrees, as far as the daemon has come")
    func replay() async throws {
        try await underTraffic { live, root in
            for look in 0..<4 {
                let replay = try Replay(of: live.settings, into: root.file("again-\(look)"))
                let report = try await replay.run { _, _ in }
                #expect(report.isEqual, "look \(look): \(report.differences.listed.prefix(3))")
                #expect(report.transactions > 0)
            }
        }
    }
}
