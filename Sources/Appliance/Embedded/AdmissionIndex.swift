package import AppendLog

/// Which event ids the log holds, and where: a hash table from 36 bits of the id's digest to the
/// offset of its `webhook.received` record, 8 bytes a slot.
///
/// ```
///   digest   64 bits = shard 12 │ tag 24 │ not kept
///   slot     64 bits = tag 24   │ offset + 1, counted from the shard's base, 40; 0 is empty
/// ```
///
/// A digest alone never decides, and still less 36 bits of it: a hit names the offsets to compare
/// with the records themselves. With ten million events one new id in seven thousand costs such a
/// look at the disk. The table is split into shards so that growing one stalls the gate for
/// microseconds, and so that the room to grow into is never more than a few kilobytes.
package struct AdmissionIndex: Sendable {
    /// Number of shards: one for each value of the digest's first bits.
    package static let shardCount = 1 << shardBits
    private static let shardBits = 12
    /// What a slot keeps of a digest.
    fileprivate static let tagBits = 24

    package private(set) var shards: [Shard]

    /// - Parameter start: the first offset that the log still has.
    package init(from start: Offset = .zero) {
        shards = [Shard](repeating: Shard(base: start), count: Self.shardCount)
    }

    /// Number of (digest, offset) pairs held.
    package var count: Int { shards.reduce(0) { $0 + $1.count } }

    /// Bytes of memory that the slots take, empty ones included.
    package var byteCount: Int { shards.reduce(0) { $0 + $1.byteCount } }

    /// FNV-1a with a final mix. Not keyed: ids come signed from Stripe, and a collision costs one
    /// read.
    package static func digest(of eventID: some Collection<UInt8>) -> UInt64 {
        var hash = FNV1a.digest(of: eventID)
        hash = (hash ^ (hash >> 32)) &* 0x9E37_79B9_7F4A_7C15
        return hash ^ (hash >> 29)
    }

    /// Offsets of the records whose event id has this digest, as far as the table knows it; nearly
    /// always none or one.
    func candidates(for digest: UInt64) -> [Offset] {
        shards[Self.shard(of: digest)].candidates(for: Self.tag(of: digest))
    }

    /// Remembers the pair; the same pair twice is held once, so that a snapshot may overlap the
    /// tail.
    package mutating func insert(_ digest: UInt64, at offset: Offset) {
        shards[Self.shard(of: digest)].insert(Self.tag(of: digest), at: offset)
    }

    /// Remembers pairs as a snapshot has them: those of one shard follow each other, so that its
    /// table is made once and not grown step by step. Any other order is as right, and slower.
    mutating func insert(_ pairs: [(digest: UInt64, offset: Offset)]) {
        var first = 0
        while first < pairs.count {
            let shard = Self.shard(of: pairs[first].digest)
            let rest = pairs[first...]
            let end = rest.firstIndex { Self.shard(of: $0.digest) != shard } ?? rest.endIndex
            shards[shard].reserve(end - first)
            for (digest, offset) in pairs[first..<end] {
                shards[shard].insert(Self.tag(of: digest), at: offset)
            }
            first = end
        }
    }

    /// Forgets every record of one shard below `start`, which retention has deleted.
    package mutating func forget(below start: Offset, inShard shard: Int) {
        shards[shard].forget(below: start)
    }

    /// What is known of the digests in a shard, the bits that are not kept being 0, and where their
    /// records are.
    func forEachPair(ofShard number: Int, _ body: (UInt64, Offset) -> Void) {
        shards[number].forEach { tag, offset in
            body(UInt64(number) << (64 - Self.shardBits) | tag << Self.droppedBits, offset)
        }
    }

    private static let droppedBits = 64 - shardBits - tagBits

    private static func shard(of digest: UInt64) -> Int { Int(digest >> (64 - shardBits)) }

    private static func tag(of digest: UInt64) -> UInt64 {
        (digest >> droppedBits) & ((1 << tagBits) - 1)
    }

    /// One open-addressing table with linear probing, at most four fifths full.
    package struct Shard: Sendable {
        private static let offsetBits = 64 - AdmissionIndex.tagBits
        private static let offsetMask: UInt64 = (1 << offsetBits) - 1

        private var slots: [UInt64] = []
        package private(set) var count = 0
        /// The offset that offsets are counted from.
        private var base: Offset

        init(base: Offset) { self.base = base }

        var byteCount: Int { slots.capacity * MemoryLayout<UInt64>.stride }

        func candidates(for tag: UInt64) -> [Offset] {
            guard !slots.isEmpty else { return [] }
            var found: [Offset] = []
            var index = position(of: tag)
            while slots[index] != 0 {
                if slots[index] >> Self.offsetBits == tag { found.append(offset(in: slots[index])) }
                index = next(index)
            }
            return found
        }

        mutating func insert(_ tag: UInt64, at offset: Offset) {
            // What lies before the base was deleted before the index knew of it.
            guard offset >= base else { return }
            let distance = UInt64(base.distance(to: offset)) + 1
            precondition(distance <= Self.offsetMask, "\(offset) is too far from \(base)")
            if Self.isTooFull(count + 1, of: slots.count) {
                resize(max(Self.slotCountMin, slots.count * 3 / 2))
            }
            put(tag << UInt64(Self.offsetBits) | distance)
        }

        /// Makes room for so many pairs more.
        mutating func reserve(_ more: Int) {
            if Self.isTooFull(count + more, of: slots.count) {
                resize(max(Self.slotCountMin, (count + more) * 4 / 3))
            }
        }

        private static let slotCountMin = 16

        private static func isTooFull(_ count: Int, of slotCount: Int) -> Bool {
            count * 5 > slotCount * 4
        }

        mutating func forget(below start: Offset) {
            guard start > base else { return }
            var kept: [(tag: UInt64, offset: Offset)] = []
            forEach { tag, offset in if offset >= start { kept.append((tag, offset)) } }
            let size = kept.isEmpty ? 0 : max(Self.slotCountMin, kept.count * 3 / 2)
            (slots, count, base) = ([UInt64](repeating: 0, count: size), 0, start)
            for (tag, offset) in kept { insert(tag, at: offset) }
        }

        func forEach(_ body: (UInt64, Offset) -> Void) {
            for slot in slots where slot != 0 {
                body(slot >> UInt64(Self.offsetBits), offset(in: slot))
            }
        }

        private func offset(in slot: UInt64) -> Offset {
            base.advanced(by: Int64(slot & Self.offsetMask) - 1)
        }

        private mutating func put(_ slot: UInt64) {
            var index = position(of: slot >> UInt64(Self.offsetBits))
            while slots[index] != 0 {
                if slots[index] == slot { return }
                index = next(index)
            }
            slots[index] = slot
            count += 1
        }

        /// The tag's share of all tags is its place's share of all places, for any number of them.
        private func position(of tag: UInt64) -> Int {
            Int((tag &* UInt64(slots.count)) >> UInt64(AdmissionIndex.tagBits))
        }

        /// Slots that a search for the tag reads, the empty one at its end included.
        func probeCount(for tag: UInt64) -> Int {
            guard !slots.isEmpty else { return 0 }
            var (index, probes) = (position(of: tag), 1)
            while slots[index] != 0 { (index, probes) = (next(index), probes + 1) }
            return probes
        }

        private func next(_ index: Int) -> Int { index + 1 == slots.count ? 0 : index + 1 }

        private mutating func resize(_ size: Int) {
            let old = slots
            (slots, count) = ([UInt64](repeating: 0, count: size), 0)
            for slot in old where slot != 0 { put(slot) }
        }
    }
}
