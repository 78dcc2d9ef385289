import Foundation
import NIOCore
import TestSupport
import Testing

@testable import Console

/// Events as a page would read them.
struct ToldEvent {
    var id: String?
    var name: String
    var data: [String: Any]

    /// - Throws: what Foundation finds wrong with an event's JSON.
    static func all(in bytes: ByteBuffer) throws -> [ToldEvent] {
        try String(buffer: bytes).components(separatedBy: "\n\n").filter { !$0.isEmpty }
            .map { block in
                var (id, name, data) = (String?.none, "", "")
                for line in block.split(separator: "\n") {
                    guard let colon = line.firstIndex(of: ":") else { continue }
                    let value = String(line[colon...].dropFirst(2))
                    switch line[..<colon] {
                    case "id": id = value
                    case "event": name = value
                    case "data": data = value
                    default: break
                    }
                }
                let object = try JSONSerialization.jsonObject(with: Data(data.utf8))
                return ToldEvent(id: id, name: name, data: object as? [String: Any] ?? [:])
            }
    }
}

@Suite("The live feed")
struct LiveFeedTests {
    private static func data(_ number: Int) -> [UInt8] { Array(#"{"n":\#(number)}"#.utf8) }

    private static func numbers(_ events: [ToldEvent]) -> [Int] {
        events.compactMap { $0.data["n"] as? Int }
    }

    @Test("each reader gets what comes after it began, in order, with rising ids")
    func inOrder() throws {
        let feed = LiveFeed(epoch: 7)
        feed.publish("payment", Self.data(1))
        var (reader, hello) = feed.begin(after: nil)
        #expect(try ToldEvent.all(in: hello).map(\.id) == ["7-1"])
        for number in 2...3 { feed.publish("payment", Self.data(number)) }
        let events = try ToldEvent.all(in: feed.take(for: &reader))
        #expect(Self.numbers(events) == [2, 3])
        #expect(events.map(\.id) == ["7-2", "7-3"])
        #expect(events.allSatisfy { $0.name == "payment" })
        let rest = feed.take(for: &reader)
        #expect(rest.readableBytes == 0)
    }

    @Test("of figures only the newest are told, and they leave the page's id alone")
    func newestFigures() throws {
        let feed = LiveFeed(epoch: 7)
        for number in 1...3 { feed.publish(figures: Self.data(number)) }
        var (reader, _) = feed.begin(after: nil)
        let events = try ToldEvent.all(in: feed.take(for: &reader))
        #expect(Self.numbers(events) == [3])
        #expect(events.map(\.id) == [nil])
        let rest = feed.take(for: &reader)
        #expect(rest.readableBytes == 0)
    }

    @Test("who comes back goes on behind the last that it had")
    func resumed() throws {
        let feed = LiveFeed(epoch: 7)
        for number in 1...5 { feed.publish("review", Self.data(number)) }
        var (reader, hello) = feed.begin(after: "7-3")
        #expect(try ToldEvent.all(in: hello).first?.data["resumed"] as? Bool == true)
        let events = try ToldEvent.all(in: feed.take(for: &reader))
        #expect(Self.numbers(events) == [4, 5])
    }

    @Test(
        "an id of another process, or one that was never given, begins at what comes next",
        arguments: ["6-1", "7-9", "7--1", "7", "", "7-1-1", "x-y", "7-99999999999999999999"])
    func unknown(id: String) throws {
        let feed = LiveFeed(epoch: 7)
        feed.publish("letter", Self.data(1))
        var (reader, hello) = feed.begin(after: id)
        #expect(try ToldEvent.all(in: hello).first?.data["resumed"] as? Bool == false)
        let rest = feed.take(for: &reader)
        #expect(rest.readableBytes == 0)
    }

    @Test("who was too slow is told how many it has missed, and gets all that are kept")
    func missed() throws {
        let feed = LiveFeed(epoch: 7)
        let count = LiveLimits.keptEventCount + 9
        for number in 1...count { feed.publish("payment", Self.data(number)) }
        var (reader, _) = feed.begin(after: "7-4")
        var events: [ToldEvent] = []
        while case let piece = feed.take(for: &reader), piece.readableBytes > 0 {
            events += try ToldEvent.all(in: piece)
        }
        #expect(events.first?.name == "missed")
        #expect(events.first?.data["count"] as? Int == 5)
        #expect(events.first?.id == "7-9")
        #expect(Self.numbers(events) == Array(10...count))
    }

    @Test("what is kept is bounded by its bytes too, and a piece by its own bound")
    func bytes() throws {
        let feed = LiveFeed(epoch: 7)
        let large = Array(#"{"n":"\#(String(repeating: "x", count: 8 << 10))"}"#.utf8)
        let count = 2 * LiveLimits.keptByteCount / large.count
        for _ in 0..<count { feed.publish("payment", large) }
        var (reader, _) = feed.begin(after: "7-0")
        var (byteCount, most) = (0, 0)
        while case let piece = feed.take(for: &reader), piece.readableBytes > 0 {
            byteCount += piece.readableBytes
            most = max(most, piece.readableBytes)
        }
        #expect(byteCount < LiveLimits.keptByteCount + 1_024)
        #expect(byteCount > LiveLimits.keptByteCount / 2)
        #expect(most < LiveLimits.pieceByteCount + large.count + 1_024)
    }

    @Test("who waits is woken by the next event, by figures, and by its own end")
    func waiting() async throws {
        let feed = LiveFeed(epoch: 7)
        let (reader, _) = feed.begin(after: nil)
        async let payment: Void = feed.wait(for: reader)
        try await eventually("it waits") { feed.waitingCount == 1 }
        feed.publish("payment", Self.data(1))
        await payment
        var next = reader
        _ = feed.take(for: &next)
        let behind = next
        async let figures: Void = feed.wait(for: behind)
        try await eventually("it waits") { feed.waitingCount == 1 }
        feed.publish(figures: Self.data(2))
        await figures
        // There is news already.
        await feed.wait(for: reader)
        var had = reader
        _ = feed.take(for: &had)
        let last = had
        let cancelled = Task { await feed.wait(for: last) }
        try await eventually("it waits") { feed.waitingCount == 1 }
        cancelled.cancel()
        await cancelled.value
        #expect(feed.waitingCount == 0)
    }
}
