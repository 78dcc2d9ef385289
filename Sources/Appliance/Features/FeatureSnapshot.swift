internal import AppendLog
import Vocabulary

// The snapshot of a feature engine: docs/formats/features-snapshot.md. Little-endian throughout.
//
//   bytes  content
//   4      `TBFS`
//   2      version, 3
//   2      0
//   8      0; before version 3 the place in the log, which the file around it says
//   4 × 3  numbers of customers, merchants, movements
//   …      the customers, the merchants, the movements, each from least to most recently used
//   4      CRC-32C of everything before
//
// Invariants, checked when it is read: the checksum; every count within its bound; no name twice
// in a table; nothing between the last movement and the checksum.

extension FeatureEngine {
    private static let magic: [UInt8] = Array("TBFS".utf8)
    private static let version: UInt16 = 3
    /// It kept a verdict and an open review with each movement, which the ledger knows now.
    private static let versionWithVerdicts: UInt16 = 2
    private static let headerBytes = 28
    private static let checksumBytes = 4

    /// The whole state as bytes. Takes about 0.3 s for a million customers, so a running pipeline
    /// calls `frozen()` and encodes the result elsewhere, a piece at a time.
    func snapshot() -> [UInt8] { frozen().encoded() }

    /// A copy to encode on another thread. Making it copies nothing; see `Chunked`.
    func frozen() -> Frozen {
        Frozen(
            customers: customers.frozen(), blocks: blocks, merchants: merchants.frozen(),
            movements: movements.frozen())
    }

    /// The engine's state at one moment, for a snapshot.
    struct Frozen: Sendable {
        fileprivate let customers: RecencyTable<CustomerState>.Frozen
        fileprivate let blocks: AttemptBlockPool
        fileprivate let merchants: RecencyTable<MerchantDays>.Frozen
        fileprivate let movements: RecencyTable<MovementState>.Frozen

        fileprivate init(
            customers: RecencyTable<CustomerState>.Frozen,
            blocks: AttemptBlockPool, merchants: RecencyTable<MerchantDays>.Frozen,
            movements: RecencyTable<MovementState>.Frozen
        ) {
            self.customers = customers
            self.blocks = blocks
            self.merchants = merchants
            self.movements = movements
        }

        /// Gives the snapshot's bytes to `sink`, a piece at a time.
        func encode<Failure: Error>(
            to sink: ([UInt8]) throws(Failure) -> Void
        ) throws(Failure) {
            var pieces = SummedPieces()
            pieces.appendHeader(customers.count, merchants.count, movements.count)
            try customers.forEach { (key, state) throws(Failure) in
                key.encode(into: &pieces.writer)
                state.encode(into: &pieces.writer, blocks: blocks)
                try pieces.pass(to: sink)
            }
            try merchants.forEach { (key, days) throws(Failure) in
                key.encode(into: &pieces.writer)
                days.encode(into: &pieces.writer)
                try pieces.pass(to: sink)
            }
            try movements.forEach { (key, state) throws(Failure) in
                key.encode(into: &pieces.writer)
                state.encode(into: &pieces.writer)
                try pieces.pass(to: sink)
            }
            try pieces.finish(to: sink)
        }

        /// The snapshot's bytes.
        func encoded() -> [UInt8] {
            var bytes: [UInt8] = []
            encode { bytes += $0 }
            return bytes
        }
    }

    /// What is to be written, summed up as it is passed on.
    private struct SummedPieces {
        var writer = ByteWriter(capacity: SnapshotSource.pieceByteCount + 4_096)
        private var checksum: UInt32 = 0

        mutating func appendHeader(_ customers: Int, _ merchants: Int, _ movements: Int) {
            for byte in FeatureEngine.magic { writer.append(byte) }
            writer.append(FeatureEngine.version)
            writer.append(UInt16(0))
            writer.append(Int64(0))
            for count in [customers, merchants, movements] { writer.append(UInt32(count)) }
        }

        /// Passes on what has become a whole piece.
        mutating func pass<Failure: Error>(
            to sink: ([UInt8]) throws(Failure) -> Void
        ) throws(Failure) {
            guard writer.bytes.count >= SnapshotSource.pieceByteCount else { return }
            checksum = CRC32C.checksum(writer.bytes[...], continuing: checksum)
            try sink(writer.bytes)
            writer.removeAll()
        }

        mutating func finish<Failure: Error>(
            to sink: ([UInt8]) throws(Failure) -> Void
        ) throws(Failure) {
            writer.append(CRC32C.checksum(writer.bytes[...], continuing: checksum))
            try sink(writer.bytes)
        }
    }

    /// The state that `snapshot()` gave.
    ///
    /// - Parameter limits: may differ from the ones it was written under; what no longer fits is
    ///   the least recently used.
    init(
        snapshot bytes: [UInt8], limits: FeatureLimits = .standard
    ) throws(FeatureSnapshotError) {
        try self.init(snapshot: SnapshotSource(bytes), limits: limits)
    }

    /// The same, read a piece at a time: once for the checksum, then for what it holds.
    init(
        snapshot source: SnapshotSource, limits: FeatureLimits
    ) throws(FeatureSnapshotError) {
        self.init(limits: limits)
        let (checked, hasVerdicts) = try Self.checkedReader(source)
        var reader = checked
        _ = try reader.number(Int64.self)
        let customerCount = try reader.number(UInt32.self)
        let merchantCount = try reader.number(UInt32.self)
        let movementCount = try reader.number(UInt32.self)
        for _ in 0..<customerCount {
            let key = try NameKey(from: &reader)
            let state = try CustomerState(from: &reader, blocks: &blocks)
            guard customers.find(key) == nil else { throw reader.damaged() }
            _ = customers.insert(key, state) { $0.attempts.release(to: &blocks) }
        }
        for _ in 0..<merchantCount {
            let key = try NameKey(from: &reader)
            guard merchants.find(key) == nil else { throw reader.damaged() }
            _ = merchants.insert(key, try MerchantDays(from: &reader))
        }
        for _ in 0..<movementCount {
            let key = try NameKey(from: &reader)
            guard movements.find(key) == nil else { throw reader.damaged() }
            _ = movements.insert(key, try MovementState(from: &reader, withVerdict: hasVerdicts))
        }
        guard reader.isAtEnd else { throw reader.damaged() }
    }

    /// Whether it can be read, and its checksum holds.
    static func isWhole(_ source: SnapshotSource) -> Bool {
        (try? checkedReader(source)) != nil
    }

    /// A reader behind the version, over content whose checksum holds.
    private static func checkedReader(
        _ source: SnapshotSource
    ) throws(FeatureSnapshotError) -> (reader: ByteReader, hasVerdicts: Bool) {
        let end = source.byteCount - checksumBytes
        let start = try? source.read(0, magic.count)
        guard start == magic else { throw .notASnapshot }
        guard end >= headerBytes else { throw .damaged(atByte: source.byteCount) }
        var header = ByteReader(source, from: magic.count, to: end)
        let found = try header.number(UInt16.self)
        guard found == version || found == versionWithVerdicts else {
            throw .unknownVersion(found)
        }
        var trailer = ByteReader(source, from: end, to: source.byteCount)
        guard try trailer.number() == source.checksum(upTo: end) else {
            throw .damaged(atByte: end)
        }
        return (
            ByteReader(source, from: magic.count + 4, to: end), found == versionWithVerdicts
        )
    }
}

// A customer: name; device's name; last time (4, 2³²−1 for none); number of attempts (1); whether
// each failed (8, bit i for attempt i); their times (4 each) in log order; number of currencies
// (1); each one's letters (4), count (4), mean (8), squares (8), the one paid in last first.
extension CustomerState {
    func encode(into writer: inout ByteWriter, blocks: AttemptBlockPool) {
        device.encode(into: &writer)
        writer.append(lastTime)
        writer.append(attempts.count)
        var failedBits: UInt64 = 0
        var step: UInt64 = 0
        attempts.forEach(pool: blocks) { _, isFailed in
            if isFailed { failedBits |= 1 << step }
            step += 1
        }
        writer.append(failedBits)
        attempts.forEach(pool: blocks) { time, _ in writer.append(time) }
        writer.append(UInt8(amounts.count))
        amounts.forEach { spread in
            writer.append(spread.currency)
            writer.append(spread.count)
            writer.append(spread.mean)
            writer.append(spread.squares)
        }
    }

    init(
        from reader: inout ByteReader, blocks: inout AttemptBlockPool
    ) throws(FeatureSnapshotError) {
        device = try NameKey(from: &reader)
        lastTime = try reader.number()
        let attemptCount = try reader.byte()
        guard attemptCount <= FeatureBounds.attemptsMax else { throw reader.damaged() }
        let failedBits = try reader.number(UInt64.self)
        for step in 0..<UInt64(attemptCount) {
            attempts.append(
                try reader.number(), isFailed: failedBits >> step & 1 == 1, pool: &blocks)
        }
        let currencyCount = try reader.byte()
        guard currencyCount <= FeatureBounds.currenciesMax else { throw reader.damaged() }
        for place in 0..<Int(currencyCount) {
            var spread = AmountSpread(currency: try reader.number())
            spread.count = try reader.number()
            spread.mean = try reader.double()
            spread.squares = try reader.double()
            amounts.restore(spread, at: place)
        }
    }
}

// A merchant: name; number of days (1); each one's number (4), disputes (4), payments (4).
extension MerchantDays {
    func encode(into writer: inout ByteWriter) {
        var count: UInt8 = 0
        forEach { _ in count += 1 }
        writer.append(count)
        forEach { day in
            writer.append(day.number)
            writer.append(day.disputes)
            writer.append(day.payments)
        }
    }

    init(from reader: inout ByteReader) throws(FeatureSnapshotError) {
        self.init()
        let count = try reader.byte()
        guard count <= FeatureBounds.merchantDaysKept else { throw reader.damaged() }
        for _ in 0..<count {
            let number = try reader.number(Int32.self)
            guard number >= 0 else { throw reader.damaged() }
            restore(
                Day(
                    number: number, disputes: try reader.number(), payments: try reader.number()))
        }
    }
}

// A movement: name; rank (1); flags (1): 1 counted for the identity, 2 counted for the merchant,
// 4 device known, 8 countries known; the largest amount told (8); the digest of currency, account
// and merchant (8); and, if counted for the identity, the vector's instant (8) and its eight values
// (4 each). Version 2 has another flag, 16, and a byte behind the flags, both of which are left
// out.
extension MovementState {
    func encode(into writer: inout ByteWriter) {
        writer.append(rank)
        let flags = [isCountedForIdentity, isCountedForMerchant, knowsDevice, knowsCountries]
        writer.append(
            flags.reversed().reduce(UInt8(0)) { bits, flag in bits << 1 | (flag ? 1 : 0) })
        writer.append(amount)
        writer.append(parties)
        guard isCountedForIdentity else { return }
        writer.append(asOf)
        for place in 0..<FeatureVector.count { writer.append(values[place]) }
    }

    init(
        from reader: inout ByteReader, withVerdict: Bool
    ) throws(FeatureSnapshotError) {
        self.init(rank: try reader.byte())
        let flags = try reader.byte()
        if withVerdict { _ = try reader.byte() }
        guard flags < (withVerdict ? 32 : 16) else { throw reader.damaged() }
        isCountedForIdentity = flags & 1 != 0
        isCountedForMerchant = flags & 2 != 0
        knowsDevice = flags & 4 != 0
        knowsCountries = flags & 8 != 0
        amount = try reader.number()
        parties = try reader.number()
        guard isCountedForIdentity else { return }
        asOf = try reader.number()
        for place in 0..<FeatureVector.count { values[place] = try reader.float() }
    }
}
