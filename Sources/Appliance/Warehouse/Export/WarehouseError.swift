/// Why an export cannot be made. Each case's description says what to do.
package enum WarehouseError: Error, Hashable, Sendable, CustomStringConvertible {
    /// - Parameter code: of the system.
    case disk(path: String, code: Int32)
    /// A draft that somebody has changed while it was written.
    case draft(path: String)
    /// Another process exports into this folder.
    case busy(path: String)
    /// The folder has files of the other compression.
    case otherCompression(path: String, found: String)
    /// A manifest that this version does not know.
    case manifest(path: String)
    /// A manifest in the folder of another table or day.
    case otherDay(path: String, found: String)
    /// The folder has the export of another log, or of the other mode.
    case otherSource(path: String)
    /// What is kept beside the files cannot be read or written.
    case state(path: String, reason: String)
    /// zlib's answer.
    case deflate(code: Int32)

    package var description: String {
        switch self {
        case .disk(let path, let code):
            "\(path) could not be read or written (system code \(code)); look at the disk and who "
                + "owns the folder, then run the export again: it goes on where it was"
        case .draft(let path):
            "\(path) was changed by somebody else while it was being written; leave what begins "
                + "with a dot alone, and run the export again: it writes that file anew"
        case .busy(let path):
            "another export writes into \(path); wait for its end, or choose another --out"
        case .otherCompression(let path, let found):
            found == "none"
                ? "\(path) has files that are not compressed; export without --gzip (export.gzip), "
                    + "or choose another --out"
                : "\(path) has files compressed by \(found); export with --\(found) (export.gzip), "
                    + "or choose another --out"
        case .manifest(let path):
            "\(path) is no manifest that this version of tillbox knows; move its folder away, and "
                + "the export writes the day anew"
        case .otherDay(let path, let found):
            "\(path) is of \(found), and its folder is not; move its folder away (or the link that "
                + "stands there), and the export writes the day anew"
        case .otherSource(let path):
            "\(path) has the export of another data folder, or of the other mode; choose another "
                + "--out, or remove \(path)/.state where this one is to take its place: whatever "
                + "is not of this one then goes"
        case .state(let path, let reason):
            "\(path) cannot be used (\(reason)); remove its folder, and the export reads "
                + "everything anew"
        case .deflate(let code): "zlib refused to compress (code \(code)); export without --gzip"
        }
    }
}
