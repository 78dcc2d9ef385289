import AppendLog
import Foundation
package import Vocabulary

/// What the data folder knows of its last backup: `backup.json`, one JSON document. A backup into
/// any folder writes it, so that the daemon can say how old the last one is.
package struct BackupNote: Hashable, Sendable {
    /// The moment that the backup is of.
    package var moment: Instant
    /// The backup's name and where it is.
    package var name: String
    package var folder: String
    /// Of all its files.
    package var byteCount: Int64
    package var isEncrypted: Bool

    static func path(in folder: String) -> String { folder + "/backup.json" }

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
            folder: URL(filePath: report.folder).standardizedFileURL.path,
            byteCount: report.manifest.byteCount, isEncrypted: report.isEncrypted)
    }

    /// nil where there is none that can be read.
    package init?(in folder: String) {
        guard let bytes = BackupSource.bytes(at: Self.path(in: folder)) else { return nil }
        let document = JSONDocument()
        let note: BackupNote? = withExtendedLifetime(document) {
            guard let json = try? document.parse(bytes), let moment = json["moment"]?.int64,
                let instant = Instant(named: moment)
            else { return nil }
            return BackupNote(
                moment: instant, name: json["name"]?.string ?? "",
                folder: json["folder"]?.string ?? "", byteCount: json["bytes"]?.int64 ?? 0,
                isEncrypted: json["encrypted"]?.bool ?? false)
        }
        guard let note else { return nil }
        self = note
    }

    /// Best effort: a data folder that is only read keeps no note.
    func write(in folder: String) {
        var writer = JSONWriter()
        writer.beginObject()
        encode(into: &writer)
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
