import Foundation
import Vocabulary

/// Why a twin cannot keep its state. The description says what to do.
package enum TwinError: Error, Hashable, CustomStringConvertible {
    case folderUnusable(path: String, reason: String)
    case otherSeed(path: String, found: UInt64, wanted: UInt64)
    case notAJournal(path: String, line: Int)
    case cannotWrite(path: String)
    case inUse(folder: String)

    package var description: String {
        switch self {
        case .folderUnusable(let path, let reason):
            "cannot use the folder \(path): \(reason); choose another with --data"
        case .otherSeed(let path, let found, let wanted):
            "\(path) belongs to seed \(found), not \(wanted); give that seed or another folder"
        case .notAJournal(let path, let line):
            "line \(line) of \(path) is no entry of a twin's journal; move it away to begin anew"
        case .cannotWrite(let path):
            "\(path) cannot be written any more; check the free space and start the twin again"
        case .inUse(let folder):
            "another twin keeps its state in \(folder); stop it, or choose another folder with "
                + "--data"
        }
    }
}

/// The calls that made the state, one JSON object a line, in the order in which they were answered:
///
/// ```
/// {"twin":2,"seed":1,"start":1767571200}
/// {"options":{"payouts":"daily",…},"now":1767571200}    what holds from here on
/// {"now":1767571260,"number":7,"method":"POST","path":"/v1/customers","fields":["name","Zoë"]}
/// {"now":1767657600}                                    what was due by then has happened
/// ```
///
/// `account`, `version`, `key` (idempotency) and `inside` (called in process) stand where they
/// apply. A line is written before its call is answered, but not synced: it survives the process,
/// not the power. A last line without its end is cut off at the next start. Version 1 kept no
/// options.
package final class TwinJournal {
    struct Entry {
        /// The twin's time of the call.
        var now: Int64
        /// The call's own, for its `Request-Id`.
        var number: UInt64 = 0
        /// Nil where only time has passed.
        var request: APIRequest?
        /// What holds from here on.
        var options: TwinSettings?
    }

    static let fileName = "twin.journal"
    private static let versions: ClosedRange<Int64> = 1...2

    /// The twin's time at its first start.
    let start: Int64
    /// Whether its options stand in it.
    let keepsOptions: Bool
    package private(set) var failure: TwinError?
    private let path: String
    private let settings: TwinSettings
    private let file: FileHandle
    private var lines: [Data.SubSequence]

    /// Opens the journal in `folder`, or begins one under these settings.
    init(folder: String, settings: TwinSettings, now: Int64) throws(TwinError) {
        path = "\(folder)/\(Self.fileName)"
        self.settings = settings
        do {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
            if !FileManager.default.fileExists(atPath: path) {
                let first = Self.header(seed: settings.seed, now: now)
                try Data(first + settings.optionsLine(now: now)).write(
                    to: URL(filePath: path), options: .atomic)
            }
            file = try FileHandle(forUpdating: URL(filePath: path))
            let data = try file.readToEnd() ?? Data()
            let end = data.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
            try file.truncate(atOffset: UInt64(end))
            lines = data[..<end].split(separator: UInt8(ascii: "\n"))
        } catch {
            throw .folderUnusable(path: folder, reason: ErrorWords.reason(of: error))
        }
        let header = try Self.readHeader(lines.first, path: path)
        guard header.seed == settings.seed else {
            throw .otherSeed(path: path, found: header.seed, wanted: settings.seed)
        }
        (start, keepsOptions) = (header.start, header.version > 1)
    }

    /// The settings of the twin that is kept in `folder`: what `settings` says, with the seed and
    /// the options that hold there; nil where none is kept.
    package static func settings(
        in folder: String, otherwise settings: TwinSettings
    ) throws(TwinError) -> TwinSettings? {
        let path = "\(folder)/\(fileName)"
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        guard let data = FileManager.default.contents(atPath: path) else {
            throw .folderUnusable(path: folder, reason: "\(fileName) cannot be read")
        }
        let lines = data.split(separator: UInt8(ascii: "\n"))
        var kept = settings
        kept.seed = try readHeader(lines.first, path: path).seed
        let mark = Data(#"{"options":"#.utf8)
        let document = JSONDocument()
        guard let last = lines.last(where: { $0.starts(with: mark) }),
            let root = try? document.parse(last)
        else { return kept }
        return TwinSettings(options: root, otherwise: kept) ?? kept
    }

    private static func header(seed: UInt64, now: Int64) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("twin", versions.upperBound)
        writer.member("seed", Int64(bitPattern: seed))
        writer.member("start", now)
        writer.endObject()
        return writer.bytes + [UInt8(ascii: "\n")]
    }

    private static func readHeader(
        _ line: Data.SubSequence?, path: String
    ) throws(TwinError) -> (version: Int64, seed: UInt64, start: Int64) {
        let document = JSONDocument()
        guard let line, let root = try? document.parse(line),
            let version = root["twin"]?.int64, versions.contains(version),
            let seed = root["seed"]?.int64, let start = root["start"]?.int64
        else { throw .notAJournal(path: path, line: 1) }
        return (version, UInt64(bitPattern: seed), start)
    }

    /// Reads what was there when the journal was opened, once.
    func read(_ body: (Entry) -> Void) throws(TwinError) {
        let document = JSONDocument()
        for (number, line) in lines.enumerated().dropFirst() {
            guard let root = try? document.parse(line), let entry = Entry(root, settings) else {
                throw .notAJournal(path: path, line: number + 1)
            }
            body(entry)
        }
        lines = []
    }

    func write(_ entry: Entry) { write(entry.line) }

    /// - Parameter line: with its end.
    func write(_ line: [UInt8]) {
        guard failure == nil else { return }
        do {
            try file.write(contentsOf: line)
        } catch {
            failure = .cannotWrite(path: path)
        }
    }
}

extension TwinJournal.Entry {
    fileprivate init?(_ root: JSONValue, _ settings: TwinSettings) {
        guard let now = root["now"]?.int64 else { return nil }
        self.init(now: now)
        if root["options"] != nil {
            guard let options = TwinSettings(options: root, otherwise: settings) else { return nil }
            self.options = options
            return
        }
        guard let text = root["method"]?.string else { return }
        guard let method = APIRequest.Method(rawValue: text), let path = root["path"]?.string,
            let number = root["number"]?.int64.flatMap(UInt64.init(exactly:)), number > 0,
            let texts = root["fields"]?.array?.compactMap(\.string), texts.count.isMultiple(of: 2)
        else { return nil }
        let fields = stride(from: 0, to: texts.count, by: 2).map {
            FormField(texts[$0], texts[$0 + 1])
        }
        self.number = number
        request = APIRequest(
            method: method, path: path, fields: fields, idempotencyKey: root["key"]?.string,
            account: root["account"]?.string, version: root["version"]?.string, isInProcess: true)
        // An answer that was kept for its idempotency key must have its text.
        if root["inside"] == nil { request?.isInProcess = false }
    }

    fileprivate var line: [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("now", now)
        if let request {
            writer.member("number", Int64(number))
            writer.member("method", request.method.rawValue)
            writer.member("path", request.path)
            if let account = request.account { writer.member("account", account) }
            if let version = request.version { writer.member("version", version) }
            if let key = request.idempotencyKey { writer.member("key", key) }
            if request.isInProcess { writer.member("inside", true) }
            writer.texts("fields", request.fields.flatMap { [$0.name, $0.value] })
        }
        writer.endObject()
        return writer.bytes + [UInt8(ascii: "\n")]
    }
}
