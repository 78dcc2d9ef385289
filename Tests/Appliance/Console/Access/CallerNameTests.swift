import AppendLog
import NIOHTTP1
import TestSupport
import Testing

@testable import Appliance
@testable import Console
@testable import Daemon
@testable import Relay
@testable import Vocabulary

/// Whoever asks by the admin API acts under their own name, whatever the body says.
@Suite("Under whose name a request is done")
struct CallerNameTests {
    /// The routes that take a name, over a folder whose payments are all held.
    private struct World {
        let access: AccessWorld
        let opened: PipelineFixture.Opened
        /// Has the ledger read what was decided so far.
        let settle: () async throws -> Void
        let bridge: Bridge
        let session: AccessSession
        let token: String

        init(_ fixture: PipelineFixture, _ opened: PipelineFixture.Opened) async throws {
            self.opened = opened
            // Twice, so that the ledger has read what it has told of the reviews itself.
            settle = {
                try await fixture.process(opened)
                try await fixture.process(opened)
            }
            let bridge = Bridge(
                .redis, topics: [.paymentFeatures], source: opened.plane.relaySource(),
                pauses: BridgePauses(folder: fixture.folder.file("bridges")),
                logger: PipelineFixture.quiet
            ) { FakeTarget(FakeStore()) }
            self.bridge = bridge
            let desk = ReviewDesk(
                decisions: opened.plane.decisions, ledger: opened.ledger, clock: SystemLogClock(),
                waitMilliseconds: 1)
            let redriver = try fixture.redriver(opened)
            let letters = LetterList(
                view: LogView(log: opened.log, topics: opened.topics, ledger: opened.ledger))
            access = try AccessWorld { routes in
                ReviewRoutes(desk: desk, ledger: opened.ledger, dataPath: "").add(to: &routes)
                BridgeRoutes(
                    board: BridgeBoard([bridge]), dataPath: "", logger: PipelineFixture.quiet
                ).add(to: &routes)
                DeadLetterRoutes(list: letters, redriver: redriver, dataPath: "")
                    .add(to: &routes)
            }
            try await access.add("rita")
            session = try await access.session("rita")
            token = try access.store.addToken(
                "till-7", role: .admin, expires: nil, at: access.now)
        }

        enum By { case session, token, folder }

        func ask(_ by: By, _ path: String, _ body: String) async -> AccessAnswer {
            let json = ("Content-Type", "application/json")
            let fields =
                switch by {
                case .session: session.fields
                case .token: [json, ("Authorization", "Bearer \(token)")]
                case .folder: [json, ("Authorization", "Bearer \(AccessWorld.folderToken)")]
                }
            return await access.ask(.POST, path, fields, body: body)
        }

        /// Whose decisions are written, in their order.
        func deciders() throws -> [String] {
            let document = JSONDocument()
            var names: [String] = []
            try TopicReader(opened.topics[.paymentReview]).scan(from: Offset(0)) { stored in
                let record = try? ReviewRecord(stored.record.value ?? [], using: document)
                if let record, record.by != ReservedNames.scoring { names.append(record.by) }
                return true
            }
            return names
        }
    }

    private func opened(_ body: (World) async throws -> Void) async throws {
        let dollar = try #require(Currency("usd"))
        let fixture = try PipelineFixture { $0.amountLimits = [dollar: MinorUnits(1)] }
        try await fixture.opened { opened in
            for number in 1...3 {
                _ = try await opened.append(
                    PipelineFixture.received(
                        PipelineFixture.charge(number, amount: 1_000), event: "evt_\(number)"),
                    to: .webhookReceived)
            }
            _ = try await opened.append(
                PipelineFixture.letter(
                    Array("{}".utf8), topic: "webhook.received", offset: Offset(0)),
                to: .deadLetter)
            let world = try await World(fixture, opened)
            try await world.settle()
            try await body(world)
        }
    }

    @Test("a decision is the caller's; only the data folder's token names who decides")
    func decision() async throws {
        try await opened { world in
            func decide(_ by: World.By, _ payment: Int, _ name: String?) async -> AccessAnswer {
                let said = name.map { #","by":"\#($0)""# } ?? ""
                return await world.ask(
                    by, "/api/v1/reviews/ch_\(payment)/decision",
                    #"{"decision":"approve","note":"seen"\#(said)}"#)
            }
            for by in [World.By.session, .token] {
                for name in ["ann", "rita", "expiry"] {
                    let refused = await decide(by, 1, name)
                    #expect(refused.status == 400, "\(by) \(name): \(refused.text)")
                    #expect(refused.body.contains("name_refused"), "\(refused.body)")
                    #expect(refused.body.contains("leave by out"), "\(refused.body)")
                }
            }
            #expect(await decide(.folder, 1, nil).status == 400)
            #expect(await decide(.folder, 1, "expiry").status == 400)
            let deciders = try world.deciders()
            #expect(deciders == [])
            for (by, payment, name) in [
                (.session, 1, nil), (.token, 2, nil), (.folder, 3, "Gil"),
            ] as [(World.By, Int, String?)] {
                let answer = await decide(by, payment, name)
                #expect(answer.status == 202, "\(by): \(answer.text)")
                try await world.settle()
            }
            #expect(try world.deciders() == ["rita", "till-7", "Gil"])
        }
    }

    @Test("a pause of a bridge is the caller's, too")
    func pause() async throws {
        try await opened { world in
            let pause = "/api/v1/bridges/redis/pause"
            for (by, body, name) in [
                (.session, #"{"by":"ann"}"#, nil), (.token, #"{"by":"ann"}"#, nil),
                (.folder, "{}", nil), (.folder, #"{"by":""}"#, nil),
                (.session, #"{"bye":"ann"}"#, nil), (.session, "[]", nil),
                (.session, "{}", "rita"), (.token, #"{"by":null}"#, "till-7"),
                (.folder, #"{"by":"Gil"}"#, "Gil"),
            ] as [(World.By, String, String?)] {
                let answer = await world.ask(by, pause, body)
                #expect(answer.status == (name == nil ? 400 : 200), "\(by) \(body): \(answer.text)")
                guard let name else {
                    #expect(world.bridge.report().state == .starting)
                    continue
                }
                #expect(answer.body.contains(#""paused_by":"\#(name)""#), "\(answer.body)")
                let resumed = await world.ask(
                    .session, "/api/v1/bridges/redis/resume", "{}")
                #expect(resumed.status == 200, "\(resumed.text)")
            }
        }
    }

    @Test(
        "nobody acts, by the folder's token either, under a name that the daemon writes itself",
        arguments: [
            "scoring", "DAEMON", " local ", "ſcoring", "ｅｘｐｉｒｙ", "ѕсоring", "dеv", "a\u{200B}b",
        ])
    func reserved(name: String) async throws {
        try await opened { world in
            for (path, body) in [
                ("/api/v1/reviews/ch_1/decision", #""decision":"approve","note":"seen""#),
                ("/api/v1/bridges/redis/pause", ""), ("/api/v1/bridges/redis/resume", ""),
                ("/api/v1/bridges/redis/forget", ""),
                ("/api/v1/dead-letters/redrive", #""offsets":[0],"value":"{}""#),
            ] {
                let members = body + (body.isEmpty ? "" : ",") + #""by":"\#(name)""#
                let answer = await world.ask(.folder, path, "{\(members)}")
                #expect(answer.status == 400, "\(path): \(answer.text)")
                #expect(answer.body.contains("name_refused"), "\(path): \(answer.body)")
            }
            #expect(world.bridge.report().state == .starting)
            let deciders = try world.deciders()
            #expect(deciders == [])
        }
    }

    @Test("so is an edit that is redriven")
    func redrive() async throws {
        try await opened { world in
            func redrive(_ by: World.By, _ said: String) async -> AccessAnswer {
                await world.ask(
                    by, "/api/v1/dead-letters/redrive",
                    #"{"offsets":[0],"value":"{}","dry_run":true\#(said)}"#)
            }
            for by in [World.By.session, .token] {
                let refused = await redrive(by, #","by":"ann""#)
                #expect(refused.status == 400, "\(refused.text)")
                #expect(refused.body.contains("name_refused"), "\(refused.body)")
                #expect(await redrive(by, "").status == 200)
                let unedited = await world.ask(
                    by, "/api/v1/dead-letters/redrive",
                    #"{"offsets":[0],"dry_run":true,"by":"ann"}"#)
                #expect(unedited.status == 400, "\(unedited.text)")
                #expect(unedited.body.contains("name_refused"), "\(unedited.body)")
            }
            #expect(await redrive(.folder, #","by":"Gil""#).status == 200)
        }
    }
}
