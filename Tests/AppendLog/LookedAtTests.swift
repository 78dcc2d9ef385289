import AppendLog
import LogSupport
import Testing

/// Who has looked at every segment, and holds the folder, opens the log without looking again.
@Suite("A log that was looked at before it is opened")
struct LookedAtTests {
    private static let path = "/log"

    private static func open(
        _ disk: SimulatedDisk, checksSegments: Bool
    ) throws -> (log: Log, topic: Topic) {
        let log = try Log.open(
            at: path, disk: disk, configuration: .small, checksSegments: checksSegments)
        return (log, try log.topic(TopicName("t")))
    }

    @Test("comes to the same end, checksum and records, wherever its last segment ends")
    func same() async throws {
        let disk = SimulatedDisk(seed: 1)
        for round in 0..<24 {
            let (log, topic) = try Self.open(disk, checksSegments: round.isMultiple(of: 2))
            _ = try await topic.append([
                makeRecord("\(round) " + String(repeating: "x", count: 700 + round * 90))
            ])
            let mark = topic.mark
            #expect(mark.checksum != nil)
            if round % 3 == 0 { await log.close() } else { disk.kill() }
            for checksSegments in [true, false] {
                let (again, found) = try Self.open(disk, checksSegments: checksSegments)
                #expect(found.mark == mark, "round \(round), \(checksSegments)")
                #expect(try texts(found.readAll()).count == round + 1)
                await again.close()
            }
        }
        #expect(try Self.open(disk, checksSegments: false).topic.segments.count > 5)
    }

    @Test("still looks at the last sealed segment, and at no other")
    func last() async throws {
        for place in [0, 2] {
            let disk = SimulatedDisk(seed: 1)
            let (log, topic) = try Self.open(disk, checksSegments: true)
            for number in 0..<16 {
                _ = try await topic.append([
                    makeRecord("\(number) " + String(repeating: "x", count: 900))
                ])
            }
            let sealed = topic.segments.dropLast()
            #expect(sealed.count == 3)
            let doomed = sealed[place]
            await log.close()
            disk.flip(doomed.file, at: Int(doomed.byteCount) - 30, bit: 1)
            #expect(throws: LogError.self) { try Self.open(disk, checksSegments: true) }
            disk.kill()
            if place == 2 {
                #expect(throws: LogError.self) { try Self.open(disk, checksSegments: false) }
            } else {
                let (again, _) = try Self.open(disk, checksSegments: false)
                await again.close()
            }
        }
    }
}
