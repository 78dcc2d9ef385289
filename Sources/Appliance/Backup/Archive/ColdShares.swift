import AppendLog
import Foundation
import Vocabulary

/// What of a log lies in which cold folder, and where the log's own folder begins.
package struct ColdShares: Sendable {
    package struct Folder: Hashable, Sendable {
        package var path: String
        package fileprivate(set) var count = 0
        package fileprivate(set) var byteCount: Int64 = 0
        /// Whether every file is there, with the size that it must have.
        package fileprivate(set) var isThere = true
    }

    /// Where the segments of a month lie.
    package enum Place: String, Sendable {
        case data = "data folder"
        case partly = "partly cold"
        case cold = "cold"
    }

    /// By their paths.
    package fileprivate(set) var folders: [Folder] = []
    /// The first offset in the data folder, by topic.
    fileprivate var starts: [String: Int64] = [:]

    /// That folders lack files, and what to do; nil where all are there.
    package var fault: (says: String, todo: String)? {
        let away = folders.filter { !$0.isThere }.map(\.path)
        guard !away.isEmpty else { return nil }
        return (
            "cold files are missing, or cut, in \(away.joined(separator: ", "))",
            "mount it, or put the files back from a copy; payments are taken meanwhile"
        )
    }

    /// - Parameter seal: of the month.
    package func place(of seal: MonthSeal) -> Place {
        let movable = Set(ArchiveMove.topics.map(\.rawValue))
        let reaches = seal.reaches.filter { movable.contains($0.topic) && $0.start < $0.end }
        if reaches.allSatisfy({ (starts[$0.topic] ?? 0) <= $0.start }) { return .data }
        return reaches.allSatisfy { $0.end <= starts[$0.topic] ?? 0 } ? .cold : .partly
    }
}

extension ArchivePlace {
    /// What was sealed and lies neither in the data folder nor where `log/cold` says: an index
    /// that was lost, or what `log.retention_days` has removed. nil where all is there.
    ///
    /// - Throws: `LogError`, `ArchiveError`
    package func lost() throws -> (topic: String, from: Int64, to: Int64)? {
        let reaches = try months().flatMap { try seal(of: $0).seal.reaches }
        guard !reaches.isEmpty else { return nil }
        let log = try Log.openReadOnly(at: log, disk: disk, withCold: true)
        for reach in reaches where reach.start < reach.end {
            guard let topic = log.topic(try TopicName(reach.topic)),
                topic.start.rawValue > reach.start
            else { continue }
            return (reach.topic, reach.start, topic.start.rawValue)
        }
        return nil
    }

    /// - Throws: `LogError`
    package func shares() throws -> ColdShares {
        let log = try Log.openReadOnly(at: log, disk: disk)
        var shares = ColdShares()
        for topic in log.topics { shares.starts[topic.name.rawValue] = topic.start.rawValue }
        let index = try ColdIndex.read(ofLog: self.log, identity: log.identity, on: disk)
        var folders: [String: ColdShares.Folder] = [:]
        for segment in index?.segments ?? [] {
            var folder = folders[segment.folder] ?? ColdShares.Folder(path: segment.folder)
            folder.count += 1
            folder.byteCount += segment.byteCount
            let size = try? disk.open(segment.file, .read).size()
            if size != segment.byteCount { folder.isThere = false }
            folders[segment.folder] = folder
        }
        shares.folders = folders.values.sorted { $0.path < $1.path }
        return shares
    }
}
