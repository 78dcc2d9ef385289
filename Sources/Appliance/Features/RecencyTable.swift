/// A bounded table of named values that forgets the least recently used one when it is full.
///
/// Slots never move, so a slot number stays good until its name is evicted. The order of use is a
/// list of indices beside the slots: oldest … newest.
struct RecencyTable<Value> {
    struct Slot {
        var key: NameKey
        var value: Value
    }

    fileprivate struct Link {
        var older: UInt32
        var newer: UInt32
    }

    let capacity: Int
    private(set) var slots = Chunked<Slot>()
    private var links = Chunked<Link>()
    private var index = SlotIndex()
    private let hash = NameHash()
    private var oldest = Self.nowhere
    private var newest = Self.nowhere

    private static var nowhere: UInt32 { .max }

    /// - Parameter capacity: 1…2³¹.
    init(capacity: Int) {
        precondition((1...1 << 31).contains(capacity), "a table of \(capacity) slots")
        self.capacity = capacity
    }

    var count: Int { slots.count }

    subscript(slot: Int) -> Value {
        _read { yield slots[slot].value }
        _modify { yield &slots[slot].value }
    }

    /// A key and its hash in this table, for who asks for it more than once.
    struct Address: Sendable {
        fileprivate(set) var key: NameKey
        fileprivate var hash: UInt32

        /// Of the empty name.
        static var none: Self { Self(key: .none, hash: 0) }
    }

    func address(of key: NameKey) -> Address { Address(key: key, hash: hash(key)) }

    /// The slot of `key`, without counting this as a use.
    func find(_ key: NameKey) -> Int? { find(address(of: key)) }

    func find(_ address: Address) -> Int? {
        index.slot(for: address.hash) { slots[$0].key == address.key }
    }

    mutating func use(_ key: NameKey) -> Int? { use(address(of: key)) }

    /// The slot of the key, now the most recently used one; nil if it is not there.
    mutating func use(_ key: Address) -> Int? {
        guard let slot = find(key) else { return nil }
        use(slot: slot)
        return slot
    }

    /// Counts a use of what was found.
    mutating func use(slot: Int) { moveToNewest(slot) }

    mutating func insert(
        _ key: NameKey, _ value: Value, onEviction: (Value) -> Void = { _ in }
    ) -> Int {
        insert(address(of: key), value, onEviction: onEviction)
    }

    /// Puts in a key that is not there, as the most recently used one. When the table is full it
    /// takes the place of the least recently used one, whose value `onEviction` is given.
    mutating func insert(
        _ address: Address, _ value: Value, onEviction: (Value) -> Void = { _ in }
    ) -> Int {
        let key = address.key
        let slot: Int
        if count < capacity {
            slot = count
            slots.append(Slot(key: key, value: value))
            links.append(Link(older: Self.nowhere, newer: Self.nowhere))
            linkAsNewest(slot)
        } else {
            slot = Int(oldest)
            onEviction(slots[slot].value)
            index.remove(hash(slots[slot].key), slot: slot)
            slots[slot] = Slot(key: key, value: value)
            moveToNewest(slot)
        }
        index.insert(address.hash, slot: slot)
        return slot
    }

    // MARK: Reading ahead

    /// The slot that the key most likely has; its index entry is then in the cache.
    func likelySlot(of address: Address) -> Int? { index.likelySlot(for: address.hash) }

    /// The neighbours of a slot in the order of use; its link is then in the cache.
    func neighbours(of slot: Int) -> (older: UInt32, newer: UInt32) {
        (links[slot].older, links[slot].newer)
    }

    /// Reads the link of a neighbour.
    func link(of neighbour: UInt32) -> UInt32 {
        neighbour == Self.nowhere ? 0 : links[Int(neighbour)].older
    }

    private mutating func moveToNewest(_ slot: Int) {
        guard newest != UInt32(slot) else { return }
        unlink(slot)
        linkAsNewest(slot)
    }

    private mutating func unlink(_ slot: Int) {
        let link = links[slot]
        if link.older == Self.nowhere { oldest = link.newer } else {
            links[Int(link.older)].newer = link.newer
        }
        if link.newer == Self.nowhere { newest = link.older } else {
            links[Int(link.newer)].older = link.older
        }
    }

    private mutating func linkAsNewest(_ slot: Int) {
        links[slot] = Link(older: newest, newer: Self.nowhere)
        if newest == Self.nowhere { oldest = UInt32(slot) } else {
            links[Int(newest)].newer = UInt32(slot)
        }
        newest = UInt32(slot)
    }

    /// A copy for reading alone, from the least recently used to the most. It shares memory with
    /// the table and leaves the index behind, which nobody needs to read it in order.
    func frozen() -> Frozen { Frozen(slots: slots, links: links, oldest: oldest) }

    /// The table's content at one moment, in order of use.
    struct Frozen {
        fileprivate let slots: Chunked<Slot>
        fileprivate let links: Chunked<Link>
        fileprivate let oldest: UInt32

        var count: Int { slots.count }

        func forEach<Failure: Error>(
            _ body: (NameKey, Value) throws(Failure) -> Void
        ) throws(Failure) {
            var next = oldest
            while next != .max {
                let slot = slots[Int(next)]
                try body(slot.key, slot.value)
                next = links[Int(next)].newer
            }
        }
    }
}

extension RecencyTable: Sendable where Value: Sendable {}
extension RecencyTable.Slot: Sendable where Value: Sendable {}
extension RecencyTable.Frozen: Sendable where Value: Sendable {}
