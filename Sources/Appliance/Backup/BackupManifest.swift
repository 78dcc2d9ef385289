package import Vocabulary

/// What one backup is made of, and which moment it is of: `backups/<name>` in the backup's folder.
///
/// One JSON document in a line, and in the next line its SHA-256 in hex. It is written last, so
/// that a backup is whole or not there; with a key it is sealed as every other file.
package struct BackupManifest: Hashable, Sendable {
    package static let format: Int64 = 1
    /// Far more than a manifest of a million segments has.
    static let bytesMax = 512 << 20

    /// A file of the data folder.
    package struct File: Hashable, Sendable {
        /// Below the data folder: `log/webhook.received-0/00000000000000000000.log`.
        package var path: String
        /// Below `files` in the backup's folder.
        package var stored: String
        /// Of the content.
        package var bytes: Int64
        /// SHA-256 of the content, 64 hex digits.
        package var digest: String
        /// Of a sealed segment: the offset behind its last record, and the checksum of its last
        /// batch. A segment of the same place, size and these is the same, and is not copied again.
        package var sealed: Seal?
    }

    package struct Seal: Hashable, Sendable {
        package var end: Int64
        package var checksum: Int64
    }

    package struct Topic: Hashable, Sendable {
        package var name: String
        package var start: Int64
        /// The offset behind the last record that is in the backup.
        package var end: Int64
    }

    /// In the order of the backups' making: `2026-11-27T16-22-24.123Z`.
    package var name: String
    /// Milliseconds since 1970. What was acknowledged before it is in the backup.
    package var moment: Int64
    package var endedAt: Int64
    /// Of the program that wrote it.
    package var release: String
    /// The log's identity.
    package var log: String
    package var topics: [Topic]
    /// The ledger's last transaction, and its hash in hex.
    package var transactions: Int64
    package var ledgerHash: String
    package var files: [File]

    /// Of all files, as they are in the data folder.
    package var byteCount: Int64 { files.reduce(0) { $0 + $1.bytes } }

    package func end(of topic: TopicID) -> Int64? {
        topics.first { $0.name == topic.rawValue }?.end
    }

    /// Both lines.
    func encoded(digest: ([UInt8]) -> String) -> [UInt8] {
        var writer = JSONWriter(capacity: 16 << 10)
        writer.beginObject()
        writer.member("format", Self.format)
        writer.member("name", name)
        writer.member("moment", moment)
        writer.member("ended_at", endedAt)
        writer.member("release", release)
        writer.member("log", log)
        writer.objects("topics", topics) { topic, writer in
            writer.member("name", topic.name)
            writer.member("start", topic.start)
            writer.member("end", topic.end)
        }
        writer.member("transactions", transactions)
        writer.member("ledger_hash", ledgerHash)
        writer.objects("files", files) { file, writer in
            writer.member("path", file.path)
            writer.member("stored", file.stored)
            writer.member("bytes", file.bytes)
            writer.member("sha256", file.digest)
            writer.member("end", file.sealed?.end)
            writer.member("checksum", file.sealed?.checksum)
        }
        writer.endObject()
        return writer.bytes + Array("\n\(digest(writer.bytes))\n".utf8)
    }

    /// - Parameter path: of the manifest, for what is wrong with it.
    /// - Throws: `.newer`, `.damaged`
    init(
        decoding bytes: [UInt8], at path: String, digest: ([UInt8]) -> String
    ) throws(BackupError) {
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        guard lines.count == 3, lines[2].isEmpty,
            String(decoding: lines[1], as: UTF8.self) == digest(Array(lines[0]))
        else { throw .damaged(file: path, reason: "it is not whole") }
        let document = JSONDocument(bytesMax: Self.bytesMax)
        do {
            self = try withExtendedLifetime(document) {
                let json = try document.parse(lines[0])
                let format = try json.requiredInt64("format")
                guard format <= Self.format else {
                    throw BackupError.newer(path: path, format: format, known: Self.format)
                }
                return try Self(json)
            }
        } catch let error as BackupError {
            throw error
        } catch {
            throw .damaged(file: path, reason: "\(error)")
        }
    }

    private init(_ json: JSONValue) throws {
        name = try json.requiredString("name")
        moment = try json.requiredInt64("moment")
        endedAt = try json.requiredInt64("ended_at")
        release = try json.requiredString("release")
        log = try json.requiredString("log")
        transactions = try json.requiredInt64("transactions")
        ledgerHash = try json.requiredString("ledger_hash")
        topics = try json.requiredList("topics") { (topic) throws(RecordCodecError) in
            Topic(
                name: try topic.requiredString("name"), start: try topic.requiredInt64("start"),
                end: try topic.requiredInt64("end"))
        }
        files = try json.requiredList("files", Self.file)
    }

    private static func file(_ json: JSONValue) throws(RecordCodecError) -> File {
        let (path, stored) = (try json.requiredString("path"), try json.requiredString("stored"))
        // A manifest may be anybody's: none writes outside of the folder.
        for name in [path, stored] where !isBelow(name) { throw RecordCodecError.field("path") }
        var sealed: Seal?
        if let end = json["end"]?.int64, let checksum = json["checksum"]?.int64 {
            sealed = Seal(end: end, checksum: checksum)
        }
        return File(
            path: path, stored: stored, bytes: try json.requiredInt64("bytes"),
            digest: try json.requiredString("sha256"), sealed: sealed)
    }

    private static func isBelow(_ name: String) -> Bool {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        return !name.contains("\0") && parts.allSatisfy { !["", ".", ".."].contains($0) }
    }

    package init(
        name: String, moment: Int64, endedAt: Int64, log: String, topics: [Topic],
        transactions: Int64, ledgerHash: String, files: [File]
    ) {
        self.name = name
        self.moment = moment
        self.endedAt = endedAt
        release = Release.version
        self.log = log
        self.topics = topics
        self.transactions = transactions
        self.ledgerHash = ledgerHash
        self.files = files
    }
}
