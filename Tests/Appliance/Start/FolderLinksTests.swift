import AppendLog
import Foundation
import TestSupport
import Testing

@testable import Appliance
@testable import Vocabulary

/// A part of a data folder that is a link shares what is written with somebody else.
@Suite("Links in a data folder", .serialized)
struct FolderLinksTests {
    enum Link: String, CaseIterable {
        case symbolic = "symbolic link"
        case hard = "hard link"
    }

    static let cells: [(part: String, link: Link)] = [
        ("log/webhook.received-0", .symbolic), ("log/__cursors-0", .symbolic),
        ("log/payment.scored-0/00000000000000000000.log", .symbolic),
        ("log/webhook.received-0/00000000000000000000.log", .hard),
        ("log/payment.scored-0/00000000000000000000.index", .hard),
        ("ledger.sqlite", .symbolic), ("ledger.sqlite", .hard),
    ]

    @Test("are refused at each start, and nothing is changed")
    func refused() async throws {
        let folder = try TemporaryFolder()
        let fixture = StartFixture(folder.file("data"))
        let daemon = try fixture.start()
        try await fixture.admit(1..<8, daemon)
        try await fixture.process(daemon)
        try await fixture.stop(daemon)
        let files = FileManager.default
        for (part, link) in Self.cells {
            let (here, elsewhere) = ("\(fixture.path)/\(part)", folder.file("elsewhere"))
            switch link {
            case .symbolic:
                try files.moveItem(atPath: here, toPath: elsewhere)
                try files.createSymbolicLink(atPath: here, withDestinationPath: elsewhere)
            case .hard: try files.linkItem(atPath: here, toPath: elsewhere)
            }
            let before = try fixture.contents()
            for _ in 0..<2 {
                let refusal = #expect(throws: StartRefusal.self, "\(part)") { try fixture.start() }
                #expect(refusal?.reason.hasPrefix(here) == true, "\(refusal?.reason ?? "")")
                #expect(refusal?.reason.contains(link.rawValue) == true)
                // Whoever restores a backup for a link would bring the link back.
                #expect(refusal?.description.contains("backup") == false)
            }
            #expect(try fixture.contents() == before, "\(part)")
            try files.removeItem(atPath: link == .symbolic ? here : elsewhere)
            if link == .symbolic { try files.moveItem(atPath: elsewhere, toPath: here) }
        }
        try await fixture.stop(try fixture.start())
    }

    @Test("a ledger that another daemon holds is left alone, under whatever name it is reached")
    func heldLedger() async throws {
        let folder = try TemporaryFolder()
        let fixture = StartFixture(folder.file("data"))
        let daemon = try fixture.start()
        let other = folder.file("other")
        try FileManager.default.createDirectory(atPath: other, withIntermediateDirectories: true)
        let lock = try FolderLock(other)
        // A mount has no link to be known by; the lock is on the file itself.
        #expect(throws: LogError.locked(path: "\(fixture.path)/ledger.sqlite", by: 0)) {
            try lock.hold("\(fixture.path)/ledger.sqlite")
        }
        try await fixture.stop(daemon)
        try lock.hold("\(fixture.path)/ledger.sqlite")
        lock.release()
    }
}
