import AppendLog
import Appliance
import Foundation
import Hummingbird
import Vocabulary

/// One record at `/log/{topic}/{offset}`, and a topic's newest at `/log/{topic}/tail?filter`, which
/// a script asks for again each second.
///
///     GET …/tail              the newest records that match, and `next`
///     GET …/tail?from=next    what has come since, the newest first; what is too much is counted
///
/// In the profile dev a webhook can be sent from its page to any address, freshly signed:
/// `POST /log/{topic}/{offset}/send`.
struct RecordPages: Sendable {
    let pages: ConsolePages

    private var parts: ConsoleParts { pages.parts }
    /// Rows of one answer of the tail.
    static let tailRowsMax = 100
    /// Records, counted back from the end, in which the tail looks; what is older is passed over.
    private static let tailRecordsMax: Int64 = 20_000
    /// Records in which the first look looks.
    private static let firstLookMax: Int64 = 5_000
    /// Offsets in which the record before another is looked for.
    private static let besideMax: Int64 = 16
    /// Bytes of values that one answer of the tail looks through.
    private static let tailBytesMax = 16 << 20
    /// Seconds that a receiver may take.
    private static let sendSeconds = 10

    func add(to routes: inout AdminRoutes) {
        pages.page(&routes, .get, "/log/:topic/tail", .viewer) { try tail($0) }
        pages.page(&routes, .get, "/log/:topic/:offset", .viewer) { asked in
            let (lane, stored) = try record(asked)
            return try respond(lane, stored, asked)
        }
        guard parts.profile == "dev" else { return }
        pages.page(&routes, .post, "/log/:topic/:offset/send", .admin, isSecret: true) { asked in
            try await send(asked)
        }
    }

    static func topic(_ asked: PageRequest) throws(Problem) -> TopicID {
        let word = asked.context.word("topic")
        guard let id = TopicID(rawValue: word) else {
            throw Problem(
                .notFound, "there is no topic \(ShownText.escaped(String(word.prefix(80))))")
        }
        return id
    }

    /// A field that records must have; nil where none is asked for.
    static func filter(_ asked: PageRequest) throws(Problem) -> RecordFilter? {
        guard let text = asked.query("filter")?.trimmed, !text.isEmpty else { return nil }
        guard let filter = RecordFilter(text) else {
            throw Problem(.badRequest, "a filter is \(RecordFilter.form)")
        }
        return filter
    }

    // MARK: The tail

    private func tail(_ asked: PageRequest) throws -> Response {
        let lane = try parts.shownLog.lane(asked)
        let reader = try parts.shownLog.reader(lane.lane)
        let filter = try Self.filter(asked)
        let newest = try Newest(
            of: reader, from: try Self.place(asked.query("from"), reader), filter)
        let words = asked.query("filter").map { ShownText.escaped($0) }
        let view = TailView(
            topic: lane.topic.rawValue, partition: lane.number, log: lane.path(),
            filter: words ?? "", next: "\(newest.next)",
            rows: newest.records.reversed().map { TailView.Row($0, lane) },
            isEmpty: newest.records.isEmpty,
            passedOver: newest.passedOver == 0
                ? nil : ShownNumber.count(newest.passedOver, "record"),
            again: lane.path(
                "/tail",
                query: asked.query("filter").map { "filter=\(PathText.escaped($0))" } ?? ""))
        let title = "\(lane.topic.rawValue), live"
        return ConsolePages.html("tail", pages.shell(title, .log, asked), view)
    }

    private static func place(_ text: String?, _ reader: TopicReader) throws(Problem) -> Offset? {
        guard let text else { return nil }
        guard let offset = QueryNumber.typedOffset(text) else {
            throw Problem(.badRequest, "from must be an offset, a whole number from 0 on")
        }
        return min(max(offset, reader.start), reader.end)
    }

    /// The newest records of a topic that match, at most ``tailRowsMax``.
    struct Newest {
        /// Oldest first.
        private(set) var records: [StoredRecord] = []
        private(set) var next: Offset
        /// Records that match and are not among them, or were not looked at.
        private(set) var passedOver: Int64 = 0

        /// - Parameter from: nil looks back from the end.
        init(
            of reader: TopicReader, from: Offset?, _ filter: RecordFilter?
        ) throws(StoreFailure) {
            let window = from == nil ? firstLookMax : tailRecordsMax
            let first = max(
                reader.start, from ?? .zero, Offset(max(0, reader.end.rawValue - window)))
            var (records, next, byteCount) = ([StoredRecord](), first, 0)
            var passedOver = from.map { max(0, $0.distance(to: first)) } ?? 0
            let matcher = filter.map { RecordMatcher($0) }
            try reader.scan(from: first) { stored in
                next = stored.offset.advanced(by: 1)
                byteCount += stored.record.value?.count ?? 0
                if matcher?.matches(stored.record) ?? true { records.append(stored) }
                if records.count >= 2 * tailRowsMax {
                    records.removeFirst(tailRowsMax)
                    if from != nil { passedOver += Int64(tailRowsMax) }
                }
                return byteCount < tailBytesMax
            }
            let surplus = max(0, records.count - tailRowsMax)
            records.removeFirst(surplus)
            if from != nil { passedOver += Int64(surplus) }
            (self.records, self.next, self.passedOver) = (records, next, passedOver)
        }
    }

    // MARK: One record

    private func record(_ asked: PageRequest) throws -> (ShownLane, StoredRecord) {
        let lane = try parts.shownLog.lane(asked)
        guard let offset = QueryNumber.offset(asked.context.word("offset")) else {
            throw Problem(.notFound, "an offset is a whole number from 0 on")
        }
        let reader = try parts.shownLog.reader(lane.lane)
        guard let record = try reader.record(at: offset) else {
            throw Problem(
                .notFound,
                "\(lane.topic.rawValue) has the offsets \(reader.start) up to \(reader.end), and "
                    + "not \(offset)")
        }
        return (lane, StoredRecord(offset: offset, record: record))
    }

    /// The records on both sides. At Kafka the end of a transaction has an offset too, so that they
    /// are not always one away.
    private static func beside(
        _ offset: Offset, in reader: TopicReader
    ) throws(StoreFailure) -> (earlier: Offset?, later: Offset?) {
        var earlier: Offset?
        let low = max(reader.start, Offset(max(0, offset.rawValue - besideMax)))
        try reader.scan(from: low) { stored in
            guard stored.offset < offset else { return false }
            earlier = stored.offset
            return true
        }
        let next = offset.advanced(by: 1)
        guard next < reader.end else { return (earlier, nil) }
        return (earlier, try reader.read(from: next, byteCountMax: 1).first?.offset)
    }

    private func respond(
        _ lane: ShownLane, _ stored: StoredRecord, _ asked: PageRequest, sent: ShownState? = nil,
        to address: String = "", _ status: HTTPResponse.Status = .ok
    ) throws -> Response {
        let (id, reader) = (lane.topic, try parts.shownLog.reader(lane.lane))
        var view = RecordPageView(
            stored, of: lane, start: reader.start,
            try Self.beside(stored.offset, in: reader))
        if let event = stored.record.text("event-id") {
            view.payment = try parts.payments.index.payment(event).map {
                "/payments/\(PathText.escaped($0.charge))"
            }
        }
        // A command of this machine reads the log of a data folder alone.
        if id == .webhookReceived, parts.log != nil {
            let isOpen = parts.profile == "dev" && asked.role >= .admin
            view.sending = RecordPageView.Sending(
                action: isOpen ? "/log/\(id.rawValue)/\(stored.offset)/send" : nil,
                command: "tillbox log send \(id.rawValue) \(stored.offset) --to URL "
                    + "--secret-file FILE",
                address: ShownText.escaped(address), result: sent,
                token: asked.token)
        }
        return ConsolePages.html(
            "record", pages.shell("\(id.rawValue) @ \(stored.offset)", .log, asked), view, status)
    }

    // MARK: Sending

    private func send(_ asked: PageRequest) async throws -> Response {
        let (lane, stored) = try record(asked)
        guard lane.topic == .webhookReceived else {
            throw Problem(
                .badRequest,
                "\(lane.topic.rawValue) holds nothing that was ever signed; send a record of "
                    + TopicID.webhookReceived.rawValue)
        }
        let text = asked.form?["to"] ?? ""
        let address: WebhookAddress
        do {
            address = try WebhookAddress(text)
        } catch {
            let problem = ShownState("The address must be \(error).", "stop")
            return try respond(lane, stored, asked, sent: problem, to: text, .badRequest)
        }
        let typed = asked.form?["secret"] ?? ""
        let secrets = typed.isEmpty ? parts.sources.endpoints.first?.secrets ?? [] : [typed]
        guard !secrets.isEmpty else {
            let problem = ShownState("Give the receiver’s signing secret.", "stop")
            return try respond(lane, stored, asked, sent: problem, to: text, .badRequest)
        }
        let sender = WebhookSender(address: address, secrets: secrets, seconds: Self.sendSeconds)
        let told: ShownState
        do throws(WebhookSender.Silence) {
            let answer = try await sender.send(stored.record.value ?? [])
            told = ShownState(
                "Answered \(answer.status) after \(answer.milliseconds) ms",
                answer.isGood ? "ok" : "stop")
        } catch {
            told = ShownState(
                "No answer \(ShownText.escaped("\(error)")); whether it was taken is not known",
                "stop")
        }
        return try respond(lane, stored, asked, sent: told, to: text)
    }
}

/// A topic's newest records, a line each.
struct TailView {
    struct Row {
        var offset, href, iso, stamp, key, short: String

        init(_ stored: StoredRecord, _ lane: ShownLane) {
            let view = RecordView(stored, of: lane)
            (offset, stamp, key, short) = (view.offset, view.stamp, view.key, view.short)
            iso = view.moment.iso
            href = view.href
        }
    }

    var topic: String
    /// nil for the only one.
    var partition: String?
    /// Where its records are.
    var log: String
    var filter, next: String
    var rows: [Row]
    var isEmpty: Bool
    var passedOver: String?
    /// The same from the end again.
    var again: String
}

/// Everything of one record.
struct RecordPageView {
    struct Sending {
        /// Where the form goes; nil where nothing may be sent from here.
        var action: String?
        var command: String
        var address: String
        var result: ShownState?
        var token: String
    }

    var topic, partition, offset, stamp: String
    /// Where the records beside it are.
    var log: String
    /// nil for a record without one.
    var key: String?
    var moment: ShownMoment
    var headers: [RecordView.Header]
    var value: ReadableValue
    var size: String
    var earlier, later, around: String?
    /// The payment that it is about.
    var payment: String?
    /// Where a dead letter can be sent back from.
    var letter: String?
    var sending: Sending?

    init(
        _ stored: StoredRecord, of lane: ShownLane, start: Offset,
        _ beside: (earlier: Offset?, later: Offset?)
    ) {
        let record = stored.record
        let view = RecordView(stored, of: lane)
        topic = lane.topic.rawValue
        (partition, log) = ("\(lane.lane.partition)", lane.path())
        (offset, stamp) = (view.offset, view.stamp)
        key = record.key == nil ? nil : view.key
        (moment, headers) = (view.moment, view.headers)
        value = ReadableValue(record.value)
        size = ShownNumber.count(Int64(record.value?.count ?? 0), "byte")
        let number = stored.offset.rawValue
        earlier = beside.earlier.map { lane.path("/\($0)") }
        later = beside.later.map { lane.path("/\($0)") }
        around = lane.path(query: "from=\(max(start.rawValue, number - 20))")
        let isLetter = lane.topic == .deadLetter && StoredLetter(stored) != nil
        letter = isLetter
            ? LetterPath.page(
                .letter(stored.offset, partition: lane.lane.partition), isOnly: lane.isOnly)
            : nil
    }
}
