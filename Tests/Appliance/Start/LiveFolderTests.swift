import AppendLog
import Foundation
import ServiceLifecycle
import Synchronization
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
        _ body: @escaping @Sendable (StartFixture, TemporaryFolder) async throws -> Void
    ) async throws {
        let root = try TemporaryFolder()
        let live = StartFixture(root.file("live"))
        let daemon = try live.start()
        let group = try live.services(daemon)
        async let running: Void = group.run()
        let isDone = Mutex(false)
        let admitted = Mutex(0)
        async let traffic: Void = {
            var number = 0
            while !isDone.withLock({ $0 }) {
                try await live.admit(number..<number + 2, daemon)
                try await daemon.log.cursors.mark()
                number += 2
                admitted.withLock { $0 = number }
            }
        }()
        try await eventually("the ledger books") {
            try daemon.ledger.point().head > 20 && admitted.withLock { $0 } > 20
        }
        let outcome: Result<Void, any Error>
        do {
            outcome = .success(try await body(live, root))
        } catch {
            outcome = .failure(error)
        }
        isDone.withLock { $0 = true }
        try await traffic
        await group.triggerGracefulShutdown()
        try await running
        try await live.stop(daemon)
        try outcome.get()
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
                var replay = try Replay(of: live.settings, into: root.file("again-\(look)"))
                let report = try await replay.run { _, _ in }
                #expect(report.isEqual, "look \(look): \(report.differences.listed.prefix(3))")
                #expect(report.transactions > 0)
            }
        }
    }
}
