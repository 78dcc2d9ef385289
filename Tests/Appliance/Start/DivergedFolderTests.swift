import AppendLog
import Foundation
import TestSupport
import Testing

@testable import Appliance
@testable import Daemon
@testable import Vocabulary

/// Two copies of one folder that went on apart have the same identity, and offsets that fit.
@Suite("Diverged folders", .serialized)
struct DivergedFolderTests {
    private func run(_ fixture: StartFixture, _ numbers: Range<Int>) async throws {
        let daemon = try fixture.start()
        try await fixture.admit(numbers, daemon)
        try await fixture.process(daemon)
        try await fixture.stop(daemon)
    }

    /// The ledger of a shorter copy, beside a log that has gone on otherwise.
    private func diverged(in root: TemporaryFolder) async throws -> (own: StartFixture, String) {
        let (own, other) = (StartFixture(root.file("own")), StartFixture(root.file("other")))
        let files = FileManager.default
        try await run(own, 0..<6)
        try files.copyItem(atPath: own.path, toPath: other.path)
        try await run(own, 6..<30)
        try await run(other, 100..<106)
        for name in try files.contentsOfDirectory(atPath: own.path)
        where name.hasPrefix("ledger.sqlite") {
            try files.removeItem(atPath: "\(own.path)/\(name)")
        }
        for name in try files.contentsOfDirectory(atPath: other.path)
        where name.hasPrefix("ledger.sqlite") {
            try files.copyItem(
                atPath: "\(other.path)/\(name)", toPath: "\(own.path)/\(name)")
        }
        let published = "log/\(TopicID.ledgerPosted.rawValue)-0"
        try files.removeItem(atPath: "\(own.path)/\(published)")
        return (own, "\(other.path)/\(published)")
    }

    @Test(
        "a ledger of a copy that went on otherwise is refused, with or without what it published",
        arguments: [false, true])
    func ledger(withPublished: Bool) async throws {
        let root = try TemporaryFolder()
        let (own, published) = try await diverged(in: root)
        if withPublished {
            try FileManager.default.copyItem(
                atPath: published, toPath: "\(own.path)/log/ledger.posted-0")
        }
        for _ in 0..<2 {
            #expect {
                try own.start()
            } throws: { error in
                guard let refusal = error as? StartRefusal else { return false }
                return refusal.reason.contains("is not the one that the ledger has booked")
                    && !refusal.remedy.contains("move everything")
            }
        }
    }

    @Test("its own ledger has stored what lies before its positions, and starts")
    func own() async throws {
        let root = try TemporaryFolder()
        let own = StartFixture(root.file("own"))
        try await run(own, 0..<6)
        try await run(own, 6..<12)
        let daemon = try own.start()
        let point = try daemon.ledger.point()
        for id in [TopicID.paymentScored, .paymentReview] {
            let next = Offset(try #require(point.positions[id.rawValue]))
            let known = try daemon.topics[id].checksum(before: next)
            #expect(known != nil && point.checksums[id.rawValue] == known, "\(id)")
        }
        try await own.stop(daemon)
    }
}
