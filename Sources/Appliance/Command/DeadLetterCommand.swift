import AppendLog
import Appliance
import ArgumentParser
import Daemon
import Foundation
import Logging
import NIOHTTP1
import Terminal
import Vocabulary

/// `tillbox dead-letter …`: failed records, and their way back.
struct DeadLetterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead-letter", abstract: "List failed records, and send them back.",
        discussion: """
            In the profile cloud `redrive --dry-run` stands for list, and a letter is named \
            PARTITION/OFFSET. Exit codes: 0 done, 1 a letter stays or is not there, 2 wrong usage, \
            3 cannot run.
            """,
        subcommands: [List.self, Show.self, Redrive.self])

    /// That there is none: a reason that is misspelt looks like one that nothing failed for.
    static func none(of reason: String?, behind offset: Offset? = nil) -> String {
        "there is no dead letter" + (reason.map { " of the reason \(ShownText.escaped($0))" } ?? "")
            + (offset.map { " behind offset \($0.rawValue)" } ?? "")
    }

    /// `dead-letter list`
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List dead letters of a data folder, oldest first, and what became of them.")
        @OptionGroup var options: LogCommand.Options
        @Option(help: "Only letters of this reason, for example missing_charge.")
        var reason: String?
        @Option(help: "How many letters to list at most.") var limit = 100
        @Option(help: "Only letters behind this offset.") var after: Int64?

        func validate() throws {
            guard limit > 0 else { throw ValidationError("--limit must be above 0") }
            guard after ?? 0 >= 0 else { throw ValidationError("--after must not be negative") }
        }

        mutating func run() async throws {
            let settings = try await options.data.folderSettings(
                insteadInCloud: "no list of dead letters; `tillbox dead-letter redrive --dry-run` "
                    + "names those that have not gone back")
            let folder = FolderView(path: settings.dataPath)
            let ledger = try folder.ledgerIfThere()
            let list = LetterList(view: LogView(log: try folder.log(), ledger: ledger))
            let page: (lines: [LetterLine], next: Offset?)
            do {
                page = try list.page(
                    after: after.map { Offset($0) }, limit: limit, reason: reason)
            } catch {
                throw CommandFailure.cannotRun(error.description)
            }
            try options.json ? printJSON(page.lines, page.next) : printTable(page.lines, page.next)
        }

        private func printJSON(_ lines: [LetterLine], _ next: Offset?) throws {
            var writer = JSONWriter()
            writer.beginObject()
            writer.key("dead_letters")
            writer.beginArray()
            for line in lines { line.encode(into: &writer) }
            writer.endArray()
            writer.member("next", next?.rawValue)
            writer.endObject()
            try Output.standard.line(String(decoding: writer.bytes, as: UTF8.self))
        }

        private func printTable(_ lines: [LetterLine], _ next: Offset?) throws {
            guard !lines.isEmpty else {
                return try Output.standard.line(
                    DeadLetterCommand.none(of: reason, behind: after.map { Offset($0) }))
            }
            let rows = lines.map { line in
                let again = line.again.map { " as \($0.letterName)" } ?? ""
                let source = line.source.map { "/\($0.rawValue)" } ?? ""
                return [
                    "offset": .number(line.offset.rawValue),
                    "at": .text(Instant(seconds: line.at.milliseconds / 1000).rfc3339),
                    "stage": .text(line.stage), "reason": .text(line.reason),
                    "record": .text(line.topic + source),
                    "event": line.eventID.map { .text($0) } ?? .none,
                    "redriven": .text(line.state.rawValue + again), "detail": .text(line.detail),
                ] as [String: Table.Cell]
            }
            try Output.standard.line(
                Table(
                    columns: [
                        "offset", "at", "stage", "reason", "record", "event", "redriven", "detail",
                    ], rows: rows
                ).text())
            if let next { try Output.standard.line("more: --after \(next.rawValue)") }
        }
    }

    /// `dead-letter show OFFSET`
    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the failed record's value, byte for byte.")
        @OptionGroup var data: DataOptions
        @Argument(
            help: """
                The letter's offset, as list shows it; in the profile cloud PARTITION/OFFSET.
                """)
        var offset: LetterName

        mutating func run() async throws {
            let settings = try await data.settings(needsSecrets: false)
            let (this, place) = (self, offset.place)
            let letter =
                if settings.profile == .cloud {
                    try await orCannotRun { try await settings.quietPlane().letter(place) }
                } else {
                    try await this.letter(place)
                }
            guard let letter else {
                let lists = settings.profile == .cloud ? "redrive --dry-run" : "list"
                throw CommandFailure.cannotRun(
                    "there is no dead letter at offset \(place.letterName); see "
                        + "`tillbox dead-letter \(lists)`")
            }
            try Output.standard.write(Array(letter.value))
        }

        private func letter(_ place: SourcePlace) async throws -> StoredLetter? {
            let log = try await data.folder().log()
            do throws(LogError) {
                let name = try TopicName(TopicID.deadLetter.rawValue)
                guard place.partition == 0,
                    let record = try log.topic(name)?.record(at: place.offset)
                else { return nil }
                return StoredLetter(StoredRecord(offset: place.offset, record: record))
            } catch {
                throw CommandFailure.cannotRun(error.description)
            }
        }
    }

    /// `dead-letter redrive`
    struct Redrive: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send dead letters back through the pipeline, each once.",
            discussion: """
                While a daemon runs in the data folder it is asked to; otherwise the records are \
                processed when it starts next. In the profile cloud this command sends them back \
                itself, at Kafka; a second one takes over from the first, which ends with 3. Exit \
                code 1 if a letter stays, as it would only fail again or is too large for where it \
                would go, or if there is none at the offset; also of a dry run.
                """)
        @OptionGroup var data: DataOptions
        @Option(help: "Only letters of this reason.") var reason: String?
        @Option(
            help: """
                Only the letter at this offset, in the profile cloud PARTITION/OFFSET; may be \
                repeated.
                """)
        var offset: [LetterName] = []
        @Option(
            help: """
                Send this file's bytes back in place of the value; with one --offset. The letter \
                stays as it is, and what goes back says who edited it.
                """)
        var valueFile: String?
        @Option(help: "Who edits; the user of this machine by default.") var by: String?
        @Flag(name: .customLong("dry-run"), help: "Say what would happen, and do nothing.")
        var dryRun = false
        @Flag(help: "Answer with one JSON document.") var json = false

        func validate() throws {
            guard by == nil || valueFile != nil else {
                throw ValidationError("--by says who edits; name the edit with --value-file")
            }
            guard valueFile != nil, offset.count != 1 else { return }
            throw ValidationError("--value-file edits one letter; name it with one --offset")
        }

        mutating func run() async throws {
            let settings = try await data.settings(needsSecrets: false)
            let edit = try valueFile.map { try Self.edit(from: $0, by: by ?? NSUserName()) }
            let request = RedriveRequest(
                reason: reason, letters: offset.isEmpty ? nil : offset.map(\.place),
                isDryRun: dryRun, edit: edit)
            let lines = try await RedriveDoor(settings: settings).send(request)
            try report(lines, settings.profile)
            if let refused = lines.first(where: { $0.result == .stillRefused }) {
                throw CommandFailure.foundSomething(
                    "\(lines.count { $0.result == .stillRefused }) of \(lines.count) would only "
                        + "fail again and stay; see one with "
                        + "`tillbox dead-letter show \(refused.letter.letterName)`")
            }
            let underWay = lines.count { $0.result == .underWay }
            guard underWay == 0 else {
                throw CommandFailure.foundSomething(
                    "\(underWay) of \(lines.count) stay for now, since somebody else is storing "
                        + "their events or was killed over them; run this again in half a minute")
            }
            if lines.contains(where: { $0.result == .notFound }) {
                throw CommandFailure.foundSomething(nil)
            }
        }

        private static func edit(from path: String, by: String) throws -> RedriveEdit {
            let most = RedriveLimits.editByteCountMax
            guard let file = FileHandle(forReadingAtPath: path),
                let bytes = try? file.read(upToCount: most + 1)
            else { throw CommandFailure.cannotRun("\(path) cannot be read") }
            guard bytes.count <= most else {
                throw CommandFailure.cannotRun("\(path) is longer than \(most) bytes")
            }
            guard String(validating: bytes, as: UTF8.self) != nil else {
                throw CommandFailure.cannotRun("\(path) is not text in UTF-8")
            }
            return RedriveEdit(value: Array(bytes), by: by)
        }

        private func report(_ lines: [RedriveLine], _ profile: Settings.Profile) throws {
            guard json || !lines.isEmpty else {
                return try Output.standard.line(
                    DeadLetterCommand.none(of: reason) + " that has still to go back")
            }
            let rows = lines.map { line in
                [
                    "partition": .number(Int64(line.letter.partition)),
                    "offset": .number(line.letter.offset.rawValue), "reason": .text(line.reason),
                    "result": .text(line.result.rawValue),
                    "detail": .text(PastedCommand.completed(line.detail)),
                ] as [String: Table.Cell]
            }
            // Topics of a data folder have one partition.
            let place = profile == .cloud ? ["partition", "offset"] : ["offset"]
            try Table(columns: place + ["reason", "result", "detail"], rows: rows)
                .print(asJSON: json, named: "letters")
        }
    }
}

/// The way to whoever may write the log: this process, or the daemon that holds the folder.
struct RedriveDoor {
    let settings: Settings

    /// Sends the request and those that follow it until no letter is left.
    func send(_ request: RedriveRequest) async throws -> [RedriveLine] {
        guard settings.profile != .cloud else {
            return try await orCannotRun {
                if let edit = request.edit { _ = try OfflineAudit.name(edit.by) }
                return try await settings.quietPlane().redriving(
                    isDryRun: request.isDryRun
                ) { redriver in
                    try await all(request) { try await redriver.redrive($0) }
                }
            }
        }
        _ = try FolderView(path: settings.dataPath).logPath()
        guard (request.letters ?? []).allSatisfy({ $0.partition == 0 }) else {
            throw CommandFailure(
                exitCode: CommandFailure.wrongUsage,
                message: "dead.letter of a data folder has one partition; name the offset alone")
        }
        try FolderOwner.become(of: settings.dataPath)
        do {
            let lines = try await EmbeddedPlane.offline(settings) { plane in
                if let edit = request.edit { _ = try OfflineAudit.name(edit.by) }
                let redriver = plane.redriver()
                return try await all(request) { try await redriver.redrive($0) }
            }
            if !request.isDryRun {
                OfflineAudit.note(
                    settings, "redrive",
                    String(
                        decoding: request.encoded(dataPath: settings.dataPath), as: UTF8.self))
            }
            return lines
        } catch LogError.locked(_, let process) {
            return try await daemon(process, request)
        } catch {
            throw CommandFailure.ofFolder(error)
        }
    }

    /// How long an answer may take, in seconds: a request has up to a thousand letters.
    private static let answerSecondsMax: Int64 = 60

    private func daemon(
        _ process: Int32?, _ request: RedriveRequest
    ) async throws -> [RedriveLine] {
        let folder = DataFolder.canonical(settings.dataPath)
        let connection = AdminConnection(
            settings,
            patience: AdminConnection.Patience(
                seconds: Self.answerSecondsMax,
                unanswered: "letters may have been sent back; look with `tillbox dead-letter list "
                    + "--data \(ShellWord.quoted(settings.dataPath))`"))
        do {
            return try await all(request) { request in
                try await connection.send(
                    .POST, "/api/v1/dead-letters/redrive",
                    body: request.encoded(dataPath: folder, saysWho: connection.saysWho)
                ) { try RedriveAnswer(json: $0) }
            }
        } catch let failure as CommandFailure where failure.isNoDaemon {
            let holder = process.map { "process \($0)" } ?? "another process"
            throw CommandFailure.cannotRun(
                "\(settings.dataPath) is in use by \(holder), and no daemon answers at "
                    + "\(settings.admin): set admin.port (TILLBOX_ADMIN_PORT) as the daemon has it")
        }
    }

    private func all(
        _ request: RedriveRequest, _ send: (RedriveRequest) async throws -> RedriveAnswer
    ) async throws -> [RedriveLine] {
        var (request, lines) = (request, [RedriveLine]())
        while true {
            let answer = try await send(request)
            lines += answer.lines
            guard let next = answer.next else { return lines }
            request.after = next
        }
    }
}

/// A dead letter as a person names it: `17`, or `1/17` for offset 17 of partition 1.
struct LetterName: ExpressibleByArgument {
    let place: SourcePlace

    init?(argument: String) {
        guard let place = SourcePlace(letterName: argument) else { return nil }
        self.place = place
    }
}
