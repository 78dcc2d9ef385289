import AppendLog
import Foundation
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing

@testable import Appliance
@testable import Command
@testable import Daemon
@testable import Terminal
@testable import Vocabulary

/// docs/RELIABILITY.md, "Every start compares every part with every other": each part in each
/// state, and copies of a running folder. Either the start catches up exactly, and a replay agrees,
/// or it refuses, three times with the same sentence over the same files.
@Suite("Starts")
struct StartMatrixTests {
    enum Outcome: Equatable {
        case caughtUp
        case refused(String)
        /// Neither of the two.
        case failed([String])

        var isRefusal: Bool { if case .refused = self { true } else { false } }
    }

    /// The folders that the cells are made of: an earlier state, two ends of the same state, a
    /// later one, and another folder that has seen the same events.
    struct Folders {
        let root: TemporaryFolder
        var acknowledged: Set<String> = []

        func path(_ name: String) -> String { root.file(name) }

        init() async throws {
            root = try TemporaryFolder()
            let live = StartFixture(root.file("live"))
            try await run(live, 0..<24)
            try copy("live", to: "older")
            try await run(live, 24..<48) { try copy("live", to: "killed") }
            acknowledged = try Self.events(in: live.path)
            try copy("live", to: "closed")
            try await run(live, 48..<60)
            try copy("live", to: "newer")
            try await run(StartFixture(root.file("foreign")), 0..<48)
        }

        private func run(
            _ fixture: StartFixture, _ numbers: Range<Int>, beforeStop: () throws -> Void = {}
        ) async throws {
            let daemon = try fixture.start()
            // In several batches, each of which fills a segment.
            for first in stride(from: numbers.lowerBound, to: numbers.upperBound, by: 6) {
                try await fixture.admit(first..<min(first + 6, numbers.upperBound), daemon)
                try await fixture.process(daemon)
            }
            try await fixture.snapshotGate(daemon)
            try beforeStop()
            try await fixture.stop(daemon)
        }

        private func copy(_ name: String, to copy: String) throws {
            try FileManager.default.copyItem(atPath: path(name), toPath: path(copy))
        }

        static func events(in folder: String) throws -> Set<String> {
            let log = try Log.openReadOnly(at: "\(folder)/log")
            var events: Set<String> = []
            let topic = try #require(log.topic(try TopicName(TopicID.webhookReceived.rawValue)))
            try topic.scan(from: topic.start) { stored in
                events.insert(String(decoding: stored.record.key ?? [], as: UTF8.self))
                return true
            }
            return events
        }
    }

    /// What must come of a cell whatever else changes: the examples that were seen in the field.
    private static func expected(_ part: Part, _ state: PartState) -> Bool? {
        switch (part, state) {
        case (.lock, _), (.gate, _), (.features, _): return false
        case (.cursors, .missing), (.cursors, .older), (.cursors, .empty): return false
        case (.identity, .missing), (.identity, .empty), (.identity, .cut): return false
        case (.identity, .foreign): return true
        case (.ledgerAndWAL, .missing), (.ledgerAndWAL, .older), (.ledgerAndWAL, .empty):
            return false
        case (.topic(.ledgerPosted), .missing), (.topic(.ledgerPosted), .older): return false
        case (.topic(.paymentFeatures), .missing), (.topic(.paymentFeatures), .older): return false
        case (.topic(.webhookReceived), .missing), (.topic(.webhookReceived), .older),
            (.topic(.webhookReceived), .flipped), (.topic(.webhookReceived), .cut),
            (.topic(.paymentValidated), .missing), (.topic(.paymentValidated), .older),
            (.topic(.paymentValidated), .flipped), (.topic(.paymentValidated), .cut):
            return true
        case (.firstSegment, .missing), (.firstSegment, .foreign), (.firstSegment, .flipped),
            (.topic, .foreign), (.topic, .swapped), (.middleSegment, .missing),
            (.middleSegment, .foreign), (.middleSegment, .swapped), (.middleSegment, .flipped):
            return true
        default: return nil
        }
    }

    @Test(
        "each part, missing, empty, older, newer, cut or another's, is caught up or refused",
        arguments: ["closed", "killed"], [0, 1])
    func matrix(base: String, half: Int) async throws {
        let folders = try await Folders()
        var counts = (caughtUp: 0, refused: 0)
        for (number, part) in Part.all.enumerated() where number % 2 == half {
            for state in PartState.allCases {
                let path = folders.path("cell")
                try FileManager.default.copyItem(atPath: folders.path(base), toPath: path)
                try state.apply(
                    to: part, of: path, older: folders.path("older"),
                    newer: folders.path("newer"), foreign: folders.path("foreign"))
                let outcome = await judge(path, folders.acknowledged, folders.root)
                try FileManager.default.removeItem(atPath: path)
                if case .failed(let complaints) = outcome {
                    Issue.record("\(base), \(part), \(state.rawValue): \(complaints)")
                }
                if let refuses = Self.expected(part, state), refuses != outcome.isRefusal {
                    Issue.record("\(base), \(part), \(state.rawValue): \(outcome)")
                }
                if outcome == .caughtUp { counts.caughtUp += 1 } else { counts.refused += 1 }
            }
        }
        print("starts, \(base): \(counts.caughtUp) caught up, \(counts.refused) refused")
        #expect(counts.caughtUp > 25)
        #expect(counts.refused > 25)
    }

    @Test("what a start makes up for is not forgotten by whoever opens the folder before it")
    func openedBefore() async throws {
        let folders = try await Folders()
        let path = folders.path("cell")
        try FileManager.default.copyItem(atPath: folders.path("closed"), toPath: path)
        // Of the topics whose end can be derived again the only one that nobody reads: where a
        // cursor stands behind the end of another, the folder is refused.
        try PartState.older.apply(
            to: .topic(.paymentFeatures), of: path, older: folders.path("older"),
            newer: folders.path("newer"), foreign: folders.path("foreign"))
        let state = try DataFolder(existingAt: path).survey.state()
        guard case .proceed(let plan) = StartComparison.verdict(of: state) else {
            Issue.record("\(StartComparison.verdict(of: state))")
            return
        }
        #expect(!plan.rewinds.isEmpty)
        // Its end notes how far each topic has come.
        _ = try await StartFixture(path).redrive(isDryRun: true)
        let outcome = await judge(path, folders.acknowledged, folders.root)
        #expect(outcome == .caughtUp)
    }

    @Test("transactions that nothing tells of any more are refused, whatever else is as old")
    func postedNewer() async throws {
        let folders = try await Folders()
        let posted = (Part.topic(.ledgerPosted), PartState.newer)
        for losses in [
            // The ledger can book some of what ledger.posted has, not all of it.
            [(Part.ledgerAndWAL, PartState.older), posted], [(.ledgerAndWAL, .missing), posted],
            [posted],
        ] {
            let path = folders.path("cell")
            try FileManager.default.copyItem(atPath: folders.path("closed"), toPath: path)
            for (part, state) in losses {
                try state.apply(
                    to: part, of: path, older: folders.path("older"),
                    newer: folders.path("newer"), foreign: folders.path("foreign"))
            }
            let outcome = await judge(path, folders.acknowledged, folders.root)
            guard case .refused(let sentence) = outcome else {
                Issue.record("\(losses): \(outcome)")
                continue
            }
            #expect(sentence.contains("of transaction 49 nothing tells"), "\(sentence)")
            try FileManager.default.removeItem(atPath: path)
        }
    }

    @Test("the mark of what is lost goes back with the stage's cursor, and not before")
    func setBack() async throws {
        let root = try TemporaryFolder()
        let path = root.file("log")
        let (received, validated) = (
            try TopicName(TopicID.webhookReceived.rawValue),
            try TopicName(TopicID.paymentValidated.rawValue)
        )
        let stage = try GroupName(ValidateStage.name)
        let log = try Log.open(at: path)
        for name in [received, validated] {
            let records = (0..<9).map { PipelineFixture.received("{}", event: "evt_\($0)") }
            _ = try await log.topic(name).append(records)
        }
        try await log.cursors.commit(Offset(9), group: stage, topic: received)
        await log.close()
        try FileManager.default.removeItem(atPath: "\(path)/\(validated)-0")
        // Whoever opens and closes the folder before somebody makes up for the loss, and after.
        for (isMadeUpFor, mark, cursor) in [(false, 9, 9), (true, 0, 4), (false, 0, 4)] {
            let log = try Log.open(at: path)
            _ = try log.topic(validated)
            if isMadeUpFor {
                let plan = StartPlan(rewinds: [ValidateStage.name: Offset(4)])
                try await plan.makeUp(in: log, featureSnapshot: root.file("none"))
            }
            await log.close()
            let seen = try Log.openReadOnly(at: path)
            #expect(seen.marks[validated]?.end == Offset(Int64(mark)))
            #expect(seen.cursors[stage]?[received] == Offset(Int64(cursor)))
        }
    }

    @Test("a start that dies after it has published again what was lost is followed by another")
    func publishedAgain() async throws {
        let folders = try await Folders()
        let (path, killed) = (folders.path("closed"), folders.path("cell"))
        try FileManager.default.removeItem(atPath: "\(path)/log/ledger.posted-0")
        let fixture = StartFixture(path)
        let daemon = try fixture.start()
        try await daemon.held.makeUp(in: daemon.log)
        // All at once, as nothing was published before: other batches than those that were lost.
        let rows = LedgerStep.posted(try daemon.ledger.posted(after: TransactionID(0), limit: 100))
        let records = rows.enumerated().map { number, row in
            SourcedRecord(source: Offset(Int64(number + 1)), record: row.record)
        }
        _ = try await daemon.topics[.ledgerPosted].append(
            records, producer: ProducerName(LedgerStep.name))
        try FileManager.default.copyItem(atPath: path, toPath: killed)
        try await fixture.stop(daemon)
        #expect(await judge(killed, folders.acknowledged, folders.root) == .caughtUp)
    }

    @Test("a transaction of a decision that is not there is refused before anything is opened")
    func decidedLater() async throws {
        let root = try TemporaryFolder()
        let (own, later) = (StartFixture(root.file("own")), StartFixture(root.file("later")))
        let daemon = try own.start()
        try await own.admit(0..<6, daemon)
        try await own.process(daemon)
        try await own.stop(daemon)
        try FileManager.default.copyItem(atPath: own.path, toPath: later.path)
        let decided = try later.start()
        _ = try await decided.topics[.paymentReview].append(
            [PipelineFixture.decision(1, .declined)])
        try await later.process(decided)
        try await later.stop(decided)
        try PartState.newer.apply(
            to: .topic(.ledgerPosted), of: own.path, older: own.path, newer: later.path,
            foreign: own.path)
        let outcome = await judge(own.path, try Folders.events(in: own.path), root)
        guard case .refused(let sentence) = outcome else {
            Issue.record("\(outcome)")
            return
        }
        #expect(sentence.contains("of transaction 7 nothing tells"), "\(sentence)")
    }

    @Test("a file-by-file copy of a running folder, in any order of files, is caught up or refused")
    func copies() async throws {
        let root = try TemporaryFolder()
        // One segment each: a copy that misses a new one is refused, whatever else it holds.
        let live = StartFixture(root.file("live"), segmentByteCount: 1 << 20)
        let acknowledged = Mutex<Set<String>>([])
        let known = Mutex<[Set<String>]>([])
        try await live.underTraffic { numbers, _ in
            acknowledged.withLock { $0.formUnion(numbers.map { "evt_\($0)" }) }
        } _: { _ in
            var random = SeededGenerator(seed: 7)
            for number in 0..<8 {
                let due = (number + 1) * 12
                try await eventually("\(due) events are acknowledged") {
                    acknowledged.withLock { $0.count } >= due
                }
                known.withLock { known in known.append(acknowledged.withLock { $0 }) }
                try copyFiles(of: live.path, to: root.file("copy-\(number)"), number, &random)
            }
        }
        for (number, events) in known.withLock({ $0 }).enumerated() {
            let outcome = await judge(root.file("copy-\(number)"), events, root)
            if case .failed(let complaints) = outcome {
                Issue.record("copy \(number): \(complaints)")
            }
            print("starts, copy \(number) of a running folder: \(outcome)")
        }
    }

    private func copyFiles(
        of source: String, to target: String, _ number: Int, _ random: inout SeededGenerator
    ) throws {
        let files = FileManager.default
        var names: [String] = []
        for case let name as String in files.enumerator(atPath: source) ?? .init() {
            names.append(name)
        }
        names.sort()
        for name in names {
            var isFolder: ObjCBool = false
            guard files.fileExists(atPath: "\(source)/\(name)", isDirectory: &isFolder),
                isFolder.boolValue
            else { continue }
            try files.createDirectory(
                atPath: "\(target)/\(name)", withIntermediateDirectories: true)
        }
        switch number % 3 {
        case 0: break
        case 1: names.reverse()
        default: names.shuffle(using: &random)
        }
        for name in names {
            guard let bytes = files.contents(atPath: "\(source)/\(name)") else { continue }
            try bytes.write(to: URL(filePath: "\(target)/\(name)"))
        }
    }

    // MARK: The judge

    private func judge(
        _ path: String, _ acknowledged: Set<String>, _ root: TemporaryFolder
    ) async -> Outcome {
        let fixture = StartFixture(path)
        do {
            let before = try fixture.contents()
            let daemon: Daemon
            do {
                daemon = try fixture.start()
            } catch {
                return await refusal("\(error)", fixture, before)
            }
            var complaints = await firstRun(fixture, daemon, acknowledged)
            if complaints.isEmpty {
                let again = try fixture.start()
                try await fixture.process(again)
                try await fixture.stop(again)
                let scratch = root.file("replayed")
                complaints = try await fixture.complaints(
                    acknowledged: acknowledged, scratch: scratch)
                try FileManager.default.removeItem(atPath: scratch)
            }
            return complaints.isEmpty ? .caughtUp : .failed(complaints)
        } catch {
            return .failed(["\(error)"])
        }
    }

    /// A refusal is one only if it comes again, word for word, from whoever else would write, and
    /// leaves everything as it was.
    private func refusal(
        _ sentence: String, _ fixture: StartFixture, _ before: [String: Data]
    ) async -> Outcome {
        for _ in 0..<2 {
            do {
                _ = try fixture.start()
                return .failed(["refused once only: \(sentence)"])
            } catch {
                guard "\(error)" == sentence else {
                    return .failed(["refused for another reason: \(sentence) / \(error)"])
                }
            }
        }
        do {
            try await whenReleased { _ = try await fixture.redrive(isDryRun: false) }
            return .failed(["refused by a start, not by a redrive: \(sentence)"])
        } catch {
            let words = Self.words(of: error)
            guard words == sentence else {
                return .failed(["a redrive refused for another reason: \(sentence) / \(words)"])
            }
        }
        let after = (try? fixture.contents()) ?? [:]
        guard after == before else {
            let changed = Set(after.keys).union(before.keys).filter { after[$0] != before[$0] }
            return .failed(["refused, but changed \(changed.sorted()): \(sentence)"])
        }
        return .refused(sentence)
    }

    private static func words(of error: any Error) -> String {
        (error as? CommandFailure)?.message ?? "\(error)"
    }

    /// What a refused start had open goes when its last thread has let go of it, a moment later on
    /// a busy machine; in life its process has ended by then.
    private func whenReleased(_ body: () async throws -> Void) async throws {
        let held = "is in use by process \(getpid())"
        let giveUpAt = ContinuousClock.now + .seconds(60)
        var isHeld = true
        while isHeld {
            isHeld = false
            do {
                try await body()
            } catch {
                guard Self.words(of: error).contains(held), .now < giveUpAt else { throw error }
                isHeld = true
                await Task.yield()
            }
        }
    }

    /// Runs the stages, and offers every acknowledged event once more.
    private func firstRun(
        _ fixture: StartFixture, _ daemon: Daemon, _ acknowledged: Set<String>
    ) async -> [String] {
        var complaints: [String] = []
        do {
            for event in acknowledged.sorted() {
                let identity = EventIdentity(
                    id: EventID(event), type: "charge.succeeded", created: "")
                let outcome = try await daemon.admission.admit(
                    identity, record: PipelineFixture.received("{}", event: event))
                if case .admitted = outcome { complaints.append("\(event) was admitted again") }
            }
            try await fixture.process(daemon)
        } catch {
            complaints.append("started, then stopped: \(error)")
        }
        do { try await fixture.stop(daemon) } catch { complaints.append("\(error)") }
        return complaints
    }
}
