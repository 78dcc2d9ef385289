import Foundation
import TestSupport
import Testing

@testable import Appliance
@testable import Vocabulary

/// A backup that nobody can write to can be looked into, also one that was made after a kill.
@Suite("A ledger where nobody can write", .serialized, .enabled(if: UnwritablePlace.canMake))
struct UnwritablePlaceTests {
    @Test("is read as it is, with what its write-ahead log holds", arguments: [true, false])
    func read(isAfterKill: Bool) throws {
        let folder = try LedgerFolder()
        let ledger = try folder.open()
        _ = try ledger.post((1...8).map { Given.payment("c\($0)") })
        let copy = folder.path + "/copy"
        let files = FileManager.default
        try files.createDirectory(atPath: copy, withIntermediateDirectories: true)
        if !isAfterKill { try ledger.close() }
        for name in ["ledger.sqlite", "ledger.sqlite-wal"]
        where files.fileExists(atPath: "\(folder.path)/\(name)") {
            try files.copyItem(atPath: "\(folder.path)/\(name)", toPath: "\(copy)/\(name)")
        }
        #expect(files.fileExists(atPath: copy + "/ledger.sqlite-wal") == isAfterKill)
        let place = try UnwritablePlace(copy)
        try withExtendedLifetime(place) {
            let reader = try SQLiteLedgerReader.open(path: copy + "/ledger.sqlite")
            #expect(try reader.point().head == 8)
            #expect(try reader.verify().fault == nil)
            try reader.close()
            guard case .found(let found) = try SQLiteLedgerReader.look(
                at: copy + "/ledger.sqlite", isHeld: true)
            else {
                Issue.record("it is not found")
                return
            }
            #expect(try found.point().head == 8)
            try found.close()
        }
        let left = try files.contentsOfDirectory(atPath: files.temporaryDirectory.path)
        #expect(!left.contains { $0.hasPrefix("tillbox-ledger-") })
        if isAfterKill { try ledger.close() }
    }
}

/// A folder that nobody can write to while this lives: by its rights, or for root, whom these do
/// not stop, by a mount.
private final class UnwritablePlace {
    static let canMake: Bool = {
        let path = NSTemporaryDirectory() + "unwritable-\(UUID().uuidString)"
        try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: path) }
        return (try? UnwritablePlace(path)) != nil
    }()

    struct CannotMake: Error { var code: Int32 }

    private let path: String
    private let isMounted: Bool

    init(_ path: String) throws {
        self.path = path
        isMounted = geteuid() == 0
        guard isMounted else {
            guard chmod(path, 0o500) == 0 else { throw CannotMake(code: errno) }
            return
        }
        guard mount(path, path, nil, UInt(MS_BIND), nil) == 0 else {
            throw CannotMake(code: errno)
        }
        let flags = MS_BIND | MS_REMOUNT | MS_RDONLY
        guard mount(nil, path, nil, UInt(flags), nil) == 0 else {
            let code = errno
            umount2(path, Int32(MNT_DETACH))
            throw CannotMake(code: code)
        }
    }

    deinit {
        if isMounted { umount2(path, Int32(MNT_DETACH)) } else { chmod(path, 0o700) }
    }
}
