/// The cold segments before those that a topic's own folder has.
struct ColdRun: Sendable {
    private(set) var segments: [Segment]
    /// The cold folder by the file that lies in it.
    private var folders: [String: String]

    /// Opens nothing: a file is opened when it is read first.
    init(_ found: [ColdSegment], disk: any Disk, indexIntervalBytes: Int) {
        segments = found.map {
            Segment(
                folder: $0.topicFolder, baseOffset: $0.baseOffset, disk: disk,
                indexIntervalBytes: indexIntervalBytes, coldByteCount: $0.byteCount)
        }
        folders = Dictionary(
            found.map { ($0.file, $0.folder) }, uniquingKeysWith: { first, _ in first })
    }

    /// Adds those that follow.
    mutating func append(_ next: ColdRun) {
        segments += next.segments
        folders.merge(next.folders) { known, _ in known }
    }

    /// Whether a file lies in a cold folder.
    func holds(_ file: String) -> Bool { folders[file] != nil }

    /// Runs `body`, and where it fails over a file in a cold folder, has the error say so.
    func reading<Value>(_ body: () throws(LogError) -> Value) throws(LogError) -> Value {
        do throws(LogError) {
            return try body()
        } catch {
            switch error {
            case .disk(let failure):
                guard let folder = folders[failure.path] else { throw error }
                throw .coldUnreadable(failure, folder: folder)
            case .corrupt(let corruption):
                guard let folder = folders[corruption.file] else { throw error }
                throw .coldDamaged(corruption, folder: folder)
            default: throw error
            }
        }
    }
}
