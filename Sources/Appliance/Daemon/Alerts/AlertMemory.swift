import AppendLog
import Backup
import Bridges
import Vocabulary

/// What was told, over a restart: `alerts.json` in the data folder, one JSON document in a line,
/// and in the next line its SHA-256 in hex.
///
///     {"format":1,"log":"…","doors":[{"door":"…","told":[ALERT, …]}, …]}
///     ALERT: {"sentence":"…","since":SECONDS,"told_at":SECONDS}
///
/// A file that is missing, damaged, of another log or of a newer format says nothing: what lasts is
/// told once more, and no start is refused over it.
struct AlertMemory: Sendable {
    private static let format: Int64 = 1

    /// The data folder.
    let folder: String
    /// The log's identity.
    let log: String

    private var path: String { folder + "/alerts.json" }

    /// By the doors' keys.
    func told() -> [String: [ToldAlert]] {
        // It holds no secret; what is asked for is a regular file of a bounded size.
        guard let text = try? SecretFile.text(at: path, isSecret: { _ in false }) else {
            return [:]
        }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count == 3, lines[2].isEmpty, lines[1] == Self.digest(Array(lines[0].utf8))
        else { return [:] }
        let document = JSONDocument(bytesMax: SecretFile.byteCountMax)
        return withExtendedLifetime(document) {
            guard let json = try? document.parse(Array(lines[0].utf8)),
                json["format"]?.int64 == Self.format, json["log"]?.string == log
            else { return [:] }
            return (try? Self.doors(json)) ?? [:]
        }
    }

    private static func doors(_ json: JSONValue) throws -> [String: [ToldAlert]] {
        let doors = try json.requiredList("doors") { (door) throws(RecordCodecError) in
            (try door.requiredString("door"), try door.requiredList("told", Self.alert))
        }
        return Dictionary(doors) { first, _ in first }
    }

    /// Durable when it returns. Blocks.
    func keep(_ doors: [(key: String, told: [ToldAlert])]) throws(DiskError) {
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("format", Self.format)
        writer.member("log", log)
        writer.objects("doors", doors) { door, writer in
            writer.member("door", door.key)
            writer.objects("told", door.told) { alert, writer in
                writer.member("sentence", alert.sentence)
                writer.member("since", alert.since.seconds)
                writer.member("told_at", alert.toldAt.seconds)
            }
        }
        writer.endObject()
        let digest = Self.digest(writer.bytes)
        writer.plain("\n\(digest)\n")
        try PosixDisk().put(writer.bytes, at: path, in: folder)
    }

    private static func alert(_ json: JSONValue) throws(RecordCodecError) -> ToldAlert {
        ToldAlert(
            sentence: try json.requiredString("sentence"),
            since: try json.requiredInstant("since"), toldAt: try json.requiredInstant("told_at"))
    }

    private static func digest(_ bytes: [UInt8]) -> String {
        String(hex: SHA256.digest(bytes[...]))
    }
}
