import AppendLog
import LogSupport
import Testing

@testable import Appliance
@testable import Backup
@testable import Vocabulary

/// The power fails at any single operation of a move, and of the release behind it.
@Suite("A move that loses its power")
struct ArchiveCrashTests {
    private static let topic = TopicID.webhookReceived.rawValue
    private static let count = 60
    /// Every record is of this month.
    private static let month = SealMonth(
        name: "1970-01", from: Instant(seconds: 0), to: Instant(seconds: 2_678_400))

    private static func place(_ disk: SimulatedDisk) -> ArchivePlace {
        ArchivePlace(
            folder: "/data", log: "/data/log", ledger: "/data/ledger.sqlite",
            seals: "/data/archive", disk: disk)
    }

    private static var configuration: LogConfiguration {
        var configuration = LogConfiguration()
        configuration.segmentBytesMax = 4 << 10
        configuration.preallocationBytes = 4 << 10
        return configuration
    }

    private static func open(_ disk: SimulatedDisk) throws -> Log {
        try Log.open(at: "/data/log", disk: disk, configuration: configuration)
    }

    /// A log with a sealed month in it, at rest.
    private static func filled(_ seed: UInt64) async throws -> SimulatedDisk {
        let disk = SimulatedDisk(seed: seed)
        try disk.createDirectory("/data")
        try disk.createDirectory("/data/archive")
        try disk.syncDirectory("/")
        try disk.syncDirectory("/data")
        let log = try open(disk)
        let topic = try log.topic(try TopicName(topic))
        for number in 0..<count {
            _ = try await topic.append([
                Record(
                    key: nil, value: ArraySlice(Self.text(number).utf8),
                    timestamp: Timestamp(milliseconds: Int64(number)))
            ])
        }
        let seal = MonthSeal(
            month: month, sealedAt: 0, release: "1", log: log.identity.description,
            isReconciled: true, before: nil,
            reaches: [
                .init(
                    topic: Self.topic, start: 0, end: Int64(count), bytes: 1, digest: "not read")
            ], transactions: 0, ledgerHash: nil, holdings: [])
        await log.close()
        try place(disk).keep(seal)
        return disk
    }

    private static func text(_ number: Int) -> String {
        "\(number) " + String(repeating: "x", count: 300)
    }

    /// Moves what is sealed, and lets it go.
    private static func move(_ disk: SimulatedDisk) async throws {
        _ = try ArchiveMove(of: place(disk)).run(to: "/cold", cutoff: month.to, keptMonths: 1)
        let log = try open(disk)
        do {
            _ = try await log.releaseCold()
        } catch {
            await log.close()
            throw error
        }
        await log.close()
    }

    /// Whether every record can be read, from the first one on.
    private static func isWhole(_ disk: SimulatedDisk) throws -> Bool {
        let log = try Log.openReadOnly(at: "/data/log", disk: disk, withCold: true)
        guard let topic = log.topic(try TopicName(topic)), topic.start == .zero,
            topic.end.rawValue == Int64(count)
        else { return false }
        var number = 0
        try topic.scan(from: .zero) { stored in
            let isRight = stored.record.value?.elementsEqual(text(number).utf8) == true
            number += isRight ? 1 : 0
            return isRight
        }
        return number == count
    }

    @Test("at every operation: all is read afterwards, and the next move completes it")
    func powerCuts() async throws {
        let whole = try await Self.filled(1)
        let before = whole.operationCount
        try await Self.move(whole)
        let operations = whole.operationCount - before
        #expect(operations > 40)
        #expect(try Self.isWhole(whole))
        let start = try Log.openReadOnly(at: "/data/log", disk: whole)
            .topic(try TopicName(Self.topic))?.start
        #expect(try #require(start) > .zero)
        for operation in 1...operations {
            let disk = try await Self.filled(UInt64(operation % 5))
            disk.faults.powerCutAt = disk.operationCount + operation
            try? await Self.move(disk)
            disk.crash()
            #expect(try Self.isWhole(disk), "power cut at operation \(operation)")
            try await Self.move(disk)
            #expect(try Self.isWhole(disk), "moved on after a cut at operation \(operation)")
            let again = try Log.openReadOnly(at: "/data/log", disk: disk)
                .topic(try TopicName(Self.topic))?.start
            #expect(again == start, "operation \(operation)")
        }
    }

    @Test("killed at every operation, moved on, and then the power fails: all is read")
    func killsBeforeThePowerFails() async throws {
        let whole = try await Self.filled(1)
        let before = whole.operationCount
        _ = try ArchiveMove(of: Self.place(whole)).run(
            to: "/cold", cutoff: Self.month.to, keptMonths: 1)
        let operations = whole.operationCount - before
        #expect(operations > 20)
        for operation in 1...operations {
            let disk = try await Self.filled(UInt64(operation % 5))
            disk.faults.powerCutAt = disk.operationCount + operation
            try? await Self.move(disk)
            // Only the process is gone: what it wrote is seen, synced or not.
            disk.kill()
            try await Self.move(disk)
            disk.crash()
            #expect(try Self.isWhole(disk), "killed at operation \(operation)")
        }
    }

    @Test("brought back with a kill at every operation, then the power fails: the log has it all")
    func returnsBeforeThePowerFails() async throws {
        func moved(_ seed: UInt64) async throws -> SimulatedDisk {
            let disk = try await Self.filled(seed)
            try await Self.move(disk)
            return disk
        }
        let whole = try await moved(1)
        let before = whole.operationCount
        #expect(try ArchiveReturn(of: Self.place(whole)).run().count > 3)
        let operations = whole.operationCount - before
        #expect(operations > 20)
        for operation in 1...operations {
            let disk = try await moved(UInt64(operation % 5))
            disk.faults.powerCutAt = disk.operationCount + operation
            _ = try? ArchiveReturn(of: Self.place(disk)).run()
            disk.kill()
            _ = try ArchiveReturn(of: Self.place(disk)).run()
            // Whoever was told that all is back may take the cold disk away.
            for file in disk.contents.keys where file.hasPrefix("/cold/") {
                try disk.remove(file)
            }
            disk.crash()
            #expect(try Self.isWhole(disk), "killed at operation \(operation)")
        }
    }

    @Test("a move that was killed needs no room for what it has copied already")
    func roomForTheRest() async throws {
        let disk = try await Self.filled(1)
        var left = 3
        let killed = ArchiveMove(
            of: Self.place(disk),
            goesOn: {
                left -= 1
                return left >= 0
            })
        #expect(throws: CancellationError.self) {
            try killed.run(to: "/cold", cutoff: Self.month.to, keptMonths: 1)
        }
        let copied = disk.contents.filter { $0.key.hasPrefix("/cold/") && $0.key.hasSuffix(".log") }
        #expect(copied.count == 3)
        let topic = try #require(
            try Log.openReadOnly(at: "/data/log", disk: disk).topic(try TopicName(Self.topic)))
        let rest = topic.segments.dropLast().dropFirst(3).reduce(0) { $0 + Int($1.byteCount) }
        // Enough for the others and for what names them, and not for all of them once more.
        disk.faults.capacityBytes =
            disk.contents.values.reduce(0) { $0 + $1.count } + rest + 6_000
        #expect(copied.values.reduce(0) { $0 + $1.count } > 6_000)
        _ = try ArchiveMove(of: Self.place(disk)).run(
            to: "/cold", cutoff: Self.month.to, keptMonths: 1)
        #expect(try Self.isWhole(disk))
    }

    @Test("nothing comes back where the daemon would have no room left; both figures are said")
    func roomForTheDaemon() async throws {
        let disk = try await Self.filled(1)
        try await Self.move(disk)
        let index = try #require(try ColdIndex.read(ofLog: "/data/log", identity: nil, on: disk))
        let needed = index.segments.reduce(Int64(0)) { $0 + $1.byteCount }
        let used = disk.contents.values.reduce(0) { $0 + $1.count }
        // Room for the segments, and not quite for what stays free beside them.
        disk.faults.capacityBytes = used + Int(needed + DiskRoom.spareByteCount)
        let before = disk.contents
        #expect {
            try ArchiveReturn(of: Self.place(disk)).run()
        } throws: { error in
            guard case ArchiveError.noRoom("/data/log", needed, _) = error else { return false }
            return "\(error)".contains("257 MiB are needed")
                && "\(error)".contains("256 MiB are free")
        }
        let log = { (contents: [String: [UInt8]]) in
            contents.filter { $0.key.hasPrefix("/data/log/") && !$0.key.hasSuffix("/lock") }
        }
        #expect(log(disk.contents) == log(before))
        disk.faults.capacityBytes = used + Int(needed + DiskRoom.spareByteCount) + 16_000
        #expect(try ArchiveReturn(of: Self.place(disk)).run().count == index.segments.count)
        #expect(try Self.isWhole(disk))
    }

    @Test("a full cold disk takes nothing from the log, and names the folder")
    func fullDisk() async throws {
        let disk = try await Self.filled(1)
        disk.faults.capacityBytes = disk.contents.values.reduce(0) { $0 + $1.count } + 6_000
        await #expect(throws: ArchiveError.full(path: "/cold")) { try await Self.move(disk) }
        #expect(try Self.isWhole(disk))
        disk.faults.capacityBytes = nil
        try await Self.move(disk)
        #expect(try Self.isWhole(disk))
    }
}
