import Testing

@testable import AppendLog

@Suite("A failure of the disk, as a person reads it")
struct DiskErrorTests {
    @Test("says in words what was done with which path, and the system's reason", arguments: [
        (DiskError.Operation.createDirectory, "making the folder /b failed: "),
        (.syncDirectory, "sync of the folder /b failed: "),
        (.sync, "sync of /b failed: "),
        (.write, "write of /b failed: "),
    ])
    func words(operation: DiskError.Operation, begins: String) {
        // 28 is ENOSPC, and says so.
        let sentence = "\(DiskError(operation: operation, path: "/b", code: 28))"
        #expect(sentence == begins + "No space left on device (28)")
    }

    @Test("no name of a function is in it", arguments: DiskError.Operation.allCases)
    func names(operation: DiskError.Operation) {
        let sentence = "\(DiskError(operation: operation, path: "/b", code: 2))"
        #expect(sentence.lowercased() == sentence.replacing("No such", with: "no such"))
    }
}
