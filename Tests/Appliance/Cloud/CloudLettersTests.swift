import AppendLog
import TestSupport
import Testing

@testable import Appliance
@testable import Cloud
@testable import Daemon
@testable import Vocabulary

/// Dead letters as the role console has them, over topics of several partitions.
@Suite("Dead letters at the console role", .serialized, .timeLimit(.minutes(3)))
struct CloudLettersTests {
    private static let queue = BlockingQueue("letters of a test")

    private func listed(_ letters: CloudLetters) async throws -> [LetterLine] {
        try await Self.queue.run { () throws(StoreFailure) in try letters.book.listed() }
    }

    @Test("are listed over partitions, foretold without a write, and go back once")
    func wayBack() async throws {
        let cloud = try await CloudFixture.ofLetters()
        try await cloud.refuseCharges(6)
        let odd = try await cloud.refuse(
            Array("{}".utf8), in: .webhookReceived, key: "evt_24", reason: "bad_amount")
        let letters = CloudLetters(cloud.plane, log: try cloud.plane.shownLog())
        let lines = try await listed(letters)
        #expect(lines.count == 7 && letters.book.behind == 0)
        #expect(Set(lines.map(\.place.partition)).count > 1)
        #expect(lines.map(\.place) == lines.map(\.place).sorted())
        #expect(lines.allSatisfy { $0.state == .notRedriven })
        #expect(lines.filter { $0.reason == "bad_amount" }.map(\.place) == [odd])
        let one = try await Self.queue.run { () throws(StoreFailure) in
            try letters.book.letter(at: odd).map { Array($0.value) }
        }
        #expect(one == Array("{}".utf8))

        let before = try await cloud.counts()
        let dry = try await letters.redrive(RedriveRequest(reason: "bad_id", isDryRun: true))
        #expect(RedriveLine.results(dry.lines) == ["would_send": 6] && dry.next == nil)
        let stays = try await letters.redrive(RedriveRequest(letters: [odd], isDryRun: true))
        #expect(RedriveLine.results(stays.lines) == ["still_refused": 1])
        #expect(try await cloud.counts() == before, "a dry run writes nothing")

        let first = try #require(lines.first { $0.reason == "bad_id" }).place
        let sent = try await letters.redrive(RedriveRequest(letters: [first]))
        #expect(RedriveLine.results(sent.lines) == ["sent": 1])
        let now = try await listed(letters)
        #expect(now.filter { $0.state == .sent }.map(\.place) == [first])
        #expect(now.count { $0.state == .notRedriven } == 6)
        let again = try await letters.redrive(RedriveRequest(letters: [first]))
        #expect(RedriveLine.results(again.lines) == ["already_redriven": 1])

        // Another instance has read nothing of it before.
        let other = CloudLetters(cloud.plane, log: try cloud.plane.shownLog())
        let rest = try await other.redrive(RedriveRequest(reason: "bad_id"))
        #expect(RedriveLine.results(rest.lines) == ["sent": 5])
        #expect(try await cloud.orders().count == 6)
        #expect(try await cloud.copies().mapValues(\.count) == [.webhookReceived: 6])
        let last = try await listed(letters)
        #expect(last.count { $0.state == .sent } == 6)
    }

    @Test("without Redis nothing goes back, and all is shown and foretold")
    func withoutRedis() async throws {
        let cloud = try await CloudFixture.ofLetters()
        try await cloud.refuseCharges(2)
        var settings = cloud.settings
        settings.redis.url = nil
        let plane = try CloudPlane(
            settings, counters: cloud.counters, logger: PipelineFixture.quiet)
        let letters = CloudLetters(plane, log: try plane.shownLog())
        let dry = try await letters.redrive(RedriveRequest(isDryRun: true))
        #expect(RedriveLine.results(dry.lines) == ["would_send": 2])
        await #expect(throws: RedriveRefused.self) {
            _ = try await letters.redrive(RedriveRequest())
        }
        #expect(try await cloud.orders().isEmpty)
    }
}
