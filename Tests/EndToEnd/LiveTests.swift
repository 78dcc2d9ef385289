import Foundation
import TestSupport
import Testing

/// What an open console reads of a running daemon.
@Suite("Live figures and events", .serialized)
struct LiveTests {
    /// A console that has asked for events, and what it was told.
    private final class Watching {
        private let connection: RawConnection

        init(_ daemon: RunningDaemon, after id: String? = nil) throws {
            connection = try RawConnection(port: daemon.admin)
            let last = id.map { "Last-Event-ID: \($0)\r\n" } ?? ""
            connection.send(
                "GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n"
                    + "\(daemon.authorization)\(last)\r\n")
        }

        /// The next event's lines; nil where none comes.
        func next() -> [String]? {
            while true {
                guard let block = connection.readBlock() else { return nil }
                let lines = block.split(separator: "\n").map(String.init)
                if lines.contains(where: { $0.hasPrefix("event: ") }) { return lines }
            }
        }

        /// The data of the next event of a name, with its id.
        func next(_ name: String) throws -> (id: String?, data: JSON) {
            while true {
                let lines = try #require(next(), "the stream has ended before \(name)")
                guard lines.contains("event: \(name)") else { continue }
                func value(_ field: String) -> String? {
                    lines.first { $0.hasPrefix("\(field): ") }.map {
                        String($0.dropFirst(field.count + 2))
                    }
                }
                return (value("id"), try JSON(try #require(value("data"))))
            }
        }

        func isClosedByPeer() -> Bool { connection.isClosedByPeer() }
    }

    @Test("a payment is told with its pair, figures count it, and who comes back goes on")
    func told() async throws {
        let daemon = try await RunningDaemon()
        let console = try Watching(daemon)
        let hello = try console.next("hello")
        #expect(!hello.data["resumed"].bool)
        #expect(try Ask.deliver(Ask.payment("live1"), to: daemon.webhook) == 200)
        let first = try console.next("payment")
        #expect(first.data["movement"].text == "charge:ch_live1")
        let entries = first.data["transactions"].list.first?["entries"].list ?? []
        #expect(entries.map { $0["amount"].int }.sorted() == [-2000, 2000])
        #expect(try Ask.deliver(Ask.payment("live1"), to: daemon.webhook) == 200)

        var figures = JSON.null
        try await eventually("the money was looked at since") {
            figures = try JSON(try daemon.read("/api/v1/figures"))
            return figures["counters"]["duplicates"].int == 1
                && figures["money"]["trial_balance"].list.first?["currency"].text == "usd"
        }
        #expect(figures["counters"]["booked"].int == 1)
        #expect(figures["money"]["is_zero"].bool)
        #expect(figures["stages"].list.count == 7)
        #expect(figures["latency"]["to_ledger"]["p99_us"].int > 0)
        #expect(figures.has("history"))
        let told = try console.next("figures")
        #expect(told.id == nil)
        #expect(!told.data.has("history"))

        // It misses nothing of what is told while it is away.
        #expect(try Ask.deliver(Ask.payment("live2"), to: daemon.webhook) == 200)
        #expect(try console.next("payment").data["movement"].text == "charge:ch_live2")
        let place = try #require(first.id)
        let again = try Watching(daemon, after: place)
        #expect(try again.next("hello").data["resumed"].bool)
        #expect(try again.next("payment").data["movement"].text == "charge:ch_live2")

        try await daemon.stop()
        #expect(console.isClosedByPeer() && again.isClosedByPeer())
        let next = try await RunningDaemon(in: daemon.folder)
        let afterRestart = try Watching(next, after: place)
        #expect(try !afterRestart.next("hello").data["resumed"].bool)
        try await next.stop()
    }

    @Test("beyond the cap consoles are refused with a problem, and the API still answers")
    func capped() async throws {
        let daemon = try await RunningDaemon()
        let consoles = try (0..<64).map { _ in try Watching(daemon) }
        for console in consoles { _ = try console.next("hello") }
        #expect(try daemon.ask("GET", "/api/v1/events") == 503)
        #expect(try daemon.ask("GET", "/api/v1/status") == 200)
        #expect(try Ask.deliver(Ask.payment("capped"), to: daemon.webhook) == 200)
        for console in consoles {
            #expect(try console.next("payment").data["movement"].text == "charge:ch_capped")
        }
        try await daemon.stop()
    }
}
