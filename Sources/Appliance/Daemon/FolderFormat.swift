import Appliance
import Console
import Foundation
import Logging

/// `format` in the data folder: the newest format that each part of it has been brought to, a line
/// a part, such as `ledger 8`.
///
/// A package of an older version reads it before it puts itself in place, without any program that
/// knows the parts: one that would not know what lies there is refused before it changes anything.
/// The parts say the same of themselves, so that a folder without this file is as good.
struct FolderFormat {
    let path: String

    /// What this program brings a folder to when it opens it.
    static let current = """
        ledger \(LedgerSchema.version)
        accounts \(AccountSchema.version)

        """

    /// Call it once the parts are open. A disk without room costs only the early refusal.
    func note(_ logger: Logger) {
        guard (try? String(contentsOfFile: path, encoding: .utf8)) != Self.current else { return }
        do {
            try Data(Self.current.utf8).write(to: URL(filePath: path), options: .atomic)
            // Whoever may install a package reads it, and nobody else.
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        } catch {
            logger.warning(
                "the data folder's format cannot be noted",
                metadata: ["path": "\(path)", "error": "\(error.localizedDescription)"])
        }
    }
}
