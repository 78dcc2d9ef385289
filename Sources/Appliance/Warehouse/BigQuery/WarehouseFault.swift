/// Why a day's files are not loaded. Each names the file and says what to do.
package enum WarehouseFault: Error, Hashable, Sendable, CustomStringConvertible {
    case noFolder(path: String)
    case unreadable(path: String, reason: String)
    case manifest(path: String, reason: String)
    /// The manifest is of another version of the schema than this program.
    case schema(path: String, version: Int64, ours: Int64)
    /// The file is not the one that the manifest beside it describes.
    case otherFile(path: String, reason: String)
    case row(path: String, reason: String)

    package var description: String {
        switch self {
        case .noFolder(let path):
            "there is no warehouse at \(path); write it with `tillbox export`"
        case .unreadable(let path, let reason): "cannot read \(path): \(reason)"
        case .manifest(let path, let reason):
            "the manifest \(path) is of no use: \(reason); remove the day's folder and write it "
                + "again with `tillbox export`"
        case .schema(let path, let version, let ours):
            "\(path) is of version \(version) of the schema, and this program of version \(ours); "
                + "write it again with `tillbox export` of this version"
        case .otherFile(let path, let reason):
            "\(path) is not what its manifest says: \(reason); write the day again with `tillbox "
                + "export`"
        case .row(let path, let reason):
            "\(path), \(reason); nothing of that day is loaded"
        }
    }
}
