import AppendLog
import Glibc
import LogSupport
import Synchronization
import Testing

/// Lets a test look around in the middle of a sync.
private final class Watcher: Sendable {
    private let body = Mutex<(@Sendable () -> Void)?>(nil)

    func watch(_ body: @escaping @Sendable () -> Void) { self.body.withLock { $0 = body } }

    /// A simulated disk that it watches.
    var disk: SyncingDisk {
        SyncingDisk(SimulatedDisk(seed: 1)) { path, file throws(DiskError) in
            // Called without the lock, because the body asks the log.
            if path.hasSuffix(".log") { self.body.withLock { $0 }?() }
            try file.sync()
        }
    }
}

@Suite("A batch before its sync")
struct UnsyncedBatchTests {
    /// What can be seen of a topic from outside.
    private struct View: Hashable {
        var end: Int64
        var texts: [String]
        var toldCount: Int
    }

    @Test("is not visible, and nobody is told that it is stored")
    func unseen() throws {
        let watcher = Watcher()
        let scheduler = SteppedScheduler()
        let log = try Log.open(
            at: "/log", disk: watcher.disk,
            scheduler: scheduler)
        let topic = try log.topic(TopicName("t"))
        topic.append([makeRecord("first")]) { _ in }
        scheduler.run()
        let told = Mutex(0)
        let views = Mutex<[View]>([])
        @Sendable func look() {
            let stored = (try? topic.read(from: .zero)) ?? []
            let view = View(
                end: topic.highWatermark.rawValue, texts: texts(stored),
                toldCount: told.withLock { $0 })
            views.withLock { $0.append(view) }
        }
        watcher.watch { look() }
        topic.append([makeRecord("second")]) { _ in told.withLock { $0 += 1 } }
        scheduler.run()
        look()
        #expect(
            views.withLock { $0 } == [
                View(end: 1, texts: ["first"], toldCount: 0),
                View(end: 2, texts: ["first", "second"], toldCount: 1),
            ])
    }

    @Test("that failed to sync stops the log for good, although the disk works again")
    func failedSync() throws {
        let disk = SimulatedDisk(seed: 1)
        let scheduler = SteppedScheduler()
        let log = try Log.open(at: "/log", disk: disk, scheduler: scheduler)
        let topic = try log.topic(TopicName("t"))
        let answers = Mutex<[String]>([])
        for (text, failing) in [("first", [:]), ("second", [.sync: EIO]), ("third", [:])]
            as [(String, [DiskError.Operation: Int32])]
        {
            disk.faults.failing = failing
            topic.append([makeRecord(text)]) { result in
                let answer =
                    switch result {
                    case .success: "stored"
                    case .failure(.poisoned): "poisoned"
                    case .failure(let error): "\(error)"
                    }
                answers.withLock { $0.append(answer) }
            }
            scheduler.run()
        }
        #expect(answers.withLock { $0 } == ["stored", "poisoned", "poisoned"])
        #expect(log.poison != nil)
        #expect(topic.highWatermark == Offset(1))
    }
}
