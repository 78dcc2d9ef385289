import AppendLog
import HTTPTypes
import Hummingbird
import HummingbirdCore
import LogSupport
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Synchronization
import TestSupport
import Testing

@testable import Appliance
@testable import Console
@testable import Vocabulary

@Suite("Streams of the admin port", .timeLimit(.minutes(1)))
struct StreamTests {
    /// A connection that takes all that it is given.
    private final class Reading: Sendable {
        private static let loop = NIOAsyncTestingEventLoop()
        private let taken = Mutex((pieces: 0, text: "", isOver: false))
        private let stream: PortStream

        init(_ stream: PortStream) {
            self.stream = stream
            open()
        }

        /// Whoever reads goes away.
        func close() { stream.close() }

        var pieceCount: Int { taken.withLock { $0.pieces } }
        var text: String { taken.withLock { $0.text } }
        var isOver: Bool { taken.withLock { $0.isOver } }

        private func open() {
            let stream = stream
            stream.open(
                StreamSink(
                    send: { bytes in
                        self.taken.withLock {
                            $0.pieces += 1
                            $0.text += String(buffer: bytes)
                        }
                        return Self.loop.makeSucceededVoidFuture()
                    },
                    close: {
                        self.taken.withLock { $0.isOver = true }
                        stream.close()
                    }))
        }
    }

    private static func world() throws -> AccessWorld {
        try AccessWorld(streamLook: .milliseconds(2)) { addEvents(to: &$0) }
    }

    /// A stream that goes on for ever.
    private static func addEvents(to routes: inout AdminRoutes) {
        routes.get("/events", needs: .viewer) { _, _ in
            Response(
                status: .ok, headers: [.contentType: ServerSentEvent.contentType],
                body: ResponseBody { writer in
                    while !Task.isCancelled {
                        try await writer.write(ByteBuffer(string: ":\n\n"))
                        try await Task.sleep(for: .milliseconds(1))
                    }
                })
        }
    }

    private static func reading(
        _ world: AccessWorld, _ fields: [(String, String)]
    ) async throws -> Reading {
        let response = await world.responder.response(.GET, "/events", fields)
        let reading = Reading(try #require(response.stream))
        try await eventually("it is written") { reading.pieceCount > 0 }
        return reading
    }

    struct Ending: Sendable {
        var what: String
        var end: @Sendable (AccessWorld) throws -> Void
    }

    static let sessionEndings: [Ending] = [
        Ending(what: "signed out by an admin") { world in
            _ = try world.store.endSessions(of: "ann")
        },
        Ending(what: "switched off") { try $0.store.setDisabled(1, of: "ann", keepsAdmin: false) },
        Ending(what: "removed") { try $0.store.removeUser("ann", keepsAdmin: false) },
        Ending(what: "another role") {
            try $0.store.setRole(.viewer, of: "ann", keepsAdmin: false)
        },
        Ending(what: "idle, however much is streamed") {
            $0.clock.advance(milliseconds: AccessLimits.idleMilliseconds)
        },
    ]

    @Test("a stream ends with its session", arguments: sessionEndings)
    func session(ending: Ending) async throws {
        let world = try Self.world()
        try await world.add("ann")
        let session = try await world.session("ann")
        let reading = try await Self.reading(world, [session.cookie])
        // Looks are no use of the session: none of these moves its half hour on.
        world.clock.advance(milliseconds: AccessLimits.noteMilliseconds)
        let count = reading.pieceCount
        try await eventually("it goes on") { reading.pieceCount > count + 20 }
        #expect(!reading.isOver)
        let seen = try world.store.sessions(guest: nil, at: world.now).map(\.lastSeen)
        #expect(seen == [world.now - AccessLimits.noteMilliseconds])
        try ending.end(world)
        try await eventually("it ends: \(ending.what)", within: 10) { reading.isOver }
        #expect(reading.text.contains(#"event: end\#ndata: {"reason":"access_over""#))
    }

    /// Lets everybody in, and does not know afterwards whether that was right.
    private struct Doubtful: AdminAccess {
        let failure: any Error

        func caller(of request: PortRequest) async throws -> Caller? {
            Caller(name: "ann", role: .viewer, credential: .session(csrfToken: ""))
        }

        func standing(of caller: Caller, by request: PortRequest) async -> AccessStanding {
            await AccessStanding(of: caller) { throw failure }
        }
    }

    @Test("where the accounts cannot be read a stream ends too, and says why")
    func unknown() async throws {
        var routes = AdminRoutes()
        Self.addEvents(to: &routes)
        for (failure, words) in [
            (
                AccountsFailure(description: "Postgres gave no answer") as any Error,
                "{\"reason\":\"access_unknown\",\"detail\":\"Postgres gave no answer\"}"
            ), (Problem(.unauthorized, "unknown"), "{\"reason\":\"access_over\","),
        ] {
            let responder = AdminResponder(
                routes: routes, guards: AdminGuard(listensOn: "127.0.0.1"),
                access: Doubtful(failure: failure), streamLook: .milliseconds(2),
                counters: Counters(), logger: PipelineFixture.quiet)
            let reading = Reading(try #require(await responder.response(.GET, "/events").stream))
            try await eventually("it ends") { reading.isOver }
            #expect(reading.text.contains("event: end\ndata: \(words)"), "\(reading.text)")
        }
    }

    @Test("one user has eight streams in all sessions together, and another's are another's")
    func shares() async throws {
        let world = try Self.world()
        for name in ["ann", "bob"] { try await world.add(name, .viewer) }
        let sessions = [try await world.session("ann"), try await world.session("ann")]
        var open: [Reading] = []
        defer { for reading in open { reading.close() } }
        for number in 0..<AccessLimits.streamsPerCallerMax {
            open.append(try await Self.reading(world, [sessions[number % 2].cookie]))
        }
        for session in sessions {
            let refused = await world.ask(.GET, "/events", [session.cookie])
            #expect(refused.status == 429, "\(refused.text)")
            #expect(refused.body.contains("8 live pages"), "\(refused.body)")
            #expect(refused.field("Retry-After") != nil)
        }
        open.append(try await Self.reading(world, [try await world.session("bob").cookie]))
        let owner = [("Authorization", "Bearer \(AccessWorld.folderToken)")]
        for _ in 0...AccessLimits.streamsPerCallerMax {
            open.append(try await Self.reading(world, owner))
        }
        open.removeFirst().close()
        try await eventually("the one that is closed is free again") {
            await world.ask(.GET, "/events", [sessions[0].cookie]).status == 200
        }
    }

    static let tokenEndings: [Ending] = [
        Ending(what: "removed") { try $0.store.removeToken("ci") },
        Ending(what: "expired") { $0.clock.advance(milliseconds: 60_000) },
    ]

    @Test("a stream ends with its token", arguments: tokenEndings)
    func token(ending: Ending) async throws {
        let world = try Self.world()
        let token = try world.store.addToken(
            "ci", role: .viewer, expires: world.now + 60_000, at: world.now)
        let reading = try await Self.reading(world, [("Authorization", "Bearer \(token)")])
        let owner = [("Authorization", "Bearer \(AccessWorld.folderToken)")]
        let other = try await Self.reading(world, owner)
        defer { other.close() }
        try ending.end(world)
        try await eventually("it ends: \(ending.what)", within: 10) { reading.isOver }
        let count = other.pieceCount
        try await eventually("another's goes on") { other.pieceCount > count + 20 }
        #expect(!other.isOver)
    }
}
