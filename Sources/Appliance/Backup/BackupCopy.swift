import AppendLog
import Foundation
import Vocabulary

/// Stores what a point is made of, but for sealed segments that an earlier backup has stored.
struct BackupCopy {
    private enum Content {
        case bytes([UInt8])
        /// The first bytes of an open file.
        case opened(any DiskFile, count: Int64)
        /// The first bytes of a file that is opened when its turn comes.
        case file(String, count: Int64)

        var byteCount: Int64 {
            switch self {
            case .bytes(let bytes): Int64(bytes.count)
            case .opened(_, let count), .file(_, let count): count
            }
        }
    }

    private let place: BackupPlace
    private let progress: (Int64, Int64, String) -> Void
    private let goesOn: () -> Bool
    private var work: [(name: String, content: Content, sealed: BackupManifest.Seal?)] = []
    /// In the order of the manifest.
    private(set) var files: [BackupManifest.File] = []
    private(set) var copiedByteCount: Int64 = 0
    private(set) var copiedFileCount = 0

    /// - Parameter former: the files of the newest backup, by their paths.
    /// - Throws: `LogError`, `DiskError`, `SourceMoved`
    init(
        of point: BackupPoint, _ source: BackupSource, _ staging: String, into place: BackupPlace,
        former: [String: BackupManifest.File], progress: @escaping (Int64, Int64, String) -> Void,
        goesOn: @escaping () -> Bool
    ) throws {
        self.place = place
        self.progress = progress
        self.goesOn = goesOn
        for topic in point.topics { try add(topic, source, former) }
        for (name, bytes) in point.small { work.append((name, .bytes(bytes), nil)) }
        for (name, file) in point.opened {
            work.append((name, .opened(file, count: try file.size()), nil))
        }
        for (name, path) in [
            (source.name(source.ledger), staging + "/" + BackupPoint.stagedLedger),
            (source.name(source.accounts), staging + "/" + BackupPoint.stagedAccounts),
        ] where FileManager.default.fileExists(atPath: path) {
            work.append((name, .file(path, count: BackupSource.byteCount(path)), nil))
        }
    }

    private mutating func add(
        _ topic: BackupPoint.Topic, _ source: BackupSource, _ former: [String: BackupManifest.File]
    ) throws {
        if let checkpoint = topic.checkpoint {
            work.append((topic.folder + "/checkpoint", .bytes(checkpoint), nil))
        }
        let segments = try topic.topic.segments(before: topic.end)
        for (index, segment) in segments.enumerated() {
            let name = source.name(segment.file)
            // All but the last are sealed: nobody writes to them any more.
            guard index + 1 < segments.count else {
                work.append((name, .file(segment.file, count: segment.byteCount), nil))
                continue
            }
            guard let checksum = try topic.topic.checksum(before: segment.end) else {
                throw SourceMoved()
            }
            let seal = BackupManifest.Seal(end: segment.end.rawValue, checksum: Int64(checksum))
            let isKnown = reuse(former[name], bytes: segment.byteCount, seal)
            if !isKnown {
                work.append((name, .file(segment.file, count: segment.byteCount), seal))
            }
            let stem = String(segment.file.dropLast(".log".count))
            for suffix in [".index", ".timeindex"] {
                addIndex(stem + suffix, source, isKnown ? former : [:])
            }
        }
    }

    /// - Returns: whether the stored file is that of the same segment, which then is not copied.
    private mutating func reuse(
        _ former: BackupManifest.File?, bytes: Int64, _ seal: BackupManifest.Seal
    ) -> Bool {
        guard let former, former.bytes == bytes, former.sealed == seal, place.isThere(former)
        else { return false }
        files.append(former)
        return true
    }

    /// An index can be made again, and need not be there.
    private mutating func addIndex(
        _ path: String, _ source: BackupSource, _ former: [String: BackupManifest.File]
    ) {
        let name = source.name(path)
        if let known = former[name], place.isThere(known) {
            files.append(known)
        } else if let bytes = BackupSource.bytes(at: path) {
            work.append((name, .bytes(bytes), nil))
        }
    }

    /// - Throws: `BackupError`, `SourceMoved`, `CancellationError`
    mutating func run() throws {
        let total = work.reduce(Int64(0)) { $0 + $1.content.byteCount }
        for (name, content, seal) in work {
            var file = try place.store(name) { [copiedByteCount, progress, goesOn] writer in
                try Self.copy(content, to: &writer, goesOn: goesOn) { done in
                    progress(copiedByteCount + done, total, name)
                }
            }
            file.sealed = seal
            files.append(file)
            copiedByteCount += file.bytes
            copiedFileCount += 1
        }
    }

    private static func copy(
        _ content: Content, to writer: inout StoredFileWriter, goesOn: () -> Bool,
        progress: (Int64) -> Void
    ) throws {
        let file: any DiskFile
        switch content {
        case .bytes(let bytes): return try writer.write(bytes)
        case .opened(let opened, _): file = opened
        case .file(let path, _):
            do throws(DiskError) {
                file = try PosixDisk().open(path, .read)
            } catch {
                guard error.code == ENOENT else { throw error }
                throw SourceMoved()
            }
        }
        let count = content.byteCount
        var position: Int64 = 0
        while position < count {
            guard goesOn() else { throw CancellationError() }
            let piece = try file.read(
                at: position, count: Int(min(count - position, Int64(StoredForm.pieceByteCount))))
            // It is shorter than it was: cut, or another one.
            guard !piece.isEmpty else { throw SourceMoved() }
            try writer.write(piece)
            position += Int64(piece.count)
            progress(position)
        }
    }
}
