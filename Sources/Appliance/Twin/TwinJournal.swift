import Foundation

/// Why a twin cannot keep its state. The description says what to do.
enum TwinError: Error, Hashable, CustomStringConvertible {
    case folderUnusable(path: String, reason: String)
    case otherSeed(path: String, found: UInt64, wanted: UInt64)
    case notAJournal(path: String, line: Int)
    case cannotWrite(path: String)

    var description: String {
        switch self {
        case .folderUnusable(let path, let reason):
            "cannot use the folder \(path): \(reason); choose another with --data"
        case .otherSeed(let path, let found, let wanted):
            "\(path) belongs to seed \(found), not \(wanted); give that seed or another folder"
        case .notAJournal(let path, let line):
            "line \(line) of \(path) is no entry of a twin's journal; move it away to begin anew"
        case .cannotWrite(let path):
            "\(path) cannot be written any more; check the free space and start the twin again"
        }
    }
}

/// The calls that made the state, one JSON object a line, in the order in which they were answered:
///
/// ```
/// {"twin":1,"seed":1,"start":1767571200}
/// {"now":1767571260,"number":7,"method":"POST","path":"/v1/customers","fields":["name","Zoë"]}
/// {"now":1767657600}                                    what was due by then has happened
/// ```
///
/// `account`, `key` (idempotency) and `inside` (called in process) stand where they apply. A line
/// is written before its call is answered, but not synced: it survives the process, not the power.
/// A last line without its end is cut off at the next start.
final class TwinJournal {
    struct Entry {
        /// The twin's time of the call.
        var now: Int64
        /// The call's own, for its `Request-Id`.
        var number: UInt64
        /// Nil where only time has passed.
        var request: APIRequest?
    }

    static let fileName = "twin.journal"
    private static let version: Int64 = 1

    /// The twin's time at its first start.
    let start: Int64
    private(set) var failure: TwinError?
    private let path: String
    private let file: FileHandle
    private var lines: [Data.SubSequence]

    init(folder: String, seed: UInt64, now: Int64) throws(TwinError) {
        path = "\(folder)/\(Self.fileName)"
        do {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
            if !FileManager.default.fileExists(atPath: path) {
                try Data(Self.header(seed: seed, now: now)).write(to: URL(filePath: path))
            }
            file = try FileHandle(forUpdating: URL(filePath: path))
            let data = try file.readToEnd() ?? Data()
            let end = data.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
            try file.truncate(atOffset: UInt64(end))
            lines = data[..<end].split(separator: UInt8(ascii: "\n"))
        } catch {
            throw .folderUnusable(path: folder, reason: error.localizedDescription)
        }
        start = try Self.start(in: lines.first, seed: seed, path: path)
    }

    private static func header(seed: UInt64, now: Int64) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("twin", version)
        writer.member("seed", Int64(bitPattern: seed))
        writer.member("start", now)
        writer.endObject()
        return writer.bytes + [UInt8(ascii: "\n")]
    }

    private static func start(
        in line: Data.SubSequence?, seed: UInt64, path: String
    ) throws(TwinError) -> Int64 {
        let document = JSONDocument()
        guard let line, let root = try? document.parse(line), root["twin"]?.int64 == version,
            let found = root["seed"]?.int64, let start = root["start"]?.int64
        else { throw .notAJournal(path: path, line: 1) }
        guard UInt64(bitPattern: found) == seed else {
            throw .otherSeed(path: path, found: UInt64(bitPattern: found), wanted: seed)
        }
        return start
    }

    /// Reads what was there when the journal was opened, once.
    func read(_ body: (Entry) -> Void) throws(TwinError) {
        let document = JSONDocument()
        for (number, line) in lines.enumerated().dropFirst() {
            guard let root = try? document.parse(line), let entry = Entry(root) else {
                throw .notAJournal(path: path, line: number + 1)
            }
            body(entry)
        }
        lines = []
    }

    func write(_ entry: Entry) {
        guard failure == nil else { return }
        do {
            try file.write(contentsOf: entry.line)
        } catch {
            failure = .cannotWrite(path: path)
        }
    }
}

extension TwinJournal.Entry {
    fileprivate init?(_ root: JSONValue) {
        guard let now = root["now"]?.int64 else { return nil }
        self.init(now: now, number: 0, request: nil)
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
            account: root["account"]?.string, isInProcess: true)
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
            if let key = request.idempotencyKey { writer.member("key", key) }
            if request.isInProcess { writer.member("inside", true) }
            writer.texts("fields", request.fields.flatMap { [$0.name, $0.value] })
        }
        writer.endObject()
        return writer.bytes + [UInt8(ascii: "\n")]
    }
}
