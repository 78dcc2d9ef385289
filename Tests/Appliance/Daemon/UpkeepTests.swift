import AppendLog
import Foundation
import Logging
import TestSupport
import Testing

@testable import Appliance
@testable import Daemon
@testable import Vocabulary

@Suite("What a daemon does now and then")
struct UpkeepTests {
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private static func plane(_ folder: DataFolder) throws -> EmbeddedPlane {
        try EmbeddedPlane(
            logAt: folder.log, gateSnapshot: folder.gateSnapshot, settings: Settings(),
            counters: Counters(), logger: logger)
    }

    @Test("what a start has read from the log is in the snapshot at the stop, also if nothing came")
    func readAtStart() async throws {
        let temporary = try TemporaryFolder()
        let folder = try DataFolder(at: temporary.file("data"))
        var plane = try Self.plane(folder)
        try await Self.admit(1...3, to: plane)
        await plane.log.close()

        // A process that died before it wrote one.
        plane = try Self.plane(folder)
        #expect(plane.admission.snapshotEnd == .zero && plane.admission.count == 3)
        try await Self.stopped(Upkeep(plane, snapshotPath: folder.gateSnapshot))
        await plane.log.close()

        plane = try Self.plane(folder)
        #expect(plane.admission.snapshotEnd == Offset(3))
        // Nothing is written where nothing is new.
        try FileManager.default.removeItem(atPath: folder.gateSnapshot)
        try await Self.stopped(Upkeep(plane, snapshotPath: folder.gateSnapshot))
        #expect(!FileManager.default.fileExists(atPath: folder.gateSnapshot))
        await plane.log.close()
    }

    @Test("what has come is in the snapshot at the stop also where more has left the log")
    func forgotten() async throws {
        let temporary = try TemporaryFolder()
        let folder = try DataFolder(at: temporary.file("data"))
        var plane = try Self.plane(folder)
        try await Self.admit(1...3, to: plane)
        try await Self.stopped(Upkeep(plane, snapshotPath: folder.gateSnapshot))
        await plane.log.close()

        plane = try Self.plane(folder)
        #expect(plane.admission.snapshotEnd == Offset(3))
        try await Self.admit(4...5, to: plane)
        plane.admission.forget(below: Offset(3))
        #expect(plane.admission.count == 2)
        try await Self.stopped(Upkeep(plane, snapshotPath: folder.gateSnapshot))
        await plane.log.close()

        plane = try Self.plane(folder)
        #expect(plane.admission.snapshotEnd == Offset(5) && plane.admission.count == 2)
        await plane.log.close()
    }

    private static func admit(_ numbers: ClosedRange<Int>, to plane: EmbeddedPlane) async throws {
        for number in numbers {
            let identity = EventIdentity(
                id: EventID("evt_\(number)"), type: "charge.succeeded", created: "1")
            let record = Record.received(
                [0x7B, 0x7D], id: identity.id, endpoint: "", receivedAt: Timestamp(milliseconds: 1))
            let outcome = try await plane.admission.admit(identity, record: record)
            #expect(outcome != .duplicate && outcome != .conflict)
        }
    }

    private static func stopped(_ upkeep: Upkeep) async throws {
        let running = Task { try await upkeep.run() }
        running.cancel()
        try await running.value
    }
}
