import Foundation
import Logging
import TestSupport
import Testing
import TwinSupport

@testable import Twin
@testable import Vocabulary

@Suite("The twin's journal", .timeLimit(.minutes(5)))
struct TwinJournalTests {
    /// Two days with payments, so that payouts, fees and disputes depend on the options.
    private static func history(_ caller: TwinCaller) {
        for number in 0..<3 { _ = caller.pay(10_000 + Int64(number)) }
        _ = caller.pay(3_000, card: "pm_card_createDispute")
        caller.wait(3 * 86_400)
        _ = caller.pay(20_000)
    }

    private static func lists(_ caller: TwinCaller) -> [TestJSON] {
        ["charges", "disputes", "balance_transactions", "payouts", "events"].map {
            caller.get("/v1/\($0)", "limit=100").json
        }
    }

    @Test(
        "another option at a restart holds from then on, and changes nothing that was",
        arguments: [
            { $0.payoutSchedule = .manual }, { $0.fees.basisPoints = 100 },
            { $0.fees.fixedByCurrency = [Currency("usd")!: 5] }, { $0.settlementDays = 5 },
            { $0.disputeDays = 1 }, { $0.connectedAccounts = ["acct_1Shop"] },
            { $0.endpoints = [TwinEndpoint(url: "http://127.0.0.1:9/", secrets: ["whsec_a"])] },
        ] as [@Sendable (inout TwinSettings) -> Void])
    func otherOptions(change: @escaping @Sendable (inout TwinSettings) -> Void) throws {
        let folder = try TemporaryFolder()
        let first = try TwinCaller(folder: folder.path)
        Self.history(first)
        let before = Self.lists(first)
        let second = try TwinCaller(change, folder: folder.path)
        second.wait(first.now - second.now)
        #expect(Self.lists(second) == before)
        Self.history(second)
        let after = Self.lists(second)
        // The same options again, and none: all that has been stays.
        for again in [change, { @Sendable _ in }] {
            let third = try TwinCaller(again, folder: folder.path)
            third.wait(second.now - third.now)
            #expect(Self.lists(third) == after)
        }
    }

    @Test("a payout schedule that is changed pays out until then, and not from then on")
    func payoutSchedule() throws {
        let folder = try TemporaryFolder()
        let first = try TwinCaller(folder: folder.path)
        Self.history(first)
        let paid = first.get("/v1/payouts").json["data"].list.count
        #expect(paid > 0)
        let second = try TwinCaller({ $0.payoutSchedule = .manual }, folder: folder.path)
        second.wait(first.now - second.now)
        second.wait(5 * 86_400)
        #expect(second.get("/v1/payouts").json["data"].list.count == paid)
        let kept = try TwinJournal.settings(in: folder.path, otherwise: TwinSettings())
        #expect(kept?.payoutSchedule == .manual)
        #expect(kept?.seed == 1)
    }

    @Test("endpoints of the command line follow it; those of the API stay")
    func endpoints() throws {
        let folder = try TemporaryFolder()
        func open(_ urls: String...) throws -> TwinCaller {
            try TwinCaller(
                { $0.endpoints = urls.map { TwinEndpoint(url: $0, secrets: ["whsec_\($0)"]) } },
                folder: folder.path)
        }
        let first = try open("http://a", "http://b")
        _ = first.post("/v1/webhook_endpoints", "url=http://api&enabled_events[]=*")
        let ids = first.twin.endpoints.map(\.id)
        let second = try open("http://b", "http://c")
        #expect(second.twin.endpoints.map(\.url) == ["http://b", "http://api", "http://c"])
        #expect(second.twin.endpoints.map(\.id).prefix(2) == ids.suffix(2))
        #expect(try open("http://b", "http://c").twin.endpoints == second.twin.endpoints)
    }

    @Test("a journal of the version before options is read under the options that are given")
    func oldVersion() throws {
        let folder = try TemporaryFolder()
        let line = #"{"twin":1,"seed":1,"start":\#(TwinCaller.start)}"# + "\n"
        try Data(line.utf8).write(to: URL(filePath: folder.file("twin.journal")))
        let caller = try TwinCaller({ $0.connectedAccounts = ["acct_1Shop"] }, folder: folder.path)
        #expect(caller.post("/v1/customers", account: "acct_1Shop").status == 200)
        let again = try TwinCaller({ $0.connectedAccounts = ["acct_1Shop"] }, folder: folder.path)
        #expect(again.post("/v1/customers", account: "acct_1Shop").status == 200)
    }

    @Test("refused calls leave the journal readable, and ids go on from where they were")
    func refusedCalls() throws {
        let folder = try TemporaryFolder()
        let first = try TwinCaller(folder: folder.path)
        for path in ["/v1/customers", "/nothing", "/v1/payment_intents"] {
            _ = first.post(path, "colour=red")
            _ = first.call(.put, path, "")
        }
        _ = first.post(
            "/v1/payment_intents", "amount=2000&currency=usd&payment_method=pm_card_visa"
                + "&confirm=true", version: "2025-09-30.clover")
        _ = first.pay(1_000)
        let second = try TwinCaller(folder: folder.path)
        #expect(second.get("/v1/charges").json == first.get("/v1/charges").json)
        #expect(second.pay(1_234).json.id == first.pay(1_234).json.id)
    }

    @Test("a folder is one twin's at a time")
    func locked() throws {
        let folder = try TemporaryFolder()
        let place = folder.file("new/twin")
        var lock: TwinFolderLock? = try TwinFolderLock(place)
        #expect(throws: TwinError.inUse(folder: place)) { try TwinFolderLock(place) }
        withExtendedLifetime(lock) {}
        lock = nil
        _ = try TwinFolderLock(place)
        try Data().write(to: URL(filePath: folder.file("file")))
        #expect(throws: TwinError.self) { try TwinFolderLock(folder.file("file")) }
    }

    // MARK: Deliveries

    private static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private static func live(_ folder: String, port: Int) throws -> LiveTwin {
        var settings = TwinSettings()
        settings.endpoints = [
            TwinEndpoint(url: "http://127.0.0.1:\(port)/", secrets: ["whsec_x"])
        ]
        var delivery = DeliverySettings()
        delivery.schedule.firstMilliseconds = 20
        delivery.answerMillisecondsMax = 600_000
        return try LiveTwin(settings, folder: folder, delivery: delivery, logger: quiet)
    }

    private static func pay(_ live: LiveTwin) throws {
        _ = try live.twin.pay(
            Twin.Payment(
                amount: 2_000, currency: Currency("usd")!, paymentMethod: "pm_card_visa"))
    }

    private static func run(
        _ live: LiveTwin, _ body: @escaping @Sendable () async throws -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await live.sender.run() }
            try await body()
            group.cancelAll()
        }
    }

    @Test("what was not delivered when the twin died is delivered by the next one, and only that")
    func pendingDeliveries() async throws {
        let folder = try TemporaryFolder()
        let gate = ScriptedGate()
        let port = try await gate.listen()
        let first = try Self.live(folder.path, port: port)
        try Self.pay(first)
        try await Self.run(first) {
            try await eventually("the first are delivered") { first.sender.backlog == 0 }
        }
        let known = gate.state.known
        #expect(!known.isEmpty)
        // Nobody delivers these: the process is as good as killed.
        try Self.pay(first)
        try Self.pay(first)
        let all = Set(
            TwinCaller.parse(
                first.twin.handle(
                    APIRequest(
                        method: .get, path: "/v1/events", fields: [FormField("limit", "100")],
                        apiKey: TwinSettings().apiKeys[0])
                ).body)["data"].list.map(\.id))
        #expect(all.count == 3 * known.count)

        let second = try Self.live(folder.path, port: port)
        try await Self.run(second) {
            try await eventually("the rest are delivered") {
                second.sender.backlog == 0 && gate.state.known == all
            }
        }
        #expect(gate.state.requests == all.count)
        let third = try Self.live(folder.path, port: port)
        #expect(third.sender.taken == 0)
        try await gate.stop()
    }

    @Test("an event is sent again where somebody asks for it, also after the twin died")
    func retry() async throws {
        let folder = try TemporaryFolder()
        let gate = ScriptedGate()
        let port = try await gate.listen()
        let live = try Self.live(folder.path, port: port)
        try Self.pay(live)
        try await Self.run(live) {
            try await eventually("all are delivered") { live.sender.backlog == 0 }
        }
        let delivered = gate.state.requests
        let event = try #require(gate.state.known.first)
        func ask(_ live: LiveTwin, _ path: String, _ form: String = "") -> APIAnswer {
            live.twin.handle(
                APIRequest(
                    method: .post, path: path, fields: FormCoding.decode(form),
                    apiKey: TwinSettings().apiKeys[0]))
        }
        let endpoint = live.twin.endpoints[0].id
        let path = "/v1/events/\(event)/retry"
        #expect(ask(live, path, "webhook_endpoint=we_none").status == 404)
        #expect(ask(live, "/v1/events/evt_none/retry").status == 404)
        let answer = ask(live, path, "webhook_endpoint=\(endpoint)")
        #expect(TwinCaller.parse(answer.body).id == event)
        let next = try Self.live(folder.path, port: port)
        #expect(ask(next, path).status == 200)
        try await Self.run(next) {
            try await eventually("both are delivered") {
                next.sender.backlog == 0 && gate.state.requests == delivered + 2
            }
        }
        try await gate.stop()
    }
}
