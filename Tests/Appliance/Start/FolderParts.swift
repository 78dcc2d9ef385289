import Foundation

@testable import Appliance
@testable import Vocabulary

/// A part of a data folder that may be lost, stale, damaged or another's.
enum Part: Hashable, CustomStringConvertible {
    case topic(TopicID), middleSegment(TopicID), lastSegment(TopicID), checkpoint(TopicID)
    case cursors, ledger, ledgerAndWAL, wal, gate, features, identity, lock

    static let all: [Part] =
        TopicID.allCases.flatMap {
            [.topic($0), .middleSegment($0), .lastSegment($0), .checkpoint($0)]
        } + [.cursors, .ledger, .ledgerAndWAL, .wal, .gate, .features, .identity, .lock]

    var description: String {
        switch self {
        case .topic(let id): id.rawValue
        case .middleSegment(let id): "middle segment of \(id.rawValue)"
        case .lastSegment(let id): "last segment of \(id.rawValue)"
        case .checkpoint(let id): "checkpoint of \(id.rawValue)"
        case .cursors: "cursors"
        case .ledger: "ledger without its WAL"
        case .ledgerAndWAL: "ledger with its WAL"
        case .wal: "WAL"
        case .gate: "gate snapshot"
        case .features: "feature snapshot"
        case .identity: "identity"
        case .lock: "lock"
        }
    }

    /// Its files and folders below `folder`; those of a segment begin with its log.
    func paths(in folder: String) -> [String] {
        switch self {
        case .topic(let id): return ["log/\(id.rawValue)-0"]
        case .middleSegment(let id):
            let stems = Self.stems("log/\(id.rawValue)-0", in: folder)
            return stems.isEmpty ? [] : Self.files(stems[stems.count / 2], in: folder)
        case .lastSegment(let id):
            return Self.stems("log/\(id.rawValue)-0", in: folder).last.map {
                Self.files($0, in: folder)
            } ?? []
        case .checkpoint(let id): return ["log/\(id.rawValue)-0/checkpoint"]
        case .cursors: return ["log/__cursors-0"]
        case .ledger: return ["ledger.sqlite"]
        case .ledgerAndWAL: return ["ledger.sqlite", "ledger.sqlite-wal"]
        case .wal: return ["ledger.sqlite-wal"]
        case .gate: return ["gate/index.snapshot"]
        case .features: return ["features/state.snapshot"]
        case .identity: return ["log/identity"]
        case .lock: return ["log/lock"]
        }
    }

    /// What it is exchanged with.
    var partner: Part {
        let topics = TopicID.allCases
        func next(_ id: TopicID) -> TopicID {
            topics[((topics.firstIndex(of: id) ?? 0) + 1) % topics.count]
        }
        switch self {
        case .topic(let id): return .topic(next(id))
        case .middleSegment(let id): return .lastSegment(id)
        case .lastSegment(let id): return .lastSegment(next(id))
        case .checkpoint(let id): return .checkpoint(next(id))
        case .cursors: return .topic(.deadLetter)
        case .ledger, .ledgerAndWAL, .wal: return .gate
        case .gate: return .features
        case .features: return .identity
        case .identity: return .checkpoint(.webhookReceived)
        case .lock: return .identity
        }
    }

    /// The segments that hold batches, without their suffix.
    private static func stems(_ topic: String, in folder: String) -> [String] {
        let names =
            (try? FileManager.default.contentsOfDirectory(atPath: "\(folder)/\(topic)")) ?? []
        return names.filter { $0.hasSuffix(".log") }.sorted().map { "\(topic)/\($0.dropLast(4))" }
            .filter { stem in
                let bytes = FileManager.default.contents(atPath: "\(folder)/\(stem).log") ?? Data()
                return bytes.contains { $0 != 0 }
            }
    }

    private static func files(_ stem: String, in folder: String) -> [String] {
        [".log", ".index", ".timeindex"].map { stem + $0 }
            .filter { FileManager.default.fileExists(atPath: "\(folder)/\($0)") }
    }
}

/// What has become of it.
enum PartState: String, CaseIterable {
    case missing, empty, older, newer, cut, flipped, foreign, swapped

    /// Does it to `part` of `folder`; the others are where another state is taken from.
    func apply(
        to part: Part, of folder: String, older: String, newer: String, foreign: String
    ) throws {
        let files = FileManager.default
        let paths = part.paths(in: folder)
        switch self {
        case .missing:
            for path in paths { try? files.removeItem(atPath: "\(folder)/\(path)") }
        case .empty:
            for path in paths { try Self.empty("\(folder)/\(path)") }
        case .older: try Self.take(part, from: older, to: folder)
        case .newer: try Self.take(part, from: newer, to: folder)
        case .foreign: try Self.take(part, from: foreign, to: folder)
        case .cut: try Self.change(part, paths, folder) { $0.removeLast(min($0.count, 40)) }
        case .flipped:
            try Self.change(part, paths, folder) { $0[$0.count - min($0.count, 12)] ^= 4 }
        case .swapped:
            guard let mine = paths.first, let other = part.partner.paths(in: folder).first,
                mine != other,
                files.fileExists(atPath: "\(folder)/\(mine)"),
                files.fileExists(atPath: "\(folder)/\(other)")
            else { return }
            try files.moveItem(atPath: "\(folder)/\(mine)", toPath: "\(folder)/swap")
            try files.moveItem(atPath: "\(folder)/\(other)", toPath: "\(folder)/\(mine)")
            try files.moveItem(atPath: "\(folder)/swap", toPath: "\(folder)/\(other)")
        }
    }

    private static func empty(_ path: String) throws {
        let files = FileManager.default
        var isFolder: ObjCBool = false
        guard files.fileExists(atPath: path, isDirectory: &isFolder) else { return }
        if isFolder.boolValue {
            for name in try files.contentsOfDirectory(atPath: path) {
                try files.removeItem(atPath: "\(path)/\(name)")
            }
        } else {
            try Data().write(to: URL(filePath: path))
        }
    }

    private static func take(_ part: Part, from source: String, to folder: String) throws {
        let files = FileManager.default
        let own = part.paths(in: folder)
        for path in own { try? files.removeItem(atPath: "\(folder)/\(path)") }
        let others = part.paths(in: source)
        for (place, path) in others.enumerated()
        where files.fileExists(atPath: "\(source)/\(path)") {
            // Another folder's segment comes in under the name that is due here.
            let target = own.count == others.count ? own[place] : path
            try files.copyItem(atPath: "\(source)/\(path)", toPath: "\(folder)/\(target)")
        }
    }

    /// Changes what a file holds, without the zeros behind it; of a topic, its last segment's.
    private static func change(
        _ part: Part, _ paths: [String], _ folder: String, _ body: (inout Data) -> Void
    ) throws {
        var path = paths.first
        switch part {
        case .topic(let id): path = Part.lastSegment(id).paths(in: folder).first
        case .cursors:
            path = "log/__cursors-0/00000000000000000000.log"
        default: break
        }
        guard let path, let stored = FileManager.default.contents(atPath: "\(folder)/\(path)"),
            let last = stored.lastIndex(where: { $0 != 0 })
        else { return }
        var used = stored.prefix(through: last)
        let count = used.count
        body(&used)
        let zeros = used.count == count ? stored.count - count : 0
        try (used + Data(count: zeros)).write(to: URL(filePath: "\(folder)/\(path)"))
    }
}
