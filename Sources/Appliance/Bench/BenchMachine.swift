import Foundation
import NIOCore
import Vocabulary

/// Where a run was made: without it no absolute number means anything.
struct BenchMachine: Hashable, Sendable, Codable {
    var cpu: String
    var cores: Int
    var memoryBytes: UInt64
    var kernel: String
    /// Of the scratch folder.
    var fileSystem: String
    /// UTC, ISO 8601, when the run began.
    var date: String
    /// Processes that wanted a core in the minute before the run; above zero others were working.
    var loadBefore: Double
    var version: String

    /// - Parameter scratch: the folder whose file system is measured.
    init(scratch: String) {
        let process = ProcessInfo.processInfo
        cpu = Self.field("model name", of: "/proc/cpuinfo") ?? "unknown"
        cores = process.activeProcessorCount
        memoryBytes = process.physicalMemory
        kernel = Self.text("/proc/sys/kernel/osrelease") ?? process.operatingSystemVersionString
        fileSystem = Self.fileSystem(of: scratch)
        date = Date.now.formatted(.iso8601)
        let load = Self.text("/proc/loadavg")?.split(separator: " ").first
        loadBefore = load.flatMap { Double($0) } ?? 0
        version = Release.version
    }

    /// One line each, for the head of a table.
    var sentences: [String] {
        [
            "\(cpu), \(cores) cores, \(memoryBytes >> 30) GiB, Linux \(kernel), \(fileSystem)",
            "tillbox \(version), \(date), load before \(BenchRow.display(loadBefore))",
        ]
    }

    /// The type of the mount with the longest path above `folder`.
    private static func fileSystem(of folder: String) -> String {
        let real = URL(filePath: folder).resolvingSymlinksInPath().path
        let mounts = text("/proc/self/mounts")?.split(separator: "\n") ?? []
        let candidates = mounts.compactMap { line -> (path: Substring, type: Substring)? in
            let words = line.split(separator: " ")
            guard words.count > 2 else { return nil }
            let path = words[1]
            guard path == "/" || real == path || real.hasPrefix(path + "/") else { return nil }
            return (path, words[2])
        }
        // Of several mounts on one path the last one is seen.
        let found = candidates.reversed().max { $0.path.count < $1.path.count }
        return found.map { String($0.type) } ?? "unknown file system"
    }

    private static func field(_ name: String, of path: String) -> String? {
        text(path)?.split(separator: "\n").first { $0.hasPrefix(name) }?
            .split(separator: ":", maxSplits: 1).last
            .map { $0.trimmingCharacters(in: .whitespaces) }
    }

    /// A file of the kernel's, whose size it does not tell beforehand.
    static func text(_ path: String) -> String? {
        guard let handle = FileHandle(forReadingAtPath: path),
            let data = try? handle.readToEnd()
        else { return nil }
        return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }
}

/// What the kernel counts of this process.
enum BenchProcess {
    /// Bytes, by the name in `/proc/self/status`: `VmRSS` now, `VmHWM` at most so far.
    static func memoryBytes(_ name: String) -> Double {
        let line = BenchMachine.text("/proc/self/status")?.split(separator: "\n")
            .first { $0.hasPrefix(name + ":") }
        let kibibytes = line?.split(whereSeparator: \.isWhitespace).dropFirst().first
        return (kibibytes.flatMap { Double($0) } ?? 0) * 1024
    }

    /// Processor time of all threads so far, user and system, in microseconds.
    static func processorMicroseconds() -> Double {
        // POSIX fixes the unit at a millionth of a second.
        Double(clock())
    }

    /// Nanoseconds of the clock that all processes of the machine share and nobody sets.
    static func monotonicNanoseconds() -> Int64 { Int64(NIODeadline.now().uptimeNanoseconds) }
}
