/// A hash table from keys to slot numbers, with linear probing.
///
/// An entry is 8 bytes: 32 bits of the key's hash above the slot plus one; 0 is empty. The keys
/// themselves stay in the slots, which the caller compares only where the hash bits agree.
/// Every table has a `NameHash` of its own, so nobody can choose names that collide.
struct SlotIndex {
    private var entries: [UInt64]
    private var mask: Int
    private(set) var count = 0

    init() {
        entries = Array(repeating: 0, count: 16)
        mask = 15
    }

    /// The slot that `isMatch` accepts among those filed under the hash.
    func slot(for hash: UInt32, isMatch: (Int) -> Bool) -> Int? {
        let bits = UInt64(hash)
        var position = Int(bits) & mask
        while true {
            let entry = entries[position]
            if entry == 0 { return nil }
            if entry >> 32 == bits {
                let slot = Int(entry & 0xFFFF_FFFF) - 1
                if isMatch(slot) { return slot }
            }
            position = (position + 1) & mask
        }
    }

    /// The slot that a key with this hash most likely has; nil where its place is empty or
    /// another's. Reads one entry.
    func likelySlot(for hash: UInt32) -> Int? {
        let entry = entries[Int(hash) & mask]
        return entry >> 32 == UInt64(hash) && entry != 0 ? Int(entry & 0xFFFF_FFFF) - 1 : nil
    }

    /// Files a slot under the hash of a key that is not in the table yet.
    mutating func insert(_ hash: UInt32, slot: Int) {
        if (count + 1) * 4 > entries.count * 3 { grow() }
        place(UInt64(hash) << 32 | UInt64(slot + 1))
        count += 1
    }

    private mutating func place(_ entry: UInt64) {
        var position = Int(entry >> 32) & mask
        while entries[position] != 0 { position = (position + 1) & mask }
        entries[position] = entry
    }

    private mutating func grow() {
        let old = entries
        entries = Array(repeating: 0, count: old.count * 2)
        mask = entries.count - 1
        for entry in old where entry != 0 { place(entry) }
    }

    /// Takes a slot out and moves later entries of its run back, so that no gap cuts the run.
    mutating func remove(_ hash: UInt32, slot: Int) {
        let wanted = UInt64(hash) << 32 | UInt64(slot + 1)
        var gap = Int(wanted >> 32) & mask
        while entries[gap] != wanted {
            precondition(entries[gap] != 0, "slot \(slot) is not in the index")
            gap = (gap + 1) & mask
        }
        var position = gap
        while true {
            position = (position + 1) & mask
            let entry = entries[position]
            if entry == 0 { break }
            let home = Int(entry >> 32) & mask
            // An entry may fill the gap only if its own place does not lie behind the gap.
            if (position - home) & mask >= (position - gap) & mask {
                entries[gap] = entry
                gap = position
            }
        }
        entries[gap] = 0
        count -= 1
    }
}
