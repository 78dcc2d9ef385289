import AppendLog
import Glibc
import LogSupport
import Synchronization
import Testing

@Suite("A new segment")
struct RollingTests {
    private static let path = "/log"

    private static func topic(
        _ disk: SimulatedDisk, _ scheduler: SteppedScheduler
    ) throws -> (Log, Topic) {
        let log = try Log.open(
            at: path, disk: disk, scheduler: scheduler, configuration: .small)
        return (log, try log.topic(TopicName("t")))
    }

    /// Appends and says whether that was acknowledged.
    private static func append(
        _ text: String, _ topic: Topic, _ scheduler: SteppedScheduler
    ) -> Bool {
        let isStored = Mutex(false)
        topic.append([makeRecord(text)]) { result in
            if case .success = result { isStored.withLock { $0 = true } }
        }
        scheduler.run()
        return isStored.withLock { $0 }
    }

    /// The checkpoint that follows syncs the folder too, but does not come about on a full disk.
    @Test(
        "outlives a power cut once something in it is acknowledged, whatever found no room",
        arguments: UInt64(1)...6)
    func outlivesPowerCut(seed: UInt64) throws {
        let filler = String(repeating: "x", count: 3 << 10)
        var acknowledgedCount = 0
        for step in 1...40 {
            let disk = SimulatedDisk(seed: seed)
            let scheduler = SteppedScheduler()
            let (_, topic) = try Self.topic(disk, scheduler)
            #expect(Self.append(filler, topic, scheduler))
            disk.faults.failures = [disk.operationCount + step: ENOSPC]
            guard Self.append("the next \(filler)", topic, scheduler) else { continue }
            acknowledgedCount += 1
            #expect(topic.segments.count == 2)
            disk.crash()
            disk.faults.failures = [:]
            let (_, recovered) = try Self.topic(disk, SteppedScheduler())
            #expect(recovered.highWatermark == Offset(2), "no room for operation \(step)")
        }
        #expect(acknowledgedCount > 20)
    }
}
