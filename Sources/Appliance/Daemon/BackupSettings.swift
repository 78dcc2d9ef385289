package import Backup

/// Where the data folder is backed up to, and when.
package struct BackupSettings: Sendable {
    /// nil where no backup is made by itself, and a command has to name the folder.
    package var folder: String?
    /// Minutes after midnight, UTC, at which one is due; nil for none.
    package var minute: Int?
    /// A private file with the key that encrypts them; nil for none.
    package var keyFile: String?
    /// How many backups stay.
    package var keptCount = 7

    /// The key in a private file.
    ///
    /// - Throws: `SettingsError` where the file cannot be read or is open to others,
    ///   `BackupError.badKey` where it holds something else.
    package static func key(inFile path: String) throws -> BackupKey {
        guard let key = BackupKey(try SettingsLoader.text(ofSecretFile: path)) else {
            throw BackupError.badKey(path: path)
        }
        return key
    }

    /// The last backup of a data folder that counts: into the folder that is configured where there
    /// is one, else wherever it went.
    package func note(in dataPath: String) -> BackupNote? {
        guard let folder else { return BackupNote(in: dataPath) }
        return BackupNote(in: dataPath, into: folder)
    }

    /// The key that the settings name; nil for none.
    ///
    /// - Throws: as ``key(inFile:)``.
    package func key() throws -> BackupKey? { try keyFile.map { try Self.key(inFile: $0) } }
}

extension SettingsLoader {
    /// When it is due where nothing else is said: behind the nightly reconciliation.
    private static let usualTime = "03:30"

    /// - Parameter readsKey: whether a key that cannot be read is an error already now.
    func backup(_ profile: Settings.Profile, readsKey: Bool) throws -> BackupSettings {
        var backup = BackupSettings()
        backup.folder = text(.backupFolder)
        backup.keyFile = text(.backupKeyFile)
        backup.keptCount = try integer(.backupKeep, 1...10_000) ?? backup.keptCount
        let minute = try minute(.backupAt, default: Self.usualTime)
        guard backup.folder != nil else {
            if text(.backupAt) != nil, minute != nil {
                throw SettingsError.missing(
                    key: SettingsKey.backupFolder.rawValue, needs: SettingsKey.backupAt.rawValue,
                    example: "/mnt/backup/tillbox")
            }
            return backup
        }
        guard profile != .cloud else {
            throw SettingsError.contradicts(
                key: SettingsKey.backupFolder.rawValue,
                reason: "the profile cloud has no data folder; back up its Postgres and Kafka by "
                    + "their own means, and remove it")
        }
        backup.minute = minute
        if readsKey { _ = try backup.key() }
        return backup
    }
}
