import AppendLog
import Bridges
import Foundation
import GRDB
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Synchronization
import TestSupport
import Testing

@testable import Appliance
@testable import Console
@testable import Daemon
@testable import Reconcile
@testable import Relay
@testable import Traffic
@testable import Vocabulary

/// The console's pages over a folder with some payments, one of them under a hostile name.
struct PageFixture {
    static let hostile = "<script>alert(1)</script>"
    static let viewer = Caller(
        name: "vera", role: .viewer, credential: .session(csrfToken: "t-vera"))
    static let reviewer = Caller(
        name: "rita", role: .reviewer, credential: .session(csrfToken: "t-rita"))
    static let admin = Caller(
        name: "ada", role: .admin, credential: .session(csrfToken: "t-ada"))

    /// What a page answered.
    struct Answer {
        var status: Int
        var headers: HTTPFields
        var text: String
    }

    /// What its endpoint's secrets begin with.
    static let secret = "whsec_page"
    static let password = "correct horse battery"

    let pages: ConsolePages
    /// Runs where a test runs it.
    let check: LedgerCheck
    private let live: LiveBoard
    let desk: AccessDesk
    let bridge: Bridge
    let dataPath: String
    let pipeline: PipelineFixture.Opened
    private let responder: any HTTPResponder<AdminContext>

    /// Runs `body` over pages whose folder has payments of two customers, all of them held, one
    /// decided, and dead letters.
    ///
    /// - Parameter webhooks: what else Stripe told, before the pages are opened.
    static func opened(
        and webhooks: [AppendLog.Record] = [], _ body: (PageFixture) async throws -> Void
    ) async throws {
        let dollar = try #require(Currency("usd"))
        let fixture = try PipelineFixture { $0.amountLimits = [dollar: MinorUnits(1)] }
        try await fixture.opened { opened in
            for number in 1...6 {
                let event = PipelineFixture.charge(number, amount: 1_000 * number)
                    .replacing("\"cus_1\"", with: number == 2 ? "\"\(hostile)\"" : "\"cus_1\"")
                _ = try await opened.append(
                    PipelineFixture.received(event, event: "evt_\(number)"), to: .webhookReceived)
            }
            _ = try await opened.append(
                PipelineFixture.letter(
                    Array(hostile.utf8), topic: "webhook.received", offset: Offset(0)),
                to: .deadLetter)
            for record in webhooks { _ = try await opened.append(record, to: .webhookReceived) }
            try await fixture.process(opened)
            _ = try await opened.append(
                PipelineFixture.decision(3, .approved), to: .paymentReview)
            try await fixture.process(opened)
            try await body(try PageFixture(fixture, opened))
        }
    }

    private init(_ fixture: PipelineFixture, _ opened: PipelineFixture.Opened) throws {
        dataPath = fixture.path
        pipeline = opened
        let (topics, ledger, log) = (opened.topics, opened.ledger, opened.log)
        let reader: @Sendable (TopicID) -> TopicReader = { TopicReader(topics[$0]) }
        let index = PaymentIndex(
            at: fixture.folder.file("index.sqlite"), log: log.identity.description,
            reader: reader, logger: PipelineFixture.quiet)
        try index.catchUp()
        let sources = ConsoleSources(
            index: index, ledger: ledger, statement: StatementStore(of: ledger), reader: reader,
            endpoints: [],
            lags: {
                ((try? ConsumerPlaces(log: log, topics: topics, ledger: ledger).all()) ?? []).map {
                    ConsumerLag(group: $0.group, topic: $0.topic, recordCount: $0.lag)
                }
            }, byteCount: { _ in 17_900_000_000 })
        live = LiveBoard(
            LiveParts(
                ledger: ledger, topic: reader, readers: { [] }, reconciler: nil,
                bridges: BridgeBoard([]), readiness: Readiness(), counters: fixture.counters,
                clock: SystemLogClock(), tally: { index.tally }))
        let file = ledger.queue.path
        check = LedgerCheck(clock: SystemLogClock()) { () throws(LedgerError) in
            let ledger = try SQLiteLedgerReader.open(path: file)
            return LedgerCheck.Opened(ledger) { ledger.interrupt() }
        }
        bridge = Bridge(
            .redis, topics: [.paymentFeatures], source: opened.plane.relaySource(),
            pauses: BridgePauses(folder: fixture.folder.file("bridges")),
            logger: PipelineFixture.quiet
        ) { FakeTarget(FakeStore()) }
        let (redriver, board) = (try fixture.redriver(opened), BridgeBoard([bridge]))
        let (check, live) = (check, live)
        func parts(_ sources: ConsoleSources, _ bridges: BridgeBoard?) -> ConsoleParts {
            ConsoleParts(
                sources: sources, live: live,
                desk: ReviewDesk(
                    decisions: opened.plane.decisions, ledger: ledger, clock: SystemLogClock()),
                letters: LetterList(view: LogView(log: log, topics: topics, ledger: ledger)),
                redriver: redriver, reconciler: nil, bridges: bridges, check: check,
                readiness: Readiness(), counters: fixture.counters, clock: SystemLogClock(),
                profile: "dev",
                sent: SentBoard(sender: FixtureSender(fixture, opened), reader: reader))
        }
        var routes = AdminRoutes()
        pages = ConsolePages(parts(sources, nil))
        pages.add(to: &routes)
        desk = try Self.desk(at: fixture.folder.file("accounts.sqlite"))
        // Nothing here is signed: only the settings know of an endpoint's secrets.
        var signed = sources
        signed.endpoints = [
            WebhookEndpoint(
                name: "", secrets: ["\(Self.secret)_1", "\(Self.secret)_2"], livemode: .test)
        ]
        let model = try ModelLocation.embedded.load()
        SettingsPages(
            pages: ConsolePages(parts(signed, board)),
            parts: SettingsParts(
                desk: desk, schema: model.schema, modelPath: nil,
                verdicts: Verdicts(thresholds: model.schema.thresholds),
                shadow: { [path = fixture.path] in KeptShadow(in: path) })
        ).add(to: &routes)
        responder = routes.router.buildResponder()
    }

    /// What the overview is made of now.
    var seen: (figures: LiveFigures, history: [LiveHistory.Bucket]) { live.seen() }

    /// Accounts of all who ask here.
    private static func desk(at path: String) throws -> AccessDesk {
        let cost = try #require(Scrypt.Cost(logN: 4, r: 8, p: 1))
        let store = FolderAccounts(at: path)
        let salt = [UInt8](repeating: 1, count: PasswordHash.saltByteCount)
        let key = try #require(
            Scrypt.key(password: Array(password.utf8), salt: salt, cost: cost))
        for caller in [admin, reviewer, viewer] {
            try store.addUser(
                caller.name, role: caller.role,
                password: PasswordHash(cost: cost, salt: salt, key: key).text, at: 1)
        }
        return AccessDesk(
            store: store, folderToken: "folder-token", letsGuestsIn: false,
            clock: SystemLogClock(), passwords: PasswordDesk(cost: cost),
            logger: PipelineFixture.quiet)
    }

    func ask(
        _ path: String, form: String? = nil, as caller: Caller? = PageFixture.admin
    ) async throws -> Answer {
        try await Self.ask(responder, path, form: form, as: caller)
    }

    /// The same of other routes than the console's.
    static func ask(
        _ responder: any HTTPResponder<AdminContext>, _ path: String, form: String? = nil,
        as caller: Caller? = PageFixture.admin
    ) async throws -> Answer {
        var fields: HTTPFields = [.accept: "text/html"]
        if form != nil { fields[.contentType] = "application/x-www-form-urlencoded" }
        let request = Request(
            head: HTTPRequest(
                method: form == nil ? .get : .post, scheme: "http", authority: "localhost",
                path: path, headerFields: fields),
            body: RequestBody(buffer: ByteBuffer(string: form ?? "")))
        let context = AdminContext(
            source: AdminContextSource(
                logger: PipelineFixture.quiet, caller: caller, address: "127.0.0.1", audit: nil))
        return try await read(try await responder.respond(to: request, context: context))
    }

    static func read(_ response: Response) async throws -> Answer {
        let body = Gathered()
        try await response.body.write(Gatherer(into: body))
        return Answer(
            status: response.status.code, headers: response.headers,
            text: String(decoding: body.bytes, as: UTF8.self))
    }

    private final class Gathered {
        var bytes: [UInt8] = []
    }

    private struct Gatherer: ResponseBodyWriter {
        let body: Gathered

        init(into body: Gathered) { self.body = body }

        mutating func write(_ buffer: ByteBuffer) async throws {
            body.bytes += buffer.readableBytesView
        }

        consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
    }
}

/// Stands where the webhook port would: what is sent is stored and goes through the stages at once.
/// A payment of the kind `bad_signature` is refused, one sent twice is known the second time.
///
/// A test asks one page after the other, so that no two orders are sent at once.
private final class FixtureSender: PaymentSending, @unchecked Sendable {
    let currencies = OrderedPayments.currencies
    let countries = OrderedPayments.countries
    let customers = OrderedPayments.customers
    private let fixture: PipelineFixture
    private let opened: PipelineFixture.Opened
    private let payments = Mutex(OrderedPayments(from: 1_760_000_000_000))

    init(_ fixture: PipelineFixture, _ opened: PipelineFixture.Opened) {
        (self.fixture, self.opened) = (fixture, opened)
    }

    func send(_ order: PaymentOrder) async throws(SendingRefusal) -> SentPayment {
        let now = Instant(seconds: 1_760_000_000)
        let made = payments.withLock { payments in
            payments.charge(
                OrderedPayments.Order(
                    amount: order.amount, currency: order.currency, country: order.country,
                    customer: order.customer, card: .own, isOtherDevice: false), at: now
            ).map { ($0.id, payments.told($0, at: now)) }
        }
        guard let (id, told) = made else { throw .unknown("the country") }
        var answers: [SentEvent.Answer] = []
        if order.kind == .badSignature {
            answers = [.answered(status: 400, body: "signature_no_match <script>")]
        } else {
            answers = [.answered(status: 200, body: #"{"received":true}"#)]
            if order.kind == .twice {
                answers.append(.answered(status: 200, body: #"{"received":true,"duplicate":true}"#))
            }
            do {
                _ = try await opened.append(
                    PipelineFixture.received(
                        String(decoding: told.body, as: UTF8.self), event: told.id.rawValue),
                    to: .webhookReceived)
                try await fixture.process(opened)
            } catch {
                throw .notListening
            }
        }
        return SentPayment(
            id: id, order: order,
            events: answers.map {
                SentEvent(
                    eventID: told.id, type: told.type, byteCount: told.body.count,
                    at: Timestamp(milliseconds: 1_760_000_000_000), milliseconds: 1, answer: $0)
            })
    }
}
