public import AppendLog
internal import Foundation
internal import Synchronization

/// A disk in memory that can fail in every way a disk fails, as a function of a seed.
///
/// It keeps what is written apart from what is synced, for the bytes of files and for the names in
/// folders. `crash()` is a power cut: of what was not synced, any part may be left. Every operation
/// that changes something has a number, counted from 1, at which a fault can be set.
public final class SimulatedDisk: Disk {
    /// What goes wrong.
    public struct Faults: Hashable, Sendable {
        /// The power fails during this operation; everything after it fails too, until `crash()`.
        public var powerCutAt: Int?
        /// The error numbers with which operations fail.
        public var failures: [Int: Int32] = [:]
        /// Operations of a kind that fail, always.
        public var failing: [DiskError.Operation: Int32] = [:]
        /// Space for files; what exceeds it fails with ENOSPC, after what still fits.
        public var capacityBytes: Int?
        /// Writes end early, once in so many times.
        public var shortWriteOneIn: Int?
        /// Lies, to see whether a test would notice.
        public var syncDoesNothing = false
        public var directorySyncDoesNothing = false
        /// As with a file system that cannot tell whether a file has changed.
        public var tellsNoVersions = false

        public init() {}
    }

    private enum Change {
        case link(String, Int)
        case unlink(String)
        case rename(String, String, Int)
    }

    private struct World {
        var inodes: [Int: SimulatedInode] = [:]
        /// What programs see: paths of files and of folders.
        var files: [String: Int] = [:]
        var folders: Set<String> = []
        var durableFiles: [String: Int] = [:]
        var durableFolders: Set<String> = []
        /// Changes of names that no directory sync has covered, in their order.
        var changes: [(folder: String, change: Change)] = []
        /// Who has which, by number: the dead of an earlier life let go of nothing.
        var locks: [String: Int] = [:]
        var nextLock = 0
        var faults = Faults()
        var generator: SeededGenerator
        var operationCount = 0
        var operations: [DiskError.Operation] = []
        var nextInode = 1
        /// Raised by a crash: handles of a process that is gone do nothing any more.
        var generation = 0
        var isPowerOff = false
    }

    private let world: Mutex<World>

    public init(seed: UInt64) { world = Mutex(World(generator: SeededGenerator(seed: seed))) }

    // MARK: What a test does

    public var faults: Faults {
        get { world.withLock { $0.faults } }
        set { world.withLock { $0.faults = newValue } }
    }

    /// Operations that changed something, or tried to, so far.
    public var operationCount: Int { world.withLock { $0.operationCount } }
    /// Which they were; number n is at n − 1.
    public var operations: [DiskError.Operation] { world.withLock { $0.operations } }
    public var isPowerOff: Bool { world.withLock { $0.isPowerOff } }

    /// Cuts the power and turns it on again: of what was not synced, any part is left.
    public func crash() {
        world.withLock { world in
            Self.loseNames(&world)
            for id in world.inodes.keys.sorted() {
                world.inodes[id]?.crash(using: &world.generator)
            }
            Self.restart(&world)
        }
    }

    /// Ends the process that uses the disk; what it wrote is still in memory.
    public func kill() { world.withLock { Self.restart(&$0) } }

    private static func restart(_ world: inout World) {
        world.locks = [:]
        world.generation += 1
        world.isPowerOff = false
        world.faults.powerCutAt = nil
    }

    private static func loseNames(_ world: inout World) {
        let luck = Int.random(in: 0..<4, using: &world.generator)
        var files = world.durableFiles
        for (_, change) in world.changes {
            guard luck == 1 || (luck > 1 && Bool.random(using: &world.generator)) else { continue }
            switch change {
            case .link(let path, let inode): files[path] = inode
            case .unlink(let path): files[path] = nil
            case .rename(let path, let destination, let inode):
                if files[path] == inode { files[path] = nil }
                files[destination] = inode
            }
        }
        world.folders = world.durableFolders
        world.files = files.filter { world.durableFolders.contains(folder(of: $0.key)) }
        world.durableFiles = world.files
        world.changes = []
        let used = Set(world.files.values)
        world.inodes = world.inodes.filter { used.contains($0.key) }
    }

    /// The files there are, with what programs see in them.
    public var contents: [String: [UInt8]] {
        world.withLock { world in
            world.files.mapValues { world.inodes[$0]?.bytes ?? [] }
        }
    }

    /// Writes into a file behind everybody's back, durably.
    public func overwrite(_ path: String, at position: Int, with bytes: [UInt8]) {
        world.withLock { world in
            guard let inode = world.files[path] else { return }
            world.inodes[inode]?.write(bytes[...], at: position)
            world.inodes[inode]?.sync()
        }
    }

    /// Turns one bit over.
    public func flip(_ path: String, at position: Int, bit: Int) {
        world.withLock { world in
            guard let inode = world.files[path] else { return }
            world.inodes[inode]?.flip(bit: bit, at: position)
        }
    }

    // MARK: Disk

    private static func folder(of path: String) -> String {
        String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
    }

    /// Counts an operation that changes something, and fails it if it is to fail.
    private static func begin(
        _ operation: DiskError.Operation, _ path: String, _ world: inout World
    ) throws(DiskError) {
        world.operationCount += 1
        world.operations.append(operation)
        if world.isPowerOff {
            throw DiskError(operation: operation, path: path, code: ENODEV)
        }
        let code = world.faults.failures[world.operationCount] ?? world.faults.failing[operation]
        if let code {
            if operation == .sync, let inode = world.files[path] {
                world.inodes[inode]?.failSync(using: &world.generator)
            }
            throw DiskError(operation: operation, path: path, code: code)
        }
    }

    /// Whether the power fails in the middle of the operation that has just begun.
    private static func cutsPower(_ world: inout World) -> Bool {
        guard world.faults.powerCutAt == world.operationCount else { return false }
        world.isPowerOff = true
        return true
    }

    private static func check(
        _ operation: DiskError.Operation, _ path: String, _ world: inout World
    ) throws(DiskError) {
        if cutsPower(&world) {
            throw DiskError(operation: operation, path: path, code: ENODEV)
        }
    }

    private func change<Value: Sendable>(
        _ body: (inout World) throws(DiskError) -> sending Value
    ) throws(DiskError) -> Value {
        let result = world.withLock { world -> Result<Value, DiskError> in
            do throws(DiskError) {
                return .success(try body(&world))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    public func open(_ path: String, _ mode: OpenMode) throws(DiskError) -> any DiskFile {
        let (inode, generation) = try change { world throws(DiskError) in
            if mode == .create { try Self.begin(.open, path, &world) }
            if world.isPowerOff { throw DiskError(operation: .open, path: path, code: ENODEV) }
            if let inode = world.files[path] {
                if mode == .create { world.inodes[inode]?.resize(0) }
                try Self.check(.open, path, &world)
                return (inode, world.generation)
            }
            guard mode == .create, world.folders.contains(Self.folder(of: path)) else {
                throw DiskError(operation: .open, path: path, code: ENOENT)
            }
            let inode = world.nextInode
            world.nextInode += 1
            world.inodes[inode] = SimulatedInode()
            world.files[path] = inode
            world.changes.append((Self.folder(of: path), .link(path, inode)))
            try Self.check(.open, path, &world)
            return (inode, world.generation)
        }
        return File(disk: self, path: path, inode: inode, generation: generation)
    }

    /// Folders are durable at once: the log makes one a topic, and syncs its parent right after.
    public func createDirectory(_ path: String) throws(DiskError) {
        try change { world throws(DiskError) in
            try Self.begin(.createDirectory, path, &world)
            world.folders.insert(path)
            world.durableFolders.insert(path)
            try Self.check(.createDirectory, path, &world)
        }
    }

    public func list(_ path: String) throws(DiskError) -> [String] {
        try change { world throws(DiskError) in
            if world.isPowerOff { throw DiskError(operation: .list, path: path, code: ENODEV) }
            let all = Array(world.files.keys) + Array(world.folders)
            return all.filter { Self.folder(of: $0) == path }
                .map { String($0.dropFirst(path.count + 1)) }.sorted()
        }
    }

    public func exists(_ path: String) throws(DiskError) -> Bool {
        world.withLock { $0.files[path] != nil || $0.folders.contains(path) }
    }

    public func rename(_ path: String, to destination: String) throws(DiskError) {
        try change { world throws(DiskError) in
            try Self.begin(.rename, path, &world)
            guard let inode = world.files.removeValue(forKey: path) else {
                throw DiskError(operation: .rename, path: path, code: ENOENT)
            }
            world.files[destination] = inode
            world.inodes[inode]?.touch()
            world.changes.append((Self.folder(of: path), .rename(path, destination, inode)))
            try Self.check(.rename, path, &world)
        }
    }

    public func remove(_ path: String) throws(DiskError) {
        try change { world throws(DiskError) in
            try Self.begin(.remove, path, &world)
            guard world.files.removeValue(forKey: path) != nil else {
                throw DiskError(operation: .remove, path: path, code: ENOENT)
            }
            world.changes.append((Self.folder(of: path), .unlink(path)))
            try Self.check(.remove, path, &world)
        }
    }

    public func syncDirectory(_ path: String) throws(DiskError) {
        try change { world throws(DiskError) in
            try Self.begin(.syncDirectory, path, &world)
            try Self.check(.syncDirectory, path, &world)
            if world.faults.directorySyncDoesNothing { return }
            for case (path, let change) in world.changes {
                switch change {
                case .link(let name, let inode): world.durableFiles[name] = inode
                case .unlink(let name): world.durableFiles[name] = nil
                case .rename(let name, let destination, let inode):
                    if world.durableFiles[name] == inode { world.durableFiles[name] = nil }
                    world.durableFiles[destination] = inode
                }
            }
            world.changes.removeAll { $0.folder == path }
        }
    }

    public func freeBytes(_ path: String) throws(DiskError) -> Int64 {
        world.withLock { world in
            guard let capacity = world.faults.capacityBytes else { return Int64.max }
            return Int64(max(0, capacity - Self.usedBytes(world)))
        }
    }

    public func version(of path: String) throws(DiskError) -> FileVersion? {
        world.withLock { world in
            guard !world.faults.tellsNoVersions, let number = world.files[path],
                let inode = world.inodes[number]
            else { return nil }
            return FileVersion(
                inode: UInt64(number), byteCount: Int64(inode.bytes.count),
                changed: inode.changeCount)
        }
    }

    private static func usedBytes(_ world: World) -> Int {
        world.files.values.reduce(0) { $0 + (world.inodes[$1]?.bytes.count ?? 0) }
    }

    public func lock(_ folder: String, file: String) throws(LockError) -> any DiskLock {
        let path = folder + "/" + file
        let number = world.withLock { world -> Int? in
            guard world.locks[path] == nil else { return nil }
            world.nextLock += 1
            world.locks[path] = world.nextLock
            return world.nextLock
        }
        guard let number else { throw .heldBy(1) }
        return Lock(disk: self, path: path, number: number)
    }

    private final class Lock: DiskLock {
        let disk: SimulatedDisk
        let path: String
        let number: Int

        init(disk: SimulatedDisk, path: String, number: Int) {
            self.disk = disk
            self.path = path
            self.number = number
        }

        deinit { release() }

        func release() {
            disk.world.withLock { if $0.locks[path] == number { $0.locks[path] = nil } }
        }
    }

    // MARK: Files

    private final class File: DiskFile {
        let disk: SimulatedDisk
        let path: String
        let inode: Int
        let generation: Int

        init(disk: SimulatedDisk, path: String, inode: Int, generation: Int) {
            self.disk = disk
            self.path = path
            self.inode = inode
            self.generation = generation
        }

        private func change<Value: Sendable>(
            _ operation: DiskError.Operation,
            _ body: (inout World, inout SimulatedInode) throws(DiskError) -> sending Value
        ) throws(DiskError) -> Value {
            try disk.change { world throws(DiskError) in
                guard world.generation == generation, !world.isPowerOff,
                    var node = world.inodes[inode]
                else { throw DiskError(operation: operation, path: path, code: ENODEV) }
                // Taken out, so that changing it copies nothing.
                world.inodes[inode] = SimulatedInode()
                defer { world.inodes[inode] = node }
                return try body(&world, &node)
            }
        }

        /// Counts the operation, in a world in which the file is where it belongs.
        private func begin(_ operation: DiskError.Operation) throws(DiskError) {
            try disk.change { world throws(DiskError) in
                try SimulatedDisk.begin(operation, path, &world)
            }
        }

        private func fits(_ byteCount: Int, _ node: SimulatedInode, _ world: World) -> Int {
            guard let capacity = world.faults.capacityBytes else { return byteCount }
            let others = SimulatedDisk.usedBytes(world)
            return min(byteCount, max(node.bytes.count, capacity - others))
        }

        func size() throws(DiskError) -> Int64 {
            try change(.size) { _, node in Int64(node.bytes.count) }
        }

        func read(at position: Int64, count: Int) throws(DiskError) -> [UInt8] {
            try change(.read) { _, node in
                let start = min(Int(position), node.bytes.count)
                return Array(node.bytes[start..<min(start + count, node.bytes.count)])
            }
        }

        func write(
            _ bytes: [UInt8], _ range: Range<Int>, at position: Int64
        ) throws(DiskError) -> Int {
            try begin(.write)
            return try change(.write) { world, node throws(DiskError) in
                var count = range.count
                if let oneIn = world.faults.shortWriteOneIn, count > 1,
                    world.generator.isOne(in: oneIn)
                {
                    count = Int.random(in: 1..<count, using: &world.generator)
                }
                let start = Int(position)
                count = min(count, fits(start + count, node, world) - start)
                guard count > 0 else {
                    throw DiskError(operation: .write, path: path, code: ENOSPC)
                }
                node.write(bytes[range.lowerBound..<range.lowerBound + count], at: start)
                try SimulatedDisk.check(.write, path, &world)
                return count
            }
        }

        func preallocate(_ byteCount: Int64) throws(DiskError) {
            try begin(.preallocate)
            try change(.preallocate) { world, node throws(DiskError) in
                guard Int(byteCount) > node.bytes.count else { return }
                guard fits(Int(byteCount), node, world) == Int(byteCount) else {
                    throw DiskError(operation: .preallocate, path: path, code: ENOSPC)
                }
                node.resize(Int(byteCount))
                try SimulatedDisk.check(.preallocate, path, &world)
            }
        }

        func truncate(_ byteCount: Int64) throws(DiskError) {
            try begin(.truncate)
            try change(.truncate) { world, node throws(DiskError) in
                node.resize(Int(byteCount))
                try SimulatedDisk.check(.truncate, path, &world)
            }
        }

        func sync() throws(DiskError) {
            try begin(.sync)
            try change(.sync) { world, node throws(DiskError) in
                try SimulatedDisk.check(.sync, path, &world)
                if !world.faults.syncDoesNothing { node.sync() }
            }
        }

        func dropCache() throws(DiskError) {
            try change(.dropCache) { _, node in node.dropCache() }
        }
    }
}
