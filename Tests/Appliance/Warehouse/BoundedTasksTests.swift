import Bridges
import NIOHTTP1
import Synchronization
import Testing

@testable import Vocabulary
@testable import Warehouse

/// Waits until so many have come, and then lets everybody through.
private actor Meeting {
    private let wanted: Int
    private var come = 0
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(of wanted: Int) { self.wanted = wanted }

    func come() async {
        come += 1
        guard come < wanted else {
            waiting.forEach { $0.resume() }
            waiting = []
            return
        }
        await withCheckedContinuation { waiting.append($0) }
    }
}

@Suite("Days that are loaded at once", .timeLimit(.minutes(1)))
struct BoundedTasksTests {
    @Test("as many as are allowed are under way, never more, and each result comes once")
    func bounded() async throws {
        let underWay = Mutex((now: 0, most: 0))
        let meeting = Meeting(of: 3)
        var seen: [Int] = []
        try await BoundedTasks.run(Array(0..<20), most: 3) { number in
            underWay.withLock {
                $0.now += 1
                $0.most = max($0.most, $0.now)
            }
            await meeting.come()
            underWay.withLock { $0.now -= 1 }
            return number * 10
        } each: { place, value in
            #expect(value == place * 10)
            seen.append(place)
        }
        #expect(seen.sorted() == Array(0..<20))
        #expect(underWay.withLock { $0.most } == 3)
    }

    @Test("the first failure ends it: what is under way is cancelled, nothing is begun after it")
    func failure() async throws {
        struct Wrong: Error {}
        let begun = Mutex(0)
        await #expect(throws: Wrong.self) {
            try await BoundedTasks.run(Array(0..<20), most: 2) { number in
                begun.withLock { $0 += 1 }
                if number == 0 { throw Wrong() }
                // Ends by being cancelled only.
                try await Task.sleep(for: .seconds(3_600))
            } each: { _, _ in }
        }
        #expect(begun.withLock { $0 } <= 3)
    }

    @Test("a table's days go up together and are swapped in one after the other")
    func loads() async throws {
        let fixture = try LoadFixture()
        let days = (1...5).map { "2026-11-0\($0)" }
        for (place, day) in days.enumerated() { try fixture.files.write(day, [Int64(place)]) }
        fixture.stub.change { $0.looks = 3 }
        let transport = WatchedTransport(stub: fixture.stub, uploads: Meeting(of: 5))
        let client = BigQueryClient(
            fixture.place, tokens: NoBigQueryTokens(), transport: transport,
            sleep: { _ in try Task.checkCancellation() }, random: { 0.5 },
            now: { 1_795_000_000 })
        var told: [String] = []
        let report = try await BigQueryLoad(client, schemaVersion: 1).run(
            BigQueryLoad.Request(tables: [BigQueryStub.table], daysAtOnce: 5),
            from: fixture.files.warehouse
        ) { table, day, done, total in told.append("\(table) \(done)/\(total) \(day)") }
        #expect(report.loaded.map(\.day.text) == days && report.faults.isEmpty)
        #expect(fixture.amounts == [0, 1, 2, 3, 4])
        #expect(transport.swaps.withLock { $0.most } == 1)
        #expect(told.map { String($0.prefix(9)) } == (1...5).map { "sales \($0)/5" })
        #expect(Set(told.map { String($0.suffix(10)) }) == Set(days))
    }
}

/// The stub, which lets uploads through only once so many have begun, and counts the scripts that
/// have begun and not ended.
private final class WatchedTransport: BigQueryTransport {
    let stub: BigQueryStub
    let uploads: Meeting
    let swaps = Mutex((open: Set<String>(), most: 0))

    init(stub: BigQueryStub, uploads: Meeting) {
        self.stub = stub
        self.uploads = uploads
    }

    func send(_ request: BigQueryRequest, token: Secret?) async throws -> BigQueryAnswer {
        if request.method == .POST, request.url.contains("/upload/") { await uploads.come() }
        await Task.yield()
        let answer = try await stub.send(request, token: token)
        let text = String(decoding: answer.body, as: UTF8.self)
        guard let name = text.firstMatch(of: /tillbox_swap_[A-Za-z0-9_]+/)?.output else {
            return answer
        }
        swaps.withLock { state in
            if text.contains("DONE") {
                state.open.remove(String(name))
            } else {
                state.open.insert(String(name))
            }
            state.most = max(state.most, state.open.count)
        }
        return answer
    }
}
