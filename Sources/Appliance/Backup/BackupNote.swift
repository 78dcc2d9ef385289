import AppendLog
import Foundation
package import Vocabulary

/// What the data folder knows of a backup of itself, in `backup.json`: one JSON document, of the
/// last backup that was made, whose member `others` has the last one of each other folder. A backup
/// into any folder is noted, and hides none that was made into another one.
package struct BackupNote: Hashable, Sendable {
    /// How many folders are known.
    private static let folderCountMax = 8
    /// By how many seconds a clock may be set back without making a backup one of the future.
    private static let clockPatienceSeconds: Int64 = 300

    /// The moment that the backup is of.
    package var moment: Instant
    /// The backup's name and where it is.
    package var name: String
    package var folder: String
    /// Of all its files.
    package var byteCount: Int64
    package var isEncrypted: Bool

    static func path(in folder: String) -> String { folder + "/backup.json" }

    /// Seconds since the backup's moment; nil where that is still to come: a clock that was ahead
    /// has stamped it, and it says nothing of an age.
    package func age(at now: Instant) -> Int64? { Self.age(of: moment, at: now) }

    /// The same, of who knows the moment alone.
    package static func age(of moment: Instant, at now: Instant) -> Int64? {
        let age = now.seconds - moment.seconds
        return age >= -clockPatienceSeconds ? max(0, age) : nil
    }

    package init(
        moment: Instant, name: String, folder: String, byteCount: Int64, isEncrypted: Bool
    ) {
        self.moment = moment
        self.name = name
        self.folder = folder
        self.byteCount = byteCount
        self.isEncrypted = isEncrypted
    }

    init(of report: BackupReport) {
        self.init(
            moment: Instant(seconds: report.manifest.moment / 1_000), name: report.manifest.name,
            folder: Self.place(report.folder),
            byteCount: report.manifest.byteCount, isEncrypted: report.isEncrypted)
    }

    /// The folder of backups at a path, as it is noted.
    static func place(_ path: String) -> String {
        URL(filePath: path).standardizedFileURL.path
    }

    /// The last backup that was made of a data folder, wherever to; nil where there is none that
    /// can be read.
    package init?(in folder: String) {
        guard let note = Self.all(in: folder).first else { return nil }
        self = note
    }

    /// The last one that went into a folder of backups.
    package init?(in folder: String, into place: String) {
        let place = Self.place(place)
        guard let note = Self.all(in: folder).first(where: { $0.folder == place }) else {
            return nil
        }
        self = note
    }

    /// The last one of each folder of backups, that which was made last as the first.
    private static func all(in folder: String) -> [BackupNote] {
        guard let bytes = BackupSource.bytes(at: path(in: folder)) else { return [] }
        let document = JSONDocument()
        return withExtendedLifetime(document) {
            guard let json = try? document.parse(bytes) else { return [] }
            return ([json] + (json["others"]?.array.map { Array($0) } ?? [])).compactMap(Self.init)
        }
    }

    private init?(_ json: JSONValue) {
        guard let seconds = json["moment"]?.int64, let moment = Instant(named: seconds) else {
            return nil
        }
        self.init(
            moment: moment, name: json["name"]?.string ?? "",
            folder: json["folder"]?.string ?? "", byteCount: json["bytes"]?.int64 ?? 0,
            isEncrypted: json["encrypted"]?.bool ?? false)
    }

    /// Best effort: a data folder that is only read keeps no note.
    func write(in folder: String) {
        let others = Self.all(in: folder).filter { $0.folder != self.folder }
        var writer = JSONWriter()
        writer.beginObject()
        encode(into: &writer)
        writer.key("others")
        writer.beginArray()
        for other in others.prefix(Self.folderCountMax - 1) {
            writer.beginObject()
            other.encode(into: &writer)
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
        writer.plain("\n")
        try? PosixDisk().put(writer.bytes, at: Self.path(in: folder), in: folder)
    }

    /// As members of an object.
    package func encode(into writer: inout JSONWriter) {
        writer.member("moment", moment.seconds)
        writer.member("name", name)
        writer.member("folder", folder)
        writer.member("bytes", byteCount)
        writer.member("encrypted", isEncrypted)
    }
}
