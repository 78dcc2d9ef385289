import Foundation
import TestSupport
import Testing

@testable import Daemon

@Suite("The data folder's files")
struct DataFolderTests {
    private static func mode(_ path: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        return try #require(attributes[.posixPermissions] as? NSNumber).intValue
    }

    @Test("are taken from everybody else at every depth; what links lead to is left")
    func tightened() throws {
        let root = try TemporaryFolder()
        let (data, outside) = (root.file("data"), root.file("outside"))
        let files = FileManager.default
        let inside = ["\(data)/log/webhook.received-0", "\(data)/features"]
        for folder in inside + ["\(outside)/more"] {
            try files.createDirectory(
                atPath: folder, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o755])
        }
        let names = inside.map { "\($0)/file" } + ["\(outside)/more/file", "\(outside)/file"]
        for name in names {
            try Data("x".utf8).write(to: URL(filePath: name))
            try files.setAttributes([.posixPermissions: 0o644], ofItemAtPath: name)
        }
        try files.createSymbolicLink(
            atPath: "\(data)/log/linked-0", withDestinationPath: "\(outside)/more")
        try files.createSymbolicLink(
            atPath: "\(data)/linked", withDestinationPath: "\(outside)/file")
        _ = try DataFolder(at: data)
        for name in [data, "\(data)/log"] + inside {
            #expect(try Self.mode(name) == 0o700, "\(name)")
        }
        for name in inside.map({ "\($0)/file" }) {
            #expect(try Self.mode(name) == 0o600, "\(name)")
        }
        for name in ["\(outside)/file", "\(outside)/more/file"] {
            #expect(try Self.mode(name) == 0o644, "\(name)")
        }
        #expect(try Self.mode("\(outside)/more") == 0o755)
    }
}
