/// A customer's latest payments and failures: when they were and which ones failed, in log order.
///
/// Up to 8 lie inline, which is enough for three days of an ordinary customer. A busier one
/// borrows a block of 64 from a pool until it is quiet again.
struct AttemptRing: Sendable {
    static let inlineMax = 8
    static let noBlock = UInt32.max

    fileprivate var inline = InlineArray<8, UInt32>(repeating: 0)
    /// Bit i belongs to place i of the inline times or of the block.
    fileprivate var failedBits: UInt64 = 0
    fileprivate var block = Self.noBlock
    /// The place of the earliest attempt in log order.
    fileprivate var head: UInt8 = 0
    fileprivate(set) var count: UInt8 = 0

    /// What one window holds.
    struct Counts: Hashable, Sendable {
        var lastMinute = 0
        var lastHour = 0
        var failedLastHour = 0
    }

    private var mask: Int { block == Self.noBlock ? Self.inlineMax - 1 : 63 }

    /// Remembers one attempt, forgets what is too old or too much, and counts the windows that end
    /// with this attempt.
    mutating func add(_ time: UInt32, isFailed: Bool, pool: inout AttemptBlockPool) -> Counts {
        forget(before: Int64(time) - FeatureBounds.attemptHorizonSeconds, pool: &pool)
        append(time, isFailed: isFailed, pool: &pool)
        return counts(endingAt: Int64(time), pool: pool)
    }

    private mutating func forget(before horizon: Int64, pool: inout AttemptBlockPool) {
        while count > 0, Int64(self.time(at: Int(head), pool: pool)) <= horizon { dropFirst() }
        if block != Self.noBlock, count <= Self.inlineMax / 2 { moveInline(pool: &pool) }
    }

    private mutating func dropFirst() {
        head = UInt8((Int(head) + 1) & mask)
        count -= 1
    }

    /// Appends what a snapshot held, or a new attempt.
    mutating func append(_ time: UInt32, isFailed: Bool, pool: inout AttemptBlockPool) {
        if Int(count) == Self.inlineMax, block == Self.noBlock { moveToBlock(pool: &pool) }
        if Int(count) == FeatureBounds.attemptsMax { dropFirst() }
        let place = (Int(head) + Int(count)) & mask
        if block == Self.noBlock { inline[place] = time } else {
            pool[block].times[place] = time
        }
        let bit = UInt64(1) << UInt64(place)
        failedBits = isFailed ? failedBits | bit : failedBits & ~bit
        count += 1
    }

    private func time(at place: Int, pool: AttemptBlockPool) -> UInt32 {
        // A subscript of the inline array would copy all of it; the span does not.
        block == Self.noBlock ? inline.span[place] : pool[block].times.span[place]
    }

    private func isFailed(at place: Int) -> Bool { failedBits >> UInt64(place) & 1 == 1 }

    private func counts(endingAt end: Int64, pool: AttemptBlockPool) -> Counts {
        block == Self.noBlock
            ? counts(endingAt: end, in: inline.span)
            : counts(endingAt: end, in: pool[block].times.span)
    }

    private func counts(endingAt end: Int64, in times: Span<UInt32>) -> Counts {
        var counts = Counts()
        for step in 0..<Int(count) {
            let place = (Int(head) + step) & mask
            let age = end - Int64(times[place])
            guard age >= 0, age < FeatureBounds.hourSeconds else { continue }
            counts.lastHour += 1
            if age < FeatureBounds.minuteSeconds { counts.lastMinute += 1 }
            if isFailed(at: place) { counts.failedLastHour += 1 }
        }
        return counts
    }

    /// The attempts in log order.
    func forEach(pool: AttemptBlockPool, _ body: (UInt32, Bool) -> Void) {
        for step in 0..<Int(count) {
            let place = (Int(head) + step) & mask
            body(time(at: place, pool: pool), isFailed(at: place))
        }
    }

    private mutating func moveToBlock(pool: inout AttemptBlockPool) {
        let taken = pool.take()
        move(pool: &pool) { ring in
            ring.block = taken
        }
    }

    private mutating func moveInline(pool: inout AttemptBlockPool) {
        let old = block
        move(pool: &pool) { ring in
            ring.block = Self.noBlock
        }
        pool.giveBack(old)
    }

    /// Carries every attempt over to the storage that `change` selects.
    private mutating func move(
        pool: inout AttemptBlockPool, to change: (inout AttemptRing) -> Void
    ) {
        var moved = AttemptRing()
        change(&moved)
        for step in 0..<Int(count) {
            let place = (Int(head) + step) & mask
            let time = time(at: place, pool: pool)
            if moved.block == Self.noBlock { moved.inline[step] = time } else {
                pool[moved.block].times[step] = time
            }
            if isFailed(at: place) { moved.failedBits |= 1 << UInt64(step) }
        }
        moved.count = count
        self = moved
    }

    /// Gives the block back when the customer is evicted.
    func release(to pool: inout AttemptBlockPool) {
        if block != Self.noBlock { pool.giveBack(block) }
    }
}

/// The blocks that busy customers borrow, 256 bytes each. Never more of them than customers.
struct AttemptBlockPool: Sendable {
    struct Block: Sendable {
        var times = InlineArray<64, UInt32>(repeating: 0)
    }

    private var blocks = Chunked<Block>()
    private var free: [UInt32] = []

    subscript(block: UInt32) -> Block {
        _read { yield blocks[Int(block)] }
        _modify { yield &blocks[Int(block)] }
    }

    mutating func take() -> UInt32 {
        if let block = free.popLast() { return block }
        blocks.append(Block())
        return UInt32(blocks.count - 1)
    }

    mutating func giveBack(_ block: UInt32) { free.append(block) }
}
