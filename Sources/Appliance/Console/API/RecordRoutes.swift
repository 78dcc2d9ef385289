import AppendLog
import Hummingbird
import Vocabulary

/// The records of the seven topics on the admin port.
///
/// | route | answer |
/// | --- | --- |
/// | `GET /api/v1/topics` | every topic: offsets, records, bytes, and who reads it |
/// | `GET /api/v1/topics/{topic}/records?from&count&filter` | records, each readable as JSON |
struct RecordRoutes: Sendable {
    let sources: ConsoleSources
    static let countMax = 500
    /// Records and bytes that one request looks through for those that it wants.
    private static let scannedCountMax = 50_000
    private static let scannedByteCountMax = 64 << 20
    /// Bytes of values that one answer has, beyond which it ends with the record at hand.
    private static let answerByteCountMax = 8 << 20
    private let queue = BlockingQueue("tillbox.console.records")

    init(sources: ConsoleSources) { self.sources = sources }

    func add(to routes: inout AdminRoutes) {
        routes.get("/api/v1/topics", needs: .viewer) { request, _ in
            try request.checkParameters([])
            return try await topics()
        }
        routes.get("/api/v1/topics/:topic/records", needs: .viewer) { request, context in
            try request.checkParameters(["from", "count", "filter"])
            return try await records(request, context.word("topic"))
        }
    }

    private func topics() async throws -> Response {
        let sources = sources
        let body = await queue.run { () -> [UInt8] in
            let lags = sources.lags()
            var writer = JSONWriter(capacity: 4_096)
            writer.object { writer in
                writer.list("topics", TopicID.allCases) { writer, topic in
                    Self.write(topic, sources, lags, into: &writer)
                }
            }
            return writer.bytes
        }
        return Response.json(.ok) { $0.json(body) }
    }

    private static func write(
        _ topic: TopicID, _ sources: ConsoleSources, _ lags: [ConsumerLag],
        into writer: inout JSONWriter
    ) {
        let reader = sources.reader(topic)
        let (start, end) = (reader.start, reader.end)
        writer.object { writer in
            writer.member("topic", topic.rawValue)
            writer.member("start", start.rawValue)
            writer.member("end", end.rawValue)
            writer.member("records", max(0, start.distance(to: end)))
            writer.member("bytes", sources.byteCount(topic))
            writer.list("readers", lags.filter { $0.topic == topic.rawValue }) { writer, lag in
                writer.object { writer in
                    writer.member("group", lag.group)
                    writer.member("lag", lag.recordCount)
                }
            }
        }
    }

    // MARK: Records

    private func records(_ request: Request, _ name: String) async throws -> Response {
        guard let topic = TopicID(rawValue: name) else {
            throw Problem(
                .notFound, "there is no topic \(name.prefix(40)); there are: "
                    + TopicID.allCases.map(\.rawValue).joined(separator: ", "))
        }
        let count = try request.value("count", "a whole number from 1 to \(Self.countMax)") {
            QueryNumber.limit($0, upTo: Self.countMax)
        }
        let filter = try request.value("filter", RecordFilter.form) { RecordFilter($0) }
        let reader = sources.reader(topic)
        let from = try request.value(
            "from", "an offset, or a negative number that counts from the end"
        ) { Self.first($0, of: reader) }
        let page = try await queue.run { () throws(StoreFailure) in
            try Self.page(
                of: reader, from: from ?? reader.start, count: count ?? 100, filter)
        }
        return Response.jsonObject(.ok) { writer in
            writer.member("topic", topic.rawValue)
            writer.list("records", page.records) { RecordLine.encode($1, into: &$0) }
            writer.member("next", page.next.rawValue)
            writer.member("end", page.end.rawValue)
            writer.member("scanned", Int64(page.scanned))
        }
    }

    private static func first(_ text: String, of reader: TopicReader) -> Offset? {
        guard let number = Int64(text) else { return nil }
        guard number < 0 else { return Offset(named: number) }
        let kept = reader.start.distance(to: reader.end)
        let back = Int64(clamping: number.magnitude)
        return back >= kept ? reader.start : reader.end.advanced(by: -back)
    }

    private struct Page {
        var records: [StoredRecord] = []
        /// Where to go on.
        var next: Offset
        var end: Offset
        var scanned = 0
    }

    private static func page(
        of reader: TopicReader, from: Offset, count: Int, _ filter: RecordFilter?
    ) throws(StoreFailure) -> Page {
        var page = Page(next: max(from, reader.start), end: reader.end)
        let matcher = filter.map { RecordMatcher($0) }
        var (scannedByteCount, byteCount) = (0, 0)
        try reader.scan(from: page.next) { stored in
            let length = stored.record.value?.count ?? 0
            page.scanned += 1
            scannedByteCount += length
            page.next = stored.offset.advanced(by: 1)
            if matcher?.matches(stored.record) ?? true {
                page.records.append(stored)
                byteCount += length
            }
            return page.records.count < count && byteCount < answerByteCountMax
                && page.scanned < scannedCountMax && scannedByteCount < scannedByteCountMax
        }
        return page
    }
}

/// A field of a record that must have a value: `data.object.id:ch_1` of a value that is JSON,
/// `key:evt_1`, or a header as `header.event-id:evt_1`.
struct RecordFilter: Hashable {
    var path: [String]
    var value: String

    static let form = "field:value, as currency:usd, data.object.id:ch_1, key:evt_1 or "
        + "header.event-id:evt_1"
    /// Names that a path has at most: as deep as a document may be.
    private static let depthMax = 64

    init?(_ text: String) {
        guard let colon = text.firstIndex(of: ":"), text.utf8.count <= 1_000 else { return nil }
        path = text[..<colon].split(separator: ".", omittingEmptySubsequences: false)
            .map(String.init)
        value = String(text[text.index(after: colon)...])
        guard path.count <= Self.depthMax, path.allSatisfy({ !$0.isEmpty }) else { return nil }
    }
}

/// Compares records with a filter. Keeps a parser; use it on one thread.
final class RecordMatcher {
    private let filter: RecordFilter
    private let document = JSONDocument()

    init(_ filter: RecordFilter) { self.filter = filter }

    func matches(_ record: Record) -> Bool {
        if filter.path == ["key"] { return record.key?.elementsEqual(filter.value.utf8) == true }
        if filter.path.first == "header", filter.path.count > 1 {
            return record.text(filter.path.dropFirst().joined(separator: ".")) == filter.value
        }
        guard var value = try? document.parse(record.value ?? []) else { return false }
        for name in filter.path {
            if let place = Int(name), let array = value.array {
                guard place >= 0, let element = array.dropFirst(place).first(where: { _ in true })
                else { return false }
                value = element
            } else {
                guard let member = value.member(named: name) else { return false }
                value = member
            }
        }
        return value.text == filter.value
    }
}

extension JSONValue {
    /// A string, a number, true, false or null as somebody types it; nil for what holds others.
    fileprivate var text: String? {
        switch kind {
        case .string: string
        case .number: int64.map { String($0) } ?? double.map { "\($0)" }
        case .bool: bool.map { "\($0)" }
        case .null: "null"
        case .object, .array: nil
        }
    }
}
