import AppendLog
import LogSupport
import Synchronization
import Testing

/// Who has looked at every segment, and holds the folder, opens the log without looking again.
@Suite("A log that was looked at before it is opened")
struct LookedAtTests {
    private static let path = "/log"

    private static func open(
        _ disk: any Disk, lookedAt: LogLooks? = nil
    ) throws -> (log: Log, topic: Topic) {
        let log = try Log.open(at: path, disk: disk, configuration: .small, lookedAt: lookedAt)
        return (log, try log.topic(TopicName("t")))
    }

    private static func looks(_ disk: any Disk) throws -> LogLooks {
        try #require(Log.openReadOnly(at: path, disk: disk, checksSegments: true).looks)
    }

    @Test("comes to the same end, checksum and records, wherever its last segment ends")
    func same() async throws {
        let disk = SimulatedDisk(seed: 1)
        for round in 0..<24 {
            let looks = round.isMultiple(of: 2) || round == 1 ? nil : try Self.looks(disk)
            let (log, topic) = try Self.open(disk, lookedAt: looks)
            _ = try await topic.append([
                makeRecord("\(round) " + String(repeating: "x", count: 700 + round * 90))
            ])
            let mark = topic.mark
            #expect(mark.checksum != nil)
            if round % 3 == 0 { await log.close() } else { disk.kill() }
            for isLookedAt in [true, false] {
                let looks = isLookedAt ? try Self.looks(disk) : nil
                let (again, found) = try Self.open(disk, lookedAt: looks)
                #expect(found.mark == mark, "round \(round), \(isLookedAt)")
                #expect(try texts(found.readAll()).count == round + 1)
                await again.close()
            }
        }
        #expect(try Self.open(disk, lookedAt: Self.looks(disk)).topic.segments.count > 5)
    }

    @Test("still looks at the last sealed segment, and at no other")
    func last() async throws {
        for place in [0, 2] {
            let disk = SimulatedDisk(seed: 1)
            disk.faults.tellsNoVersions = true
            let (log, topic) = try Self.open(disk)
            for number in 0..<16 {
                _ = try await topic.append([
                    makeRecord("\(number) " + String(repeating: "x", count: 900))
                ])
            }
            let sealed = topic.segments.dropLast()
            #expect(sealed.count == 3)
            let doomed = sealed[place]
            await log.close()
            let looks = try Self.looks(disk)
            disk.flip(doomed.file, at: Int(doomed.byteCount) - 30, bit: 1)
            #expect(throws: LogError.self) { try Self.open(disk) }
            disk.kill()
            if place == 2 {
                #expect(throws: LogError.self) { try Self.open(disk, lookedAt: looks) }
            } else {
                let (again, _) = try Self.open(disk, lookedAt: looks)
                await again.close()
            }
        }
    }

    /// What a disk was told of a file, and asked.
    private struct Seen {
        var ends: Set<Int64> = []
        var hints = 0
        var readsBeforeHint = 0
    }

    @Test("asks the disk ahead for where each sealed segment begins and ends")
    func ahead() async throws {
        let disk = SimulatedDisk(seed: 1)
        disk.faults.tellsNoVersions = true
        let (log, topic) = try Self.open(disk)
        for number in 0..<400 {
            _ = try await topic.append([
                makeRecord("\(number) " + String(repeating: "x", count: 900))
            ])
        }
        let sealed = topic.segments.dropLast()
        #expect(sealed.count > 64)
        await log.close()

        let seen = Mutex<[String: Seen]>([:])
        let watched = SyncingDisk(
            disk,
            willRead: { path in
                seen.withLock {
                    guard $0[path, default: Seen()].hints == 0 else { return }
                    $0[path]?.readsBeforeHint += 1
                }
            },
            hinted: { path, position, count in
                seen.withLock {
                    $0[path, default: Seen()].hints += 1
                    $0[path]?.ends.insert(position + Int64(count))
                }
            })
        let again = try Log.open(at: Self.path, disk: watched, configuration: .small)
        _ = try again.topic(TopicName("t"))
        for segment in sealed {
            let file = try #require(seen.withLock { $0[segment.file] })
            #expect(file.readsBeforeHint == 0, "\(segment.file)")
            #expect(file.ends.contains(61) && file.ends.contains(segment.byteCount))
        }
        await again.close()
    }
}
