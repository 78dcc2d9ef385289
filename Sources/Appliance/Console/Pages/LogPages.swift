import AppendLog
import Appliance
import Foundation
import Hummingbird
import Vocabulary

/// The log: `/log`, the records of a topic at `/log/{topic}?partition&from&has`, and dead letters
/// at `/log/letters`, which go back behind a dry run.
struct LogPages: Sendable {
    let pages: ConsolePages

    private var parts: ConsoleParts { pages.parts }
    private static let recordsMax = 40
    /// Records that a search looks through on one page.
    private static let searchMax = 20_000
    /// Bytes of a value that a page shows.
    static let valueBytesMax = 16_384
    private static let lettersShown = 50

    func add(to routes: inout AdminRoutes) {
        pages.page(&routes, .get, "/log", .viewer) { try topics($0) }
        pages.page(&routes, .get, "/log/letters", .viewer) { try await letters($0) }
        pages.page(&routes, .post, "/log/letters", .admin) { try await redrive($0) }
        pages.page(&routes, .get, "/log/:topic", .viewer) { try records($0) }
    }

    // MARK: Topics

    private func topics(_ asked: PageRequest) throws -> Response {
        let log = parts.shownLog
        let rows = try log.figures().map { figures in
            let slowest = figures.readers.max { $0.lag < $1.lag }
            let lane = ShownLane(lane: figures.lane, isOnly: log.partitionCount == 1)
            return LogIndexView.Row(
                topic: lane.topic.rawValue, partition: lane.number, href: lane.path(),
                count: ShownAmount.grouped(figures.start.distance(to: figures.end)),
                size: figures.byteCount.map { ShownNumber.bytes($0) } ?? "–",
                first: ShownAmount.grouped(figures.start.rawValue),
                end: ShownAmount.grouped(figures.end.rawValue),
                slowest: slowest?.group ?? "–",
                lag: slowest.map { ShownAmount.grouped($0.lag) } ?? "–")
        }
        let groups = try letterGroups().groups
        let total = groups.reduce(0) { $0 + $1.count }
        let view = LogIndexView(
            count: ShownNumber.count(Int64(TopicID.allCases.count), "topic"), place: log.place,
            rows: rows, groups: groups.map { $0.view(isCurrent: false) },
            hasGroups: !groups.isEmpty,
            letters: ShownNumber.count(Int64(total), "dead letter"), behind: behind)
        return ConsolePages.html("log", pages.shell("The log", .log, asked), view)
    }

    // MARK: Records

    private func records(_ asked: PageRequest) throws -> Response {
        let lane = try parts.shownLog.lane(asked)
        let matcher = try RecordPages.filter(asked).map { RecordMatcher($0) }
        let reader = try parts.shownLog.reader(lane.lane)
        let wanted = asked.query("has")
        let from = try first(asked.query("from"), reader)
        var rows: [RecordView] = []
        var (seen, next) = (0, from)
        let bytes = wanted.map { Array($0.utf8) }
        try reader.scan(from: from) { stored in
            guard rows.count < Self.recordsMax, seen < Self.searchMax else { return false }
            seen += 1
            next = stored.offset.advanced(by: 1)
            let value = stored.record.value ?? []
            let key = stored.record.key ?? []
            if let matcher, !matcher.matches(stored.record) { return true }
            if let bytes, value.firstRange(of: bytes) == nil, key.firstRange(of: bytes) == nil {
                return true
            }
            rows.append(RecordView(stored, of: lane))
            return true
        }
        let field = asked.query("filter")
        let filter = (wanted.map { "&has=\(PathText.escaped($0))" } ?? "")
            + (field.map { "&filter=\(PathText.escaped($0))" } ?? "")
        let before = max(reader.start.rawValue, from.rawValue - Int64(Self.recordsMax))
        func page(_ from: Int64) -> String { lane.path(query: "from=\(from)\(filter)") }
        let view = RecordsView(
            topic: lane.topic.rawValue, partition: lane.number, live: lane.path("/tail"),
            has: wanted.map(ShownText.escaped) ?? "",
            filter: field.map(ShownText.escaped) ?? "", from: "\(from)",
            begins: ShownAmount.grouped(reader.start.rawValue),
            ends: ShownAmount.grouped(reader.end.rawValue), rows: rows, isEmpty: rows.isEmpty,
            seen: wanted == nil && field == nil ? nil : ShownNumber.count(Int64(seen), "record"),
            earlier: from > reader.start ? page(before) : nil,
            later: next < reader.end ? page(next.rawValue) : nil)
        return ConsolePages.html(
            "records", pages.shell(lane.topic.rawValue, .log, asked), view)
    }

    /// Where a page of records begins: at the offset that is asked for, else so that it ends with
    /// the newest record.
    private func first(_ text: String?, _ reader: TopicReader) throws(Problem) -> Offset {
        let last = max(reader.start.rawValue, reader.end.rawValue - Int64(Self.recordsMax))
        guard let text else { return Offset(last) }
        guard let offset = QueryNumber.typedOffset(text) else {
            throw Problem(.badRequest, "from must be an offset, a whole number from 0 on")
        }
        return min(max(offset, reader.start), reader.end)
    }

    // MARK: Dead letters

    struct LetterGroup {
        var reason: String
        var count: Int
        var stage: String
        var age: String

        func view(isCurrent: Bool) -> LogIndexView.Group {
            LogIndexView.Group(
                reason: ShownText.escaped(reason), count: ShownAmount.grouped(Int64(count)),
                href: "/log/letters?reason=\(PathText.escaped(reason))",
                second: "\(ShownText.escaped(stage)), oldest \(age)", isCurrent: isCurrent)
        }
    }

    /// What has not gone back yet, by its reason, the largest group first.
    private func letterGroups() throws -> (groups: [LetterGroup], lines: [LetterLine]) {
        let lines = try parts.letters.listed()
        let open = lines.filter { $0.state == .notRedriven }
        let now = parts.now
        let groups = Dictionary(grouping: open, by: \.reason).map { reason, letters in
            // Partitions follow upon each other, each with its own oldest one.
            let oldest = letters.map(\.at).min() ?? letters[0].at
            return LetterGroup(
                reason: reason, count: letters.count, stage: letters[0].stage,
                age: ShownAge.words(
                    from: Instant(seconds: oldest.milliseconds / 1_000), to: now))
        }
        return (groups.sorted { ($1.count, $0.reason) < ($0.count, $1.reason) }, lines)
    }

    private func letters(_ asked: PageRequest) async throws -> Response {
        let (groups, lines) = try letterGroups()
        let reason = asked.query("reason") ?? groups.first?.reason
        let dry = try await dryRun(reason, lines)
        let shown = lines.filter { $0.reason == reason }.sorted { $0.at < $1.at }
        let isOnly = parts.shownLog.partitionCount == 1
        let view = LettersView(
            groups: groups.map { $0.view(isCurrent: $0.reason == reason) },
            isEmpty: groups.isEmpty, last: lines.map(\.at).max().map { ShownMoment($0).words },
            reason: reason.map(ShownText.escaped), plan: dry,
            rows: shown.suffix(Self.lettersShown).reversed().map {
                LettersView.Row($0, isOnly: isOnly)
            },
            done: asked.query("sent").flatMap { Int64($0) }.map {
                "\(ShownNumber.count($0, "dead letter")) went back to where it had failed."
            }, mayRedrive: asked.role >= .admin,
            token: asked.token, behind: behind,
            unlisted: parts.letters.unlistedCount == 0
                ? nil : ShownNumber.count(parts.letters.unlistedCount, "older dead letter"))
        return ConsolePages.html("letters", pages.shell("Dead letters", .log, asked), view)
    }

    /// What of `dead.letter` is still to be read; nil for nothing.
    private var behind: String? {
        let count = parts.letters.behind
        return count == 0 ? nil : ShownNumber.count(count, "record")
    }

    /// What would happen to the letters of a reason: nothing is changed. Not while some may have
    /// gone back without being known here.
    private func dryRun(
        _ reason: String?, _ lines: [LetterLine]
    ) async throws -> LettersView.Plan? {
        guard let reason, parts.letters.behind == 0,
            let request = Self.dryRun(of: reason, lines)
        else { return nil }
        let answer = try await parts.redriver.redrive(request)
        return LettersView.Plan(answer, reason, at: parts.now)
    }

    /// Asks about the letters of a reason from the first on that is listed and has not gone back:
    /// all that lies before it would use up what one request looks through.
    ///
    /// - Parameter lines: in the order of partitions and offsets.
    /// - Returns: nil where none is listed.
    static func dryRun(of reason: String, _ lines: [LetterLine]) -> RedriveRequest? {
        let first = lines.first { $0.reason == reason && $0.state == .notRedriven }
        guard var before = first?.place else { return nil }
        before.offset = before.offset.advanced(by: -1)
        return RedriveRequest(reason: reason, isDryRun: true, after: before)
    }

    private func redrive(_ asked: PageRequest) async throws -> Response {
        guard let reason = asked.form?["reason"], !reason.isEmpty else {
            throw Problem(.badRequest, "the form must name the reason whose letters go back")
        }
        guard let request = Self.dryRun(of: reason, try parts.letters.listed()) else {
            throw Problem(.conflict, "no dead letter of this reason is left here: look again")
        }
        let dry = try await parts.redriver.redrive(request)
        let going = dry.lines.filter { $0.result == .wouldSend }.map(\.letter)
        guard !going.isEmpty else {
            throw Problem(.conflict, "none of them would go now: each would fail as before")
        }
        let answer = try await parts.redriver.redrive(
            RedriveRequest(reason: reason, letters: going))
        let sent = answer.lines.count {
            [.sent, .admitted, .duplicate].contains($0.result)
        }
        return ConsolePages.sent(
            to: "/log/letters?reason=\(PathText.escaped(reason))&sent=\(sent)")
    }
}
