import AppendLog
import Foundation
import LogSupport
import Testing

@testable import Backup

@Suite("Stored files")
struct StoredFileTests {
    static let key = BackupKey(String(repeating: "5a", count: 32) + "\n")
    static let other = BackupKey(String(repeating: "5b", count: 32))
    private let disk = SimulatedDisk(seed: 1)
    private let path = "/backup/file"

    init() throws { try disk.createDirectory("/backup") }

    private func store(_ bytes: [UInt8], _ key: BackupKey?, piece: Int = 50_000) throws -> String {
        var writer = try StoredFileWriter(path, name: "log/a", key: key, on: disk)
        for first in stride(from: 0, to: bytes.count, by: piece) {
            try writer.write(Array(bytes[first..<min(first + piece, bytes.count)]))
        }
        return try writer.finish()
    }

    private func read(
        _ bytes: [UInt8], _ digest: String, name: String = "log/a", key: BackupKey?
    ) throws -> [UInt8] {
        var reader = try StoredFileReader(path, name: name, key: key, on: disk)
        var found: [UInt8] = []
        try reader.readAll(byteCount: Int64(bytes.count), digest: digest) { found += $0 }
        return found
    }

    private func isDamaged(_ body: () throws -> [UInt8]) -> Bool {
        do {
            _ = try body()
            return false
        } catch BackupError.damaged {
            return true
        } catch {
            return false
        }
    }

    static let sizes = [0, 1, 65_535, 65_536, 65_537, 131_072, 200_000]

    @Test("come back as they were, sealed or not, with the size that is told", arguments: sizes)
    func roundTrip(size: Int) throws {
        let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        for key in [nil, Self.key] {
            let digest = try store(bytes, key)
            #expect(digest == BackupPlace.digest(bytes))
            #expect(try read(bytes, digest, key: key) == bytes)
            let stored = try #require(disk.contents[path])
            #expect(
                Int64(stored.count)
                    == StoredForm.byteCount(of: Int64(size), isSealed: key != nil))
            if key != nil, size > 64 {
                #expect(!stored.contains(bytes[..<64]), "it is not encrypted")
            }
        }
    }

    @Test("two with the same bytes look different when they are sealed")
    func salted() throws {
        let bytes = [UInt8](repeating: 3, count: 1_000)
        _ = try store(bytes, Self.key)
        let first = try #require(disk.contents[path])
        _ = try store(bytes, Self.key)
        #expect(disk.contents[path] != first)
    }

    @Test("one changed bit, a cut, a longer end, another name and another key are refused")
    func refused() throws {
        let bytes = (0..<140_000).map { UInt8(truncatingIfNeeded: $0) }
        for key in [nil, Self.key] {
            let digest = try store(bytes, key)
            let stored = try #require(disk.contents[path])
            for place in [0, 7, 8, 39, 40, 70_000, stored.count - 1] {
                disk.flip(path, at: place, bit: 3)
                #expect(isDamaged { try read(bytes, digest, key: key) }, "byte \(place)")
                disk.flip(path, at: place, bit: 3)
            }
            for count in [stored.count - 1, 40 + 65_552, 40, 39, 0] {
                try disk.open(path, .readWrite).truncate(Int64(count))
                #expect(isDamaged { try read(bytes, digest, key: key) }, "\(count) bytes")
                disk.overwrite(path, at: 0, with: stored)
            }
            disk.overwrite(path, at: stored.count, with: [1])
            #expect(isDamaged { try read(bytes, digest, key: key) })
        }
        let digest = try store(bytes, Self.key)
        #expect(isDamaged { try read(bytes, digest, name: "log/b", key: Self.key) })
        #expect(isDamaged { try read(bytes, digest, key: Self.other) })
        #expect(isDamaged { try read(bytes, digest, key: nil) })
    }

    @Test("chunks that changed places are refused")
    func exchanged() throws {
        let bytes = [UInt8](repeating: 1, count: 3 * 65_536)
        let digest = try store(bytes, Self.key)
        let stored = try #require(disk.contents[path])
        let chunk = 65_536 + 16
        disk.overwrite(path, at: 40, with: Array(stored[(40 + chunk)..<(40 + 2 * chunk)]))
        disk.overwrite(path, at: 40 + chunk, with: Array(stored[40..<(40 + chunk)]))
        #expect(isDamaged { try read(bytes, digest, key: Self.key) })
    }

    @Test("a key is 64 hex digits and nothing else")
    func keys() {
        #expect(BackupKey(" " + String(repeating: "A0", count: 32) + "\n") != nil)
        for text in ["", "secret", String(repeating: "a", count: 63),
            String(repeating: "a", count: 66), String(repeating: "g", count: 64),
            String(repeating: "ab", count: 16) + " " + String(repeating: "ab", count: 16)]
        {
            #expect(BackupKey(text) == nil, "\(text)")
        }
        #expect(Self.key?.check != Self.other?.check)
    }
}
