import Bridges
import Foundation
import Logging
import Synchronization
import TestSupport
import Testing

@testable import Daemon
@testable import Vocabulary

/// What the next start knows of what was told.
@Suite("Alerts over a restart")
struct AlertMemoryTests {
    private static let epoch: Int64 = 1_800_000_000

    /// A door that takes everything.
    private final class Door: AlertDoor {
        let key: String
        private let told = Mutex<[String]>([])

        init(_ key: String) { self.key = key }

        func tell(_ alerts: [Alert], at now: Instant) async throws {
            told.withLock { $0 += alerts.map { "\($0.state.rawValue) \($0.sentence)" } }
        }

        /// What was told since the last time that this was asked.
        func takeTold() -> [String] {
            told.withLock { told in
                defer { told = [] }
                return told
            }
        }
    }

    /// One run of the daemon after another, on one data folder.
    private struct Box {
        let folder: TemporaryFolder
        let clock = HandClock(epoch)
        var afterSeconds: Int64 = 60

        init() throws { folder = try TemporaryFolder() }

        var file: String { folder.file("alerts.json") }

        func start(
            _ door: Door, log: String = "log 1", notices: @escaping @Sendable () -> [Notice]
        ) -> AlertWatch {
            var settings = AlertSettings()
            settings.afterSeconds = afterSeconds
            return AlertWatch(
                settings, doors: [door], memory: AlertMemory(folder: folder.path, log: log),
                clock: clock, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
                notices: notices)
        }

        /// What is told at each of these seconds.
        func told(_ watch: AlertWatch, _ door: Door, at seconds: [Int64]) async -> [[String]] {
            var all: [[String]] = []
            for second in seconds {
                clock.set(epoch + second)
                await watch.look()
                all.append(door.takeTold())
            }
            return all
        }

        /// A run that tells of a full disk at second 60 and ends.
        func tellsOfDisk(_ door: Door = Door("door")) async {
            let watch = start(door) { [Notice(kind: "watch 3", sentence: disk)] }
            let looks = await told(watch, door, at: [0, 60, 80])
            #expect(looks == [[], ["raised \(disk)"], []])
        }
    }

    private static let disk = "the disk is full"

    @Test("what was told is told again a day later and not by a start")
    func restarts() async throws {
        let (box, door) = (try Box(), Door("door"))
        await box.tellsOfDisk()
        for second in stride(from: Int64(100), to: 2_000, by: 200) {
            box.clock.set(Self.epoch + second)
            // Who says it has another place in each start.
            let watch = box.start(door) { [Notice(kind: "watch \(second)", sentence: Self.disk)] }
            let looks = await box.told(watch, door, at: [second, second + 20, second + 120])
            #expect(looks == [[], [], []])
        }
        let isFull = Mutex(true)
        let last = box.start(door) {
            isFull.withLock { $0 } ? [Notice(kind: "watch 3", sentence: Self.disk)] : []
        }
        let looks = await box.told(last, door, at: [2_100, 86_459, 86_460])
        #expect(looks == [[], [], ["raised \(Self.disk)"]])
        isFull.withLock { $0 = false }
        let gone = await box.told(last, door, at: [86_480, 86_520, 86_540])
        #expect(gone == [[], ["over \(Self.disk)"], []])
        let next = box.start(door) { [Notice(kind: "watch 3", sentence: Self.disk)] }
        let again = await box.told(next, door, at: [86_600, 86_659, 86_660])
        #expect(again == [[], [], ["raised \(Self.disk)"]])
    }

    @Test("what ended while nothing ran is over a minute after the start", arguments: [0, 60, 300])
    func endedMeanwhile(afterSeconds: Int64) async throws {
        var box = try Box()
        let door = Door("door")
        await box.tellsOfDisk()
        box.afterSeconds = afterSeconds
        box.clock.set(Self.epoch + 1_000)
        let watch = box.start(door) { [] }
        let due = 1_000 + max(60, afterSeconds)
        let looks = await box.told(watch, door, at: [1_000, due - 1, due, due + 20])
        #expect(looks == [[], [], ["over \(Self.disk)"], []])
        #expect(!(try String(contentsOfFile: box.file, encoding: .utf8)).contains(Self.disk))
    }

    @Test("a start that notices it only after some seconds tells neither that it is over nor again")
    func noticedLate() async throws {
        var box = try Box()
        let door = Door("door")
        await box.tellsOfDisk()
        box.afterSeconds = 0
        let clock = box.clock
        clock.set(Self.epoch + 1_000)
        let watch = box.start(door) {
            clock.monotonicMilliseconds() < (Self.epoch + 1_040) * 1_000
                ? [] : [Notice(kind: "watch 1", sentence: Self.disk)]
        }
        let looks = await box.told(watch, door, at: [1_000, 1_020, 1_040, 1_060, 1_200])
        #expect(looks.joined().isEmpty)
    }

    @Test("of two that say the same in other figures each is known again")
    func alike() async throws {
        var box = try Box()
        box.afterSeconds = 0
        let door = Door("door")
        let first = box.start(door) {
            [
                Notice(kind: "watch 1", sentence: "behind by 5"),
                Notice(kind: "watch 2", sentence: "behind by 9"),
            ]
        }
        #expect(
            await box.told(first, door, at: [0]) == [["raised behind by 5", "raised behind by 9"]])
        box.clock.set(Self.epoch + 100)
        let second = box.start(door) { [Notice(kind: "watch 2", sentence: "behind by 12")] }
        let looks = await box.told(second, door, at: [100, 159, 160, 180])
        #expect(looks.map(\.count) == [0, 0, 1, 0])
        #expect(looks[2].first?.hasPrefix("over behind by") == true)
    }

    @Test("another address or command was told nothing")
    func otherDoor() async throws {
        let (box, other) = (try Box(), Door("other"))
        await box.tellsOfDisk()
        let watch = box.start(other) { [Notice(kind: "watch 3", sentence: Self.disk)] }
        let looks = await box.told(watch, other, at: [100, 160])
        #expect(looks == [[], ["raised \(Self.disk)"]])
        let keys = [
            AlertWebhook(url: Secret("https://a.example/1")).key,
            AlertWebhook(url: Secret("https://a.example/2")).key,
            AlertCommand("https://a.example/1").key,
        ]
        #expect(Set(keys).count == 3 && !keys.joined().contains("example"))
    }

    enum Loss: String, CaseIterable {
        case missing, empty, cut, flipped, newer, foreign, folder, ahead
    }

    @Test("a file that says nothing has all told again, no more", arguments: Loss.allCases)
    func lost(loss: Loss) async throws {
        let (box, door) = (try Box(), Door("door"))
        await box.tellsOfDisk()
        let url = URL(filePath: box.file)
        let text = try String(contentsOf: url, encoding: .utf8)
        #expect(text.contains("\"told_at\":\(Self.epoch + 60)}"))
        switch loss {
        case .missing: try FileManager.default.removeItem(at: url)
        case .empty: try Data().write(to: url)
        case .cut: try Data(text.utf8.dropLast()).write(to: url)
        case .flipped:
            try text.replacingOccurrences(of: Self.disk, with: "the disk is fall")
                .write(to: url, atomically: false, encoding: .utf8)
        case .newer: try Self.signed(text, "\"format\":1", "\"format\":2").write(to: url)
        case .foreign: try Self.signed(text, "log 1", "log 2").write(to: url)
        case .folder:
            try FileManager.default.removeItem(at: url)
            try FileManager.default.createDirectory(at: url, withIntermediateDirectories: false)
        // By a clock that was set back since.
        case .ahead:
            try Self.signed(
                text, "\"told_at\":\(Self.epoch + 60)", "\"told_at\":\(Self.epoch + 9_000)"
            ).write(to: url)
        }
        let watch = box.start(door) { [Notice(kind: "watch 3", sentence: Self.disk)] }
        let looks = await box.told(watch, door, at: [100, 159, 160, 180])
        #expect(looks == [[], [], ["raised \(Self.disk)"], []])
    }

    @Test("the file that those are made from is taken as it was")
    func taken() async throws {
        let (box, door) = (try Box(), Door("door"))
        await box.tellsOfDisk()
        let text = try String(contentsOfFile: box.file, encoding: .utf8)
        try Self.signed(text, "log 1", "log 1").write(to: URL(filePath: box.file))
        let watch = box.start(door) { [Notice(kind: "watch 3", sentence: Self.disk)] }
        let looks = await box.told(watch, door, at: [100, 160, 180])
        #expect(looks == [[], [], []])
    }

    /// The first line with another word in it, and its checksum behind it.
    private static func signed(_ text: String, _ word: String, _ other: String) throws -> Data {
        let line = try #require(text.split(separator: "\n").first)
        try #require(line.contains(word))
        let changed = Array(line.replacing(word, with: other).utf8)
        return Data(changed + Array("\n\(String(hex: SHA256.digest(changed[...])))\n".utf8))
    }

    @Test("where nothing can be written, all is told as it was before there was a file")
    func unwritable() async throws {
        let (box, door) = (try Box(), Door("door"))
        try FileManager.default.createDirectory(
            atPath: box.file, withIntermediateDirectories: false)
        for second in [Int64(0), 1_000] {
            box.clock.set(Self.epoch + second)
            let watch = box.start(door) { [Notice(kind: "watch 3", sentence: Self.disk)] }
            let looks = await box.told(watch, door, at: [second, second + 60, second + 80])
            #expect(looks == [[], ["raised \(Self.disk)"], []])
        }
    }
}
