internal import CPostgres
internal import Glibc

/// Owns libpq's connection, and is the only one who waits for it: never longer than it is told to.
///
/// libpq's own blocking calls wait for ever for a server that hangs but whose kernel still answers,
/// so every call here is of its non-blocking kind, with `poll` between them.
final class PostgresHandle {
    private let connection: OpaquePointer
    private let notices: PostgresNotices

    // SAFETY: `connection` comes from PQconnectStartParams and goes in `deinit`; the receiver's
    // pointer is to an object that this one keeps.
    private init(_ connection: OpaquePointer, _ notices: PostgresNotices) {
        self.connection = connection
        self.notices = notices
        PQsetNoticeReceiver(
            connection,
            { notices, result in
                guard let notices, let result else { return }
                Unmanaged<PostgresNotices>.fromOpaque(notices).takeUnretainedValue().take(result)
            }, Unmanaged.passUnretained(notices).toOpaque())
    }

    deinit { PQfinish(connection) }

    var isUsable: Bool { PQstatus(connection) == CONNECTION_OK }
    var isEncrypted: Bool { PQsslInUse(connection) != 0 }
    var processID: Int32 { PQbackendPID(connection) }

    // MARK: Connecting

    static func connect(
        _ keywords: [(String, String)], within limit: Duration, _ notices: PostgresNotices
    ) throws(PostgresError) -> PostgresHandle {
        let names = CStrings(keywords.map(\.0))
        let values = CStrings(keywords.map(\.1))
        // SAFETY: libpq copies what it needs of the two arrays before it returns.
        guard let start = PQconnectStartParams(names.pointers, values.pointers, 1) else {
            throw .cannotConnect(sqlState: nil, detail: "out of memory")
        }
        let handle = PostgresHandle(start, notices)
        guard PQstatus(start) != CONNECTION_BAD else { throw handle.refusal() }
        // So that the words of a refusal have its SQLSTATE in them.
        PQsetErrorVerbosity(start, PQERRORS_VERBOSE)
        let deadline = ContinuousClock.now + limit
        // As the manual says: as if a poll had asked for writing.
        var wanted = Int32(POLLOUT)
        while true {
            guard try handle.wait(for: wanted, until: deadline) else {
                throw .cannotConnect(
                    sqlState: nil, detail: "no answer within \(limit.postgresMilliseconds) ms")
            }
            switch PQconnectPoll(start) {
            case PGRES_POLLING_OK:
                PQsetErrorVerbosity(start, PQERRORS_DEFAULT)
                PQsetnonblocking(start, 1)
                return handle
            case PGRES_POLLING_READING: wanted = Int32(POLLIN)
            case PGRES_POLLING_WRITING: wanted = Int32(POLLOUT)
            default: throw handle.refusal()
            }
        }
    }

    private func refusal() -> PostgresError {
        let (state, detail) = PostgresWords.stateAndDetail(of: message)
        // It was refused by libpq, and no server was asked.
        if state == nil, SettingWords.isRefusal(detail) { return .configuration(detail) }
        return .cannotConnect(sqlState: state, detail: detail)
    }

    private var message: String { PQerrorMessage(connection).map { String(cString: $0) } ?? "" }

    private func lost() -> PostgresError {
        .connectionLost(sqlState: nil, detail: PostgresWords.oneLine(message))
    }

    /// - Returns: false once the deadline is over.
    private func wait(
        for events: Int32, until deadline: ContinuousClock.Instant
    ) throws(PostgresError) -> Bool {
        while true {
            let socket = PQsocket(connection)
            guard socket >= 0 else { throw lost() }
            let left = deadline - .now
            guard left > .zero else { return false }
            var poll = pollfd(fd: socket, events: Int16(events), revents: 0)
            let milliseconds = Int32(clamping: left.postgresMilliseconds + 1)
            let ready = Glibc.poll(&poll, 1, milliseconds)
            if ready > 0 { return true }
            guard ready == 0 || errno == EINTR else { throw lost() }
        }
    }

    // MARK: Statements

    /// Several statements in one text, without parameters.
    func send(_ script: String) throws(PostgresError) {
        try check(PQsendQuery(connection, script))
    }

    func send(_ sql: String, _ values: [PostgresValue]) throws(PostgresError) {
        let parameters = try Parameters(values)
        try check(
            parameters.withPointers { types, pointers, lengths, formats in
                PQsendQueryParams(
                    connection, sql, Int32(values.count), types, pointers, lengths, formats, 1)
            })
    }

    func send(prepared name: String, _ values: [PostgresValue]) throws(PostgresError) {
        let parameters = try Parameters(values)
        try check(
            parameters.withPointers { _, pointers, lengths, formats in
                PQsendQueryPrepared(
                    connection, name, Int32(values.count), pointers, lengths, formats, 1)
            })
    }

    func sendPrepare(
        _ name: String, _ sql: String, _ values: [PostgresValue]
    ) throws(PostgresError) {
        try check(PQsendPrepare(connection, name, sql, Int32(values.count), values.map(\.type)))
    }

    private func check(_ sent: Int32) throws(PostgresError) {
        if sent != 1 { throw lost() }
    }

    /// All answers to what was sent, in their order.
    func answers(within limit: Duration) throws(PostgresError) -> [Answer] {
        var answers: [Answer] = []
        while let result = try nextResult(within: limit) {
            let rows = PostgresAnswer(result)
            switch PQresultStatus(result) {
            case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY: answers.append(.rows(rows))
            case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
                // The same is answered again and again until somebody sends or takes rows.
                answers.append(.failed(.malformedAnswer("COPY, of which nothing here makes use")))
                return answers
            default: answers.append(.failed(error(of: result)))
            }
        }
        return answers
    }

    enum Answer {
        case rows(PostgresAnswer)
        case failed(PostgresError)
    }

    private func nextResult(within limit: Duration) throws(PostgresError) -> OpaquePointer? {
        // Counted anew whenever the server says something.
        var deadline = ContinuousClock.now + limit
        while true {
            let flushed = PQflush(connection)
            guard flushed >= 0 else { throw lost() }
            if flushed == 0, PQisBusy(connection) == 0 { break }
            let wanted = Int32(POLLIN) | (flushed == 1 ? Int32(POLLOUT) : 0)
            guard try wait(for: wanted, until: deadline) else {
                throw .noAnswer(milliseconds: limit.postgresMilliseconds)
            }
            // It fails once the socket is closed; a last word of the server may have come before.
            if PQconsumeInput(connection) != 1, PQisBusy(connection) != 0 { throw lost() }
            if flushed == 0, PQisBusy(connection) == 0 { break }
            deadline = ContinuousClock.now + limit
        }
        return PQgetResult(connection)
    }

    private func error(of result: OpaquePointer) -> PostgresError {
        let words = PostgresWords(result)
        // libpq's own words, of a connection that broke, have no SQLSTATE.
        guard let state = words.sqlState else {
            return .connectionLost(sqlState: nil, detail: words.message)
        }
        let severity = words.severity ?? "ERROR"
        guard severity == "ERROR" else {
            return .connectionLost(sqlState: state, detail: words.message)
        }
        return .refused(
            PostgresServerError(
                sqlState: state, severity: severity, message: words.message, detail: words.detail,
                constraint: words.constraint, table: words.table))
    }
}

/// What the server says beside its answers.
public struct PostgresNotice: Hashable, Sendable {
    /// `WARNING`, `NOTICE`, `DEBUG`, `INFO` or `LOG`.
    public var severity: String
    public var sqlState: String?
    public var message: String
}

/// Where notices go; libpq's receiver has its address.
final class PostgresNotices: Sendable {
    private let take: @Sendable (PostgresNotice) -> Void

    init(_ take: @escaping @Sendable (PostgresNotice) -> Void) { self.take = take }

    fileprivate func take(_ result: OpaquePointer) {
        let words = PostgresWords(result)
        take(
            PostgresNotice(
                severity: words.severity ?? "NOTICE", sqlState: words.sqlState,
                message: words.message))
    }
}

/// The fields of a result that is an error or a notice.
struct PostgresWords {
    let severity, sqlState, detail, constraint, table: String?
    let message: String

    init(_ result: OpaquePointer) {
        func field(_ code: Character) -> String? {
            // SAFETY: the text is the result's, and is copied here.
            PQresultErrorField(result, Int32(code.asciiValue ?? 0)).map { String(cString: $0) }
        }
        // The letters of "Error and Notice Message Fields" in the manual; V is never translated.
        severity = field("V")
        sqlState = field("C")
        detail = field("D")
        constraint = field("n")
        table = field("t")
        message =
            field("M")
            ?? Self.oneLine(PQresultErrorMessage(result).map { String(cString: $0) } ?? "")
    }

    static func oneLine(_ text: String) -> String {
        let lines = text.split(whereSeparator: \.isNewline).map { line in
            line.drop { $0 == " " || $0 == "\t" }
        }.filter { !$0.isEmpty && !$0.hasPrefix("LOCATION:") }
        return lines.isEmpty ? "it was closed" : lines.joined(separator: "; ")
    }

    /// Of a refusal to connect: `…: FATAL:  28P01: password authentication failed …`.
    static func stateAndDetail(of message: String) -> (state: String?, detail: String) {
        let line = oneLine(message)
        for mark in ["FATAL:  ", "ERROR:  ", "PANIC:  "] {
            guard let found = line.firstRange(of: mark) else { continue }
            let rest = line[found.upperBound...]
            let code = rest.prefix(5)
            guard rest.dropFirst(5).hasPrefix(": "),
                code.allSatisfy({ $0.isASCII && ($0.isNumber || $0.isUppercase) })
            else { continue }
            return (String(code), String(rest.dropFirst(7)))
        }
        return (nil, line)
    }
}

/// Parameters as libpq wants them: one buffer, and where each value starts.
private struct Parameters {
    private let types: [UInt32]
    private var bytes: [UInt8] = []
    private var starts: [Int?] = []
    private var lengths: [Int32] = []

    /// A message may have 1 GiB; half of it leaves room for the rest.
    private static let bytesMax = 1 << 29

    init(_ values: [PostgresValue]) throws(PostgresError) {
        types = values.map(\.type)
        for value in values {
            starts.append(value.isNull ? nil : bytes.count)
            let start = bytes.count
            value.encode(into: &bytes)
            lengths.append(Int32(clamping: bytes.count - start))
        }
        guard bytes.count <= Self.bytesMax else { throw .tooLarge(bytes: bytes.count) }
        // An empty value has an address too: libpq takes a missing one for NULL.
        bytes.append(0)
    }

    func withPointers(
        _ body: (
            UnsafePointer<UInt32>?, UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<Int32>?,
            UnsafePointer<Int32>?
        ) -> Int32
    ) -> Int32 {
        // SAFETY: libpq copies all of it into its own buffer before `body` returns.
        bytes.withUnsafeBufferPointer { buffer in
            buffer.withMemoryRebound(to: CChar.self) { buffer in
                let pointers = starts.map { start in
                    start.flatMap { place in buffer.baseAddress.map { $0 + place } }
                }
                return body(types, pointers, lengths, [Int32](repeating: 1, count: types.count))
            }
        }
    }
}

/// Texts for a C call that wants an array of them, ended by nil.
private final class CStrings {
    let pointers: [UnsafePointer<CChar>?]
    private let owned: [UnsafeMutablePointer<CChar>?]

    init(_ texts: [String]) {
        owned = texts.map { strdup($0) }
        pointers = owned.map { UnsafePointer($0) } + [nil]
    }

    // SAFETY: strdup has made each of them for this object alone.
    deinit { for text in owned { free(text) } }
}
