import AppendLog
import Appliance
import ArgumentParser
import AsyncHTTPClient
import Daemon
import Foundation
import Logging
import NIOCore
import NIOHTTP1
import Terminal
import Vocabulary

/// `tillbox dead-letter …`: failed records, and their way back.
struct DeadLetterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead-letter", abstract: "List failed records, and send them back.",
        subcommands: [List.self, Show.self, Redrive.self])

    /// `dead-letter list`
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List dead letters, oldest first, and what became of them.")
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
            let folder = try await options.data.folder()
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
            let rows = lines.map { line in
                let again = line.again.map { " as \($0.rawValue)" } ?? ""
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
        @Argument(help: "The letter's offset, as list shows it.") var offset: Int64

        mutating func run() async throws {
            let log = try await data.folder().log()
            let place = Offset(offset)
            do {
                let name = try TopicName(TopicID.deadLetter.rawValue)
                guard let record = try log.topic(name)?.record(at: place),
                    let letter = StoredLetter(StoredRecord(offset: place, record: record))
                else {
                    throw CommandFailure.cannotRun(
                        "there is no dead letter at offset \(offset); "
                            + "see `tillbox dead-letter list`")
                }
                try Output.standard.write(Array(letter.value))
            } catch let error as LogError {
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
                processed when it starts next. Exit code 1 if a letter would only fail again, or \
                is not there.
                """)
        @OptionGroup var data: DataOptions
        @Option(help: "Only letters of this reason.") var reason: String?
        @Option(help: "Only the letter at this offset; may be repeated.") var offset: [Int64] = []
        @Flag(name: .customLong("dry-run"), help: "Say what would happen, and do nothing.")
        var dryRun = false
        @Flag(help: "Answer with one JSON document.") var json = false

        func validate() throws {
            guard offset.allSatisfy({ $0 >= 0 }) else {
                throw ValidationError("--offset must not be negative")
            }
        }

        mutating func run() async throws {
            let settings = try await data.settings(needsSecrets: false)
            let request = RedriveRequest(
                reason: reason, offsets: offset.isEmpty ? nil : offset.map { Offset($0) },
                isDryRun: dryRun)
            let lines = try await RedriveDoor(settings: settings).send(request)
            try report(lines)
            if lines.contains(where: { $0.result == .stillRefused || $0.result == .notFound }) {
                throw CommandFailure.foundSomething(nil)
            }
        }

        private func report(_ lines: [RedriveLine]) throws {
            let rows = lines.map { line in
                [
                    "offset": .number(line.letter.rawValue), "reason": .text(line.reason),
                    "result": .text(line.result.rawValue), "detail": .text(line.detail),
                ] as [String: Table.Cell]
            }
            try Table(columns: ["offset", "reason", "result", "detail"], rows: rows)
                .print(asJSON: json, named: "letters")
        }
    }
}

/// The way to whoever may write the log: this process, or the daemon that holds the folder.
struct RedriveDoor {
    let settings: Settings

    /// Sends the request and those that follow it until no letter is left.
    func send(_ request: RedriveRequest) async throws -> [RedriveLine] {
        _ = try FolderView(path: settings.dataPath).logPath()
        do {
            return try await EmbeddedPlane.offline(settings) { plane in
                let redriver = plane.redriver()
                return try await all(request) { try await redriver.redrive($0) }
            }
        } catch LogError.locked(_, let process) {
            return try await daemon(process, request)
        } catch let refusal as StartRefusal {
            throw CommandFailure.cannotRun(refusal.description)
        } catch let error as LogError {
            throw CommandFailure.cannotRun(error.description)
        } catch let error as LedgerError {
            throw CommandFailure.cannotRun(error.description)
        } catch let error as StoreFailure {
            throw CommandFailure.cannotRun("\(error)")
        }
    }

    private func daemon(
        _ process: Int32?, _ request: RedriveRequest
    ) async throws -> [RedriveLine] {
        let folder = DataFolder.canonical(settings.dataPath)
        let url = "http://\(settings.admin)/api/v1/dead-letters/redrive"
        return try await all(request) { request in
            var post = HTTPClientRequest(url: url)
            post.method = .POST
            post.headers.add(name: "content-type", value: "application/json")
            post.body = .bytes(ByteBuffer(bytes: request.encoded(dataPath: folder)))
            let (status, body) = try await answer(to: post, of: process)
            guard status == 200 else {
                throw CommandFailure.cannotRun(
                    "the daemon answered \(status): \(Self.detail(body))")
            }
            do {
                return try RedriveAnswer.decode(body)
            } catch {
                throw CommandFailure.cannotRun("\(url) is no tillbox daemon's: \(error)")
            }
        }
    }

    private func answer(
        to post: HTTPClientRequest, of process: Int32?
    ) async throws -> (status: UInt, body: [UInt8]) {
        do {
            let response = try await HTTPClient.shared.execute(post, timeout: .seconds(60))
            let body = try await response.body.collect(upTo: 16 << 20)
            return (response.status.code, [UInt8](body.readableBytesView))
        } catch {
            let holder = process.map { "process \($0)" } ?? "another process"
            throw CommandFailure.cannotRun(
                "\(settings.dataPath) is in use by \(holder), and no daemon answers at "
                    + "\(settings.admin): set admin.port (TILLBOX_ADMIN_PORT) as the daemon has it")
        }
    }

    /// What a problem document says.
    private static func detail(_ body: [UInt8]) -> String {
        let document = JSONDocument()
        let detail = try? document.parse(body)["detail"]?.string
        return detail ?? "nothing that says why"
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
