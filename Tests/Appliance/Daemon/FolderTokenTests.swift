import Foundation
import TestSupport
import Testing

@testable import Daemon

@Suite("The folder's token")
struct FolderTokenTests {
    @Test("what a daemon that was killed left is gone, also where none can be written")
    func stale() throws {
        let folder = try TemporaryFolder()
        let token = FolderToken(path: folder.file("token"))
        let (former, next) = (FolderToken.make(), FolderToken.make())
        #expect(former != next)
        try token.write(former)
        // It was killed: nothing took it away.
        try token.write(next)
        #expect(token.read() == next)
        let mode = try FileManager.default.attributesOfItem(atPath: token.path)[.posixPermissions]
        #expect(mode as? Int == 0o600)
        // Nothing can be written where a folder stands in the way, as on a full disk.
        try FileManager.default.createDirectory(
            atPath: token.path + ".next", withIntermediateDirectories: false)
        #expect(throws: (any Error).self) { try token.write(FolderToken.make()) }
        #expect(token.read() == nil)
    }
}
