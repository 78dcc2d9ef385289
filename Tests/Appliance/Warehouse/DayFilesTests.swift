import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Vocabulary
@testable import Warehouse

private let table = WarehouseTable.fee
/// 2026-11-26
private let day: Int64 = 20_783

@Suite("A day's file and its manifest")
struct DayFilesTests {
    private struct Broken: Error {}

    private static func files(
        _ root: String, at seconds: Int64 = (day + 1) * 86_400
    ) -> DayFiles {
        DayFiles(root: root, compression: .none, now: Instant(seconds: seconds))
    }

    private static func rows(_ amounts: [(String, Int64)]) -> (RowSink) throws -> Void {
        { sink in
            for (currency, amount) in amounts {
                try sink.add(
                    Array("{\"amount\":\(amount)}".utf8),
                    [RowAmount(place: 0, currency: currency, amount: amount)])
            }
        }
    }

    private static func text(_ root: String) throws -> String {
        try String(
            contentsOfFile: "\(root)/stripe/fee/dt=2026-11-26/fee.ndjson", encoding: .utf8)
    }

    @Test("is written, then left alone, then corrected with what it replaces")
    func outcomes() throws {
        let folder = try TemporaryFolder()
        let root = folder.file("warehouse")
        let files = Self.files(root)
        let first = try files.settle(table, day, Self.rows([("usd", 5), ("eur", -2)]))
        #expect(first.outcome == .written)
        #expect(first.manifest.revision == 1 && first.manifest.replaces == nil)
        #expect(try Self.text(root) == "{\"amount\":5}\n{\"amount\":-2}\n")
        let again = try files.settle(table, day, Self.rows([("usd", 5), ("eur", -2)]))
        #expect(again.outcome == .unchanged && again.manifest == first.manifest)
        let other = try files.settle(table, day, Self.rows([("usd", 6)]))
        #expect(other.outcome == .corrected)
        #expect(other.manifest.revision == 2)
        #expect(other.manifest.replaces == first.manifest.contentDigest)
        #expect(try files.manifest(table, day) == other.manifest)
        let gone = try files.settle(table, day) { _ in }
        #expect(gone.outcome == .corrected && gone.manifest.rows == 0)
        #expect(try Self.text(root) == "")
    }

    @Test("a folder has one compression, and the sentence names the option that keeps it")
    func compression() throws {
        for (first, second, words) in [
            (DayManifest.Compression.none, DayManifest.Compression.gzip, "export without --gzip "),
            (.gzip, .none, "export with --gzip "),
        ] {
            let folder = try TemporaryFolder()
            let root = folder.file("warehouse")
            func files(_ compression: DayManifest.Compression) -> DayFiles {
                DayFiles(
                    root: root, compression: compression,
                    now: Instant(seconds: (day + 1) * 86_400))
            }
            _ = try files(first).settle(table, day, Self.rows([("usd", 5)]))
            let expected = WarehouseError.otherCompression(path: root, found: first.rawValue)
            #expect(throws: expected) {
                _ = try files(second).settle(table, day, Self.rows([("usd", 5)]))
            }
            #expect(expected.description.contains(words), "\(expected)")
        }
    }

    @Test("sums exactly what 64 bits do not hold, by currency")
    func sums() throws {
        let folder = try TemporaryFolder()
        let files = Self.files(folder.file("warehouse"))
        let large = Int64.max
        let (_, manifest) = try files.settle(
            table, day, Self.rows([("usd", large), ("jpy", -7), ("usd", large), ("usd", 3)]))
        #expect(
            manifest.sums == [
                .init(column: "amount", currency: "jpy", rows: 1, sum: -7),
                .init(column: "amount", currency: "usd", rows: 3, sum: Int128(large) * 2 + 3),
            ])
        #expect(
            String(decoding: manifest.encoded(), as: UTF8.self)
                .contains("\"sum\":\"18446744073709551617\""))
    }

    @Test("what ends in the middle leaves the file before as it was")
    func broken() throws {
        let folder = try TemporaryFolder()
        let root = folder.file("warehouse")
        let files = Self.files(root)
        let first = try files.settle(table, day, Self.rows([("usd", 5)]))
        let many = Array(repeating: ("usd", Int64(9)), count: 20_000)
        #expect(throws: Broken.self) {
            try files.settle(table, day) { sink in
                try Self.rows(many)(sink)
                throw Broken()
            }
        }
        #expect(try Self.text(root) == "{\"amount\":5}\n")
        #expect(try files.manifest(table, day) == first.manifest)
        let names = try FileManager.default.contentsOfDirectory(
            atPath: "\(root)/stripe/fee/dt=2026-11-26")
        #expect(Set(names) == ["fee.ndjson", "manifest.json"])
    }

    @Test("a day that was not over is called complete later, without another revision")
    func completed() throws {
        let folder = try TemporaryFolder()
        let root = folder.file("warehouse")
        let rows = Self.rows([("usd", 5)])
        let first = try Self.files(root, at: day * 86_400 + 60).settle(table, day, rows)
        #expect(!first.manifest.isComplete)
        let second = try Self.files(root).settle(table, day, rows)
        #expect(second.outcome == .unchanged)
        #expect(second.manifest.isComplete && second.manifest.revision == 1)
        #expect(try Self.files(root).manifest(table, day) == second.manifest)
    }

    @Test("a file that is gone, or has another length, is written again")
    func lost() throws {
        let folder = try TemporaryFolder()
        let root = folder.file("warehouse")
        let files = Self.files(root)
        let rows = Self.rows([("usd", 5)])
        _ = try files.settle(table, day, rows)
        let path = "\(root)/stripe/fee/dt=2026-11-26/fee.ndjson"
        try Data("{".utf8).write(to: URL(filePath: path))
        #expect(try files.settle(table, day, rows).outcome == .corrected)
        #expect(try Self.text(root) == "{\"amount\":5}\n")
        // Of the same length, which tells nothing; and a day whose files nobody has touched.
        try Data("{\"amount\":7}\n".utf8).write(to: URL(filePath: path))
        #expect(try files.settle(table, day, isLeft: true, rows).outcome == .unchanged)
        #expect(try files.settle(table, day, rows).outcome == .corrected)
        #expect(try Self.text(root) == "{\"amount\":5}\n")
    }

    @Test(
        "a draft that was left is nothing to go on with, whoever has left it",
        arguments: ["part", "other", "link", "hard link", "both"])
    func leftDraft(what: String) throws {
        let folder = try TemporaryFolder()
        let root = folder.file("warehouse")
        let files = Self.files(root)
        let place = "\(root)/stripe/fee/dt=2026-11-26"
        try DayFiles.make(place)
        let draft = "\(place)/.fee.ndjson.part"
        let other = folder.file("other")
        let kept = "somebody's\n"
        try Data(kept.utf8).write(to: URL(filePath: other))
        switch what {
        case "link":
            try FileManager.default.createSymbolicLink(atPath: draft, withDestinationPath: other)
        case "hard link": try FileManager.default.linkItem(atPath: other, toPath: draft)
        case "part": try Data("{\"amount\":5}\n{\"am".utf8).write(to: URL(filePath: draft))
        case "both":
            for name in [draft, "\(place)/.manifest.json.part"] {
                try Data("{}\n".utf8).write(to: URL(filePath: name))
            }
        default:
            let longer = String(repeating: "{}\n", count: 999)
            try Data(longer.utf8).write(to: URL(filePath: draft))
        }
        let (outcome, manifest) = try files.settle(table, day, Self.rows([("usd", 5), ("eur", 2)]))
        #expect(outcome == .written && manifest.rows == 2)
        #expect(try Self.text(root) == "{\"amount\":5}\n{\"amount\":2}\n")
        #expect(try String(contentsOfFile: other, encoding: .utf8) == kept)
        let names = try FileManager.default.contentsOfDirectory(atPath: place)
        #expect(Set(names) == ["fee.ndjson", "manifest.json"])
        let about = try FileManager.default.attributesOfItem(atPath: "\(place)/fee.ndjson")
        #expect(about[.type] as? FileAttributeType == .typeRegular)
    }

    @Test(
        "a draft that somebody changes while it is written is refused, and the next is made anew",
        arguments: ["more", "cut", "same length", "another file", "gone"])
    func touchedDraft(what: String) throws {
        let folder = try TemporaryFolder()
        let root = folder.file("warehouse")
        let files = Self.files(root)
        let first = try files.settle(table, day, Self.rows([("usd", 5)]))
        let draft = "\(root)/stripe/fee/dt=2026-11-26/.fee.ndjson.part"
        let many = Array(repeating: ("usd", Int64(9)), count: 20_000)
        #expect(throws: WarehouseError.draft(path: draft)) {
            try files.settle(table, day) { sink in
                try Self.rows(many)(sink)
                // The rows are compared with the former ones before any draft is there.
                guard FileManager.default.fileExists(atPath: draft) else { return }
                try Self.touch(draft, what)
            }
        }
        #expect(try Self.text(root) == "{\"amount\":5}\n")
        #expect(try files.manifest(table, day) == first.manifest)
        let next = try files.settle(table, day, Self.rows(many))
        #expect(next.outcome == .corrected && next.manifest.rows == 20_000)
        #expect(try Self.text(root) == String(repeating: "{\"amount\":9}\n", count: 20_000))
    }

    private static func touch(_ draft: String, _ what: String) throws {
        let place = URL(filePath: draft)
        if what == "gone" { return try FileManager.default.removeItem(at: place) }
        if what == "another file" {
            // Written beside it and put there, as editors do.
            return try Data("{\"amount\":9}\n".utf8).write(to: place, options: .atomic)
        }
        let file = try FileHandle(forWritingTo: place)
        defer { try? file.close() }
        switch what {
        case "cut": try file.truncate(atOffset: 100)
        case "more":
            try file.seek(toOffset: 1 << 20)
            try file.write(contentsOf: Data("{}\n".utf8))
        default: try file.write(contentsOf: Data("{\"amount\":8}\n".utf8))
        }
    }

    @Test("a manifest that is none is refused by name")
    func refused() throws {
        let folder = try TemporaryFolder()
        let root = folder.file("warehouse")
        let files = Self.files(root)
        _ = try files.settle(table, day, Self.rows([("usd", 5)]))
        let path = "\(root)/stripe/fee/dt=2026-11-26/manifest.json"
        try Data("{}".utf8).write(to: URL(filePath: path))
        #expect(throws: WarehouseError.manifest(path: path)) {
            try files.settle(table, day, Self.rows([("usd", 5)]))
        }
    }

    @Test("a second export into a folder is kept out until the first has ended")
    func locked() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("state")
        try DayFiles.make(path)
        var first: ExportLock? = try ExportLock(path)
        #expect(throws: WarehouseError.busy(path: path)) { _ = try ExportLock(path) }
        withExtendedLifetime(first) {}
        first = nil
        _ = try ExportLock(path)
    }

    /// A number that is closed twice is somebody else's the second time.
    @Test("an export that is kept out closes what it has opened once, and nobody else's file")
    func closedOnce() async throws {
        let folder = try TemporaryFolder()
        let path = folder.file("state")
        try DayFiles.make(path)
        let first = try ExportLock(path)
        let isOver = Atomic(false)
        async let lost = Task.detached {
            var lost = 0
            while !isOver.load(ordering: .relaxed) {
                let descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)
                sched_yield()
                if close(descriptor) != 0 { lost += 1 }
            }
            return lost
        }.value
        for _ in 0..<20_000 {
            #expect(throws: WarehouseError.busy(path: path)) { _ = try ExportLock(path) }
        }
        isOver.store(true, ordering: .relaxed)
        #expect(await lost == 0)
        withExtendedLifetime(first) {}
    }
}
