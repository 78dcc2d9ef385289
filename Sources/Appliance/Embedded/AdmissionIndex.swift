package import AppendLog

/// Which event ids the log holds, and where: a hash table from a 64-bit digest of the id to the
/// offset of its `webhook.received` record, 16 bytes a slot.
///
/// A digest alone never decides: two ids may share one, so a hit names the offsets to compare with
/// the records themselves. The table is split into shards so that growing one stalls the gate
/// for a hundredth of what growing the whole would.
package struct AdmissionIndex: Sendable {
    /// Number of shards; a power of two.
    package static let shardCount = 256

    package private(set) var shards = [Shard](repeating: Shard(), count: Self.shardCount)

    /// Number of (digest, offset) pairs held.
    package var count: Int { shards.reduce(0) { $0 + $1.count } }

    /// FNV-1a with a final mix. Not keyed: ids come signed from Stripe, and a collision costs one
    /// read.
    static func digest(of eventID: some Collection<UInt8>) -> UInt64 {
        var hash = FNV1a.digest(of: eventID)
        hash = (hash ^ (hash >> 32)) &* 0x9E37_79B9_7F4A_7C15
        return hash ^ (hash >> 29)
    }

    /// Offsets of the records whose event id has this digest; nearly always none or one.
    func candidates(for digest: UInt64) -> [Offset] {
        shards[Self.shard(of: digest)].candidates(for: digest)
    }

    /// Remembers the pair; the same pair twice is held once, so that a snapshot may overlap the
    /// tail.
    mutating func insert(_ digest: UInt64, at offset: Offset) {
        shards[Self.shard(of: digest)].insert(digest, at: offset)
    }

    /// Forgets every record below `start`, which retention has deleted.
    package mutating func forget(below start: Offset) {
        for index in shards.indices { shards[index].forget(below: start) }
    }

    private static func shard(of digest: UInt64) -> Int { Int(digest >> 56) }

    /// One open-addressing table with linear probing, at most three quarters full.
    package struct Shard: Sendable {
        package struct Slot: Sendable {
            var digest: UInt64
            /// The offset plus one, so that zero marks an empty slot.
            var offsetPlusOne: Int64
        }

        private(set) var slots: [Slot] = []
        package private(set) var count = 0

        package init() {}

        func candidates(for digest: UInt64) -> [Offset] {
            guard !slots.isEmpty else { return [] }
            var found: [Offset] = []
            var index = position(of: digest)
            while slots[index].offsetPlusOne != 0 {
                if slots[index].digest == digest {
                    found.append(Offset(slots[index].offsetPlusOne - 1))
                }
                index = (index + 1) & (slots.count - 1)
            }
            return found
        }

        mutating func insert(_ digest: UInt64, at offset: Offset) {
            if (count + 1) * 4 > slots.count * 3 { grow() }
            var index = position(of: digest)
            while slots[index].offsetPlusOne != 0 {
                let slot = slots[index]
                if slot.digest == digest, slot.offsetPlusOne == offset.rawValue + 1 { return }
                index = (index + 1) & (slots.count - 1)
            }
            slots[index] = Slot(digest: digest, offsetPlusOne: offset.rawValue + 1)
            count += 1
        }

        mutating func forget(below start: Offset) {
            let kept = slots.filter { $0.offsetPlusOne > start.rawValue }
            guard kept.count < count else { return }
            let size = slots.count
            slots = Self.empty(size)
            count = 0
            for slot in kept { insert(slot.digest, at: Offset(slot.offsetPlusOne - 1)) }
        }

        private func position(of digest: UInt64) -> Int { Int(digest & UInt64(slots.count - 1)) }

        private mutating func grow() {
            let old = slots
            slots = Self.empty(max(16, old.count * 2))
            count = 0
            for slot in old where slot.offsetPlusOne != 0 {
                insert(slot.digest, at: Offset(slot.offsetPlusOne - 1))
            }
        }

        private static func empty(_ size: Int) -> [Slot] {
            [Slot](repeating: Slot(digest: 0, offsetPlusOne: 0), count: size)
        }
    }
}
