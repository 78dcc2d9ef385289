import AppendLog
import Appliance
import Bridges
import HTTPTypes
import Hummingbird
import Vocabulary

/// One dead letter at `/log/letters/{offset}`: what failed, what would become of it now, and its
/// way back, edited if need be.
///
///     GET   ──▶ the letter, and a dry run of it as it is
///     POST act=look ──▶ a dry run of the value in the form
///     POST act=send
///        the value is what the last dry run judged ──▶ redriven ──▶ 303 to the letter
///        another one ──▶ a dry run of it, and nothing sent
struct LetterPages: Sendable {
    let pages: ConsolePages

    private var parts: ConsoleParts { pages.parts }
    /// An edited value, each of its bytes escaped as a rule, and room: what the port takes.
    private static let formByteCountMax = GateLimits.adminBodyByteCountMax

    func add(to routes: inout AdminRoutes) {
        let path = "/log/letters/:offset"
        pages.page(&routes, .get, path, .viewer) { try await show($0) }
        pages.page(&routes, .post, path, .admin, upTo: Self.formByteCountMax) {
            try await change($0)
        }
    }

    /// A letter and its bytes.
    private struct Found {
        var line: LetterLine
        var value: ArraySlice<UInt8>
        /// Whether its topic has one partition, which nobody names.
        var isOnly: Bool
    }

    private func found(_ asked: PageRequest) throws -> Found {
        let count = parts.shownLog.partitionCount
        guard let offset = QueryNumber.offset(asked.context.word("offset")),
            let partition = QueryNumber.offset(asked.query("partition") ?? "0"),
            partition.rawValue < count
        else {
            throw Problem(
                .notFound, "a dead letter is named by its offset"
                    + (count == 1 ? "" : " and its partition, 0 to \(count - 1)"))
        }
        let place = SourcePlace.letter(offset, partition: Int32(partition.rawValue))
        guard let (line, value) = try parts.letters.letter(at: place) else {
            throw Problem(
                .notFound, "there is no dead letter at offset \(place.letterName)")
        }
        return Found(line: line, value: value, isOnly: count == 1)
    }

    private func show(_ asked: PageRequest) async throws -> Response {
        let found = try found(asked)
        return respond(found, try await dryRun(found, nil, asked), nil, asked)
    }

    private func respond(
        _ found: Found, _ line: RedriveLine?, _ typed: String?, _ asked: PageRequest,
        problem: String? = nil, _ status: HTTPResponse.Status = .ok
    ) -> Response {
        // A letter that was never understood is of no payment that is known.
        let row = found.line.eventID.flatMap { try? parts.payments.index.payment($0) }
        var view = LetterView(
            found.line, found.value, isOnly: found.isOnly, typed: typed, line,
            mayRedrive: asked.role >= .admin,
            payment: row.map { "/payments/\(PathText.escaped($0.charge))" }, token: asked.token)
        let behind = parts.letters.behind
        view.problem = problem ?? (behind == 0
            ? nil : "\(ShownNumber.count(behind, "record")) of dead.letter are still to be read "
                + "here. Nothing is redriven until then: look again.")
        if asked.query("sent") != nil, found.line.state != .notRedriven {
            view.done = "It went back to where it had failed; what came of it is told "
                + (found.line.state == .sent ? "by its payment's page." : "below.")
        }
        view.judged = Self.mark(LetterText.edit(typed, of: found.value) ?? Array(found.value))
        return ConsolePages.html(
            "letter", pages.shell("Dead letter \(found.line.place.letterName)", .log, asked), view,
            status)
    }

    /// - Parameter typed: what the form has; nil judges the letter as it is.
    /// - Returns: nil where it has gone back already, or may have without being known here yet.
    private func dryRun(
        _ found: Found, _ typed: String?, _ asked: PageRequest
    ) async throws -> RedriveLine? {
        guard found.line.state == .notRedriven, parts.letters.behind == 0 else { return nil }
        let request = request(found, typed, asked, isDryRun: true)
        return try await parts.redriver.redrive(request).lines.first
    }

    private func request(
        _ found: Found, _ typed: String?, _ asked: PageRequest, isDryRun: Bool
    ) -> RedriveRequest {
        let edit = LetterText.edit(typed, of: found.value).map {
            RedriveEdit(value: $0, by: asked.context.caller?.name ?? "")
        }
        return RedriveRequest(
            letters: [found.line.place], isDryRun: isDryRun, edit: edit)
    }

    private func change(_ asked: PageRequest) async throws -> Response {
        let found = try found(asked)
        let typed = asked.form?["value"]
        if let typed, typed.utf8.count > RedriveLimits.editByteCountMax {
            let most = ShownAmount.grouped(Int64(RedriveLimits.editByteCountMax))
            return respond(
                found, nil, typed, asked, problem: "An edited value has at most \(most) bytes.",
                .badRequest)
        }
        let line = try await dryRun(found, typed, asked)
        guard asked.form?["act"] == "send" else { return respond(found, line, typed, asked) }
        guard let line else {
            let isKnown = parts.letters.behind == 0
            return respond(
                found, nil, typed, asked,
                problem: isKnown ? "It has gone back already. Nothing more was sent." : nil,
                .conflict)
        }
        let value = LetterText.edit(typed, of: found.value) ?? Array(found.value)
        guard asked.form?["judged"] == Self.mark(value) else {
            return respond(
                found, line, typed, asked,
                problem: "The value is another one than the dry run had judged. Nothing was sent; "
                    + "look at this dry run first.", .conflict)
        }
        let answer = try await parts.redriver.redrive(
            request(found, typed, asked, isDryRun: false))
        guard let sent = answer.lines.first, [.sent, .admitted, .duplicate].contains(sent.result)
        else {
            return respond(
                found, answer.lines.first, typed, asked, problem: "Nothing was sent.", .conflict)
        }
        return ConsolePages.sent(
            to: LetterPath.page(found.line.place, isOnly: found.isOnly, query: "sent=1"))
    }

    private static func mark(_ value: [UInt8]) -> String {
        String(hex: SHA256.digest(value[...]))
    }
}

/// A letter's value as a form shows it, and what comes back from there.
enum LetterText {
    /// The value for a field; nil for what is no text, or too long to be edited.
    static func field(_ value: ArraySlice<UInt8>) -> String? {
        guard value.count <= RedriveLimits.editByteCountMax,
            let text = String(validating: value, as: UTF8.self)
        else { return nil }
        let shown = ReadableValue.indented(value) ?? text
        return shown.utf8.count <= RedriveLimits.editByteCountMax ? shown : text
    }

    /// What goes back in place of the value; nil where the form says the same. A browser ends lines
    /// with CR LF, and JSON that had no lines gets none.
    static func edit(_ typed: String?, of value: ArraySlice<UInt8>) -> [UInt8]? {
        guard let typed else { return nil }
        let bytes = Array(typed.replacing("\r\n", with: "\n").utf8)
        let compact = JSONLine.compact(bytes[...])
        if bytes.elementsEqual(value) || bytes.elementsEqual(field(value)?.utf8 ?? "".utf8) {
            return nil
        }
        if let compact, compact == JSONLine.compact(value) { return nil }
        let hasLines = value.contains(UInt8(ascii: "\n"))
        return hasLines ? bytes : compact ?? bytes
    }
}

/// One dead letter, what would become of it, and the form that sends it back.
struct LetterView {
    struct Plan {
        var state: ShownState
        var detail: String
        var isEdited: Bool
        /// Whether it would go.
        var goes: Bool
    }

    var offset: String
    var path: String
    var reason, detail, stage, topic: String
    var moment: ShownMoment
    var state: ShownState
    var facts: [CaseView.Fact]
    /// Where it is now, for one that failed again.
    var again: String?
    var plan: Plan?
    /// What the form has; nil where there is no form.
    var field: String?
    /// Why it cannot be edited.
    var unedited: String?
    var value: ReadableValue
    var judged = ""
    var problem, done: String?
    var command: String
    var token: String

    init(
        _ line: LetterLine, _ bytes: ArraySlice<UInt8>, isOnly: Bool = true, typed: String?,
        _ result: RedriveLine?, mayRedrive: Bool, payment: String?, token: String
    ) {
        offset = LetterPath.words(line.place, isOnly: isOnly)
        path = LetterPath.page(line.place, isOnly: isOnly)
        reason = ShownText.escaped(line.reason)
        detail = ShownText.escaped(line.detail)
        stage = ShownText.escaped(line.stage)
        topic = ShownText.escaped(line.topic)
        moment = ShownMoment(line.at)
        state = LettersView.Row(line, isOnly: isOnly).state
        again = line.again.map { LetterPath.page($0, isOnly: isOnly) }
        value = ReadableValue(bytes)
        self.token = token
        command = "tillbox dead-letter redrive --offset \(line.place.letterName) "
            + "--value-file FILE --dry-run"
        facts = Self.facts(line, isOnly: isOnly, payment: payment)
        let isEdited = LetterText.edit(typed, of: bytes) != nil
        plan = result.map { Plan($0, isEdited: isEdited) }
        guard mayRedrive, line.state == .notRedriven else { return }
        field = typed ?? LetterText.field(bytes)
        if field == nil {
            unedited = String(validating: bytes, as: UTF8.self) == nil
                ? "Its value is no text: it goes back as it is or not."
                : "Its value is too long to be edited here: it goes back as it is or not."
        }
    }

    private static func facts(
        _ line: LetterLine, isOnly: Bool, payment: String?
    ) -> [CaseView.Fact] {
        let partition = isOnly ? nil : line.sourcePartition
        let source = line.source.map { offset -> CaseView.Fact in
            // A topic that this release does not know has no page.
            let topic = TopicID(rawValue: line.topic)
            let words = topic.map { LogPath.words($0, partition, offset) }
                ?? "\(line.topic) @ \(ShownAmount.grouped(offset.rawValue))"
            return CaseView.Fact(
                name: "It was", value: ShownText.escaped(words),
                href: topic.map { LogPath.page($0, partition, "/\(offset)") }, isID: true)
        }
        let event = line.eventID.map {
            CaseView.Fact(
                name: "Event", value: ShownText.escaped($0), href: payment, isID: true)
        }
        let own = isOnly ? nil : line.place.partition
        let record = CaseView.Fact(
            name: "Its record", value: LogPath.words(.deadLetter, own, line.offset),
            href: LogPath.page(.deadLetter, own, "/\(line.offset)"), isID: true)
        return [source, event, record].compactMap { $0 }
    }
}

extension LetterView.Plan {
    init(_ line: RedriveLine, isEdited: Bool) {
        let detail = ShownText.escaped(line.detail)
        self.isEdited = isEdited
        self.detail = detail
        goes = line.result == .wouldSend
        state = goes ? ShownState("It would go back", "ok") : ShownState("It would stay", "stop")
    }
}
