import Appliance
package import Backup

extension DataFolder {
    /// What a backup copies of this folder. What is made again from that (the index of payments,
    /// the warehouse's files) is not among it, and neither is what is this machine's own: locks,
    /// the reserve, the commands' token, which alerts were told, what was kept before a newer
    /// schema.
    package var backupSource: BackupSource {
        let folder = DataFolder(existingAt: Self.canonical(path))
        return BackupSource(
            folder: folder.path, log: folder.log, ledger: folder.ledger,
            accounts: folder.accounts, format: folder.format.path,
            snapshots: [folder.gateSnapshot, folder.featureSnapshot],
            folders: [folder.bridges, folder.archive])
    }

    /// Restores a backup into this folder, which it holds meanwhile, then compares its parts as a
    /// start does.
    ///
    /// - Returns: what the first start will make up for, each a sentence.
    /// - Throws: `BackupError`, `LogError.locked`, with nothing restored; `StartRefusal` where the
    ///   parts of what was backed up do not fit: they are restored then.
    package func restore(_ restore: BackupRestore) throws -> [String] {
        var lock: FolderLock?
        defer { lock?.release() }
        try restore.run { lock = try FolderLock(path) }
        let verdict = StartComparison.verdict(of: try survey.state(isHeld: true))
        try restore.finish()
        switch verdict {
        case .refuse(let refusal): throw refusal
        case .proceed(let plan): return plan.notes
        }
    }
}
