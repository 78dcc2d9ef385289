import AppendLog

/// A file of the simulated disk: what programs see, and what would be left after a power cut.
///
/// Pages are 4 KiB, the unit that the page cache writes back; a page that is being written when the
/// power fails may hold old and new sectors of 512 bytes.
struct SimulatedInode: Sendable {
    static let pageByteCount = 4096
    static let sectorByteCount = 512

    /// What programs see.
    private(set) var bytes: [UInt8] = []
    /// What is on the platter, with the size it has there.
    private(set) var durable: [UInt8] = []
    /// What a file system's time of change tells: another number after each change.
    private(set) var changeCount: Int64 = 0
    /// Pages that a sync would write.
    private var dirtyPages: Set<Int> = []

    // MARK: What programs do

    mutating func write(_ new: ArraySlice<UInt8>, at position: Int) {
        guard !new.isEmpty else { return }
        touch()
        resize(max(bytes.count, position + new.count))
        bytes.replaceSubrange(position..<position + new.count, with: new)
        markDirty(position..<position + new.count)
    }

    /// Longer files get zeros; what a shorter one loses is dirty, because it may come back.
    mutating func resize(_ byteCount: Int) {
        touch()
        let old = bytes.count
        if byteCount > old {
            bytes.append(contentsOf: repeatElement(0, count: byteCount - old))
        } else {
            bytes.removeLast(old - byteCount)
        }
        markDirty(min(old, byteCount)..<max(old, byteCount))
    }

    /// A change of its name, or of who may read it.
    mutating func touch() { changeCount += 1 }

    private mutating func markDirty(_ range: Range<Int>) {
        guard !range.isEmpty else { return }
        for page in range.lowerBound / Self.pageByteCount...(range.upperBound - 1)
            / Self.pageByteCount
        {
            dirtyPages.insert(page)
        }
    }

    /// Writes what is dirty, and only that: what an earlier failed sync has lost stays lost.
    mutating func sync() {
        if durable.count > bytes.count {
            durable.removeLast(durable.count - bytes.count)
        } else {
            durable.append(contentsOf: repeatElement(0, count: bytes.count - durable.count))
        }
        for page in dirtyPages {
            let range = Self.range(ofPage: page, within: bytes.count)
            durable.replaceSubrange(range, with: bytes[range])
        }
        dirtyPages = []
    }

    /// What a failed sync leaves: some pages written, and all of them clean, as Linux has it.
    /// Programs go on seeing what they wrote until the cache is dropped.
    mutating func failSync(using generator: inout SeededGenerator) {
        let torn = self.torn(using: &generator)
        durable = torn
        dirtyPages = []
    }

    /// Clean pages are read from the platter again.
    mutating func dropCache() {
        var fresh = durable
        let size = bytes.count
        if fresh.count < size {
            fresh.append(contentsOf: repeatElement(0, count: size - fresh.count))
        }
        fresh.removeLast(fresh.count - size)
        for page in dirtyPages {
            let range = Self.range(ofPage: page, within: size)
            fresh.replaceSubrange(range, with: bytes[range])
        }
        bytes = fresh
    }

    /// Turns one bit over, in memory and on the platter alike. No file system notices that.
    mutating func flip(bit: Int, at position: Int) {
        bytes[position] ^= 1 << UInt8(bit)
        if position < durable.count { durable[position] ^= 1 << UInt8(bit) }
    }

    // MARK: What a power cut does

    mutating func crash(using generator: inout SeededGenerator) {
        let left = torn(using: &generator)
        if left != bytes { touch() }
        bytes = left
        durable = bytes
        dirtyPages = []
    }

    /// The platter with any subset of what was not synced.
    private func torn(using generator: inout SeededGenerator) -> [UInt8] {
        // One cut in four keeps nothing, one in four everything.
        let luck = Int.random(in: 0..<4, using: &generator)
        let keepsSize = luck == 0 ? false : luck == 1 ? true : Bool.random(using: &generator)
        var size = keepsSize ? bytes.count : durable.count
        if luck > 1, bytes.count > durable.count, generator.isOne(in: 4) {
            size = Int.random(in: durable.count...bytes.count, using: &generator)
        }
        let longest = max(size, bytes.count, durable.count)
        var result = durable + [UInt8](repeating: 0, count: longest - durable.count)
        let live = bytes + [UInt8](repeating: 0, count: longest - bytes.count)
        for page in dirtyPages.sorted() {
            let range = Self.range(ofPage: page, within: longest)
            let fate = luck < 2 ? luck : Int.random(in: 0..<3, using: &generator)
            if fate == 1 { result.replaceSubrange(range, with: live[range]) }
            guard fate == 2 else { continue }
            for start in stride(
                from: range.lowerBound, to: range.upperBound, by: Self.sectorByteCount)
            where Bool.random(using: &generator) {
                let sector = start..<min(start + Self.sectorByteCount, range.upperBound)
                result.replaceSubrange(sector, with: live[sector])
            }
        }
        return Array(result.prefix(size))
    }

    private static func range(ofPage page: Int, within byteCount: Int) -> Range<Int> {
        let start = min(page * pageByteCount, byteCount)
        return start..<min(start + pageByteCount, byteCount)
    }
}
