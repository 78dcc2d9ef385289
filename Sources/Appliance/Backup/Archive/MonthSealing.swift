import AppendLog
import Appliance
import Bridges
import Foundation
import Vocabulary

/// Seals a month: reads what log and ledger held at its end and writes it down. Reads only, but
/// for the seal; also while a daemon runs. Blocking: call it off the cooperative pool.
package struct MonthSealing {
    private let place: ArchivePlace
    private let progress: (Int64, Int64, String) -> Void

    /// - Parameter progress: bytes read, bytes of the topic at most, and its name.
    package init(
        of place: ArchivePlace, progress: @escaping (Int64, Int64, String) -> Void = { _, _, _ in }
    ) {
        self.place = place
        self.progress = progress
    }

    /// - Parameters:
    ///   - isReconciled: what the seal says of that.
    ///   - now: milliseconds since 1970.
    /// - Returns: the month's seal, its SHA-256, and whether it is new: a month is sealed once.
    /// - Throws: `ArchiveError`, `LogError`, `LedgerError`
    package func run(
        _ month: SealMonth, isReconciled: Bool, now: Int64
    ) throws -> (seal: MonthSeal, digest: String, isNew: Bool) {
        guard now >= month.to.seconds * 1_000 else {
            throw ArchiveError.notOver(month: month.name)
        }
        let lock = try place.locked()
        defer { lock.release() }
        let seals = try place.allSeals()
        if let known = seals.first(where: { $0.seal.month.name == month.name }) {
            return (known.seal, known.digest, false)
        }
        if let first = seals.first?.seal.month, month.to <= first.from {
            throw ArchiveError.within(month: month.name, first: first.name)
        }
        let last = seals.last
        if let last, last.seal.month.to != month.from {
            throw ArchiveError.notNext(
                month: month.name, due: String(last.seal.month.to.rfc3339.prefix(7)))
        }
        // The first takes in what was moved too, where the seals that were there are lost.
        let log = try Log.openReadOnly(
            at: place.log, disk: place.disk, withCold: last == nil)
        let identity = try place.identity(of: log)
        if let last { try place.refuse(last.seal, unlessOf: identity) }
        var seal = MonthSeal(
            month: month, sealedAt: now, release: Release.version,
            log: identity.description, isReconciled: isReconciled,
            before: last?.digest, reaches: [], transactions: 0, ledgerHash: nil, holdings: [])
        try readLedger(into: &seal)
        let ends = Dictionary(
            (last?.seal.reaches ?? []).map { ($0.topic, $0.end) },
            uniquingKeysWith: { first, _ in first })
        for topic in log.topics {
            seal.reaches.append(
                try reach(of: topic, from: ends[topic.name.rawValue].map { Offset($0) }, month))
        }
        try place.keep(seal)
        let kept = try place.seal(of: month.name)
        return (kept.seal, kept.digest, true)
    }

    private func readLedger(into seal: inout MonthSeal) throws {
        let ledger = try SQLiteLedgerReader.open(path: place.ledger)
        defer { try? ledger.close() }
        seal.transactions = try ledger.lastTransaction(before: seal.month.to)
        let last = TransactionID(seal.transactions)
        seal.ledgerHash = try ledger.transaction(last).map { String(hex: $0.hash) }
        seal.holdings = try MonthSeal.holdings(of: ledger, through: last)
    }

    private func reach(
        of topic: ReadOnlyTopic, from known: Offset?, _ month: SealMonth
    ) throws -> MonthSeal.Reach {
        let (name, start) = (topic.name.rawValue, known ?? topic.start)
        guard topic.start <= start else {
            throw ArchiveError.removed(
                topic: name, from: start.rawValue, start: topic.start.rawValue)
        }
        let end = try Self.end(of: topic, month, notBefore: start)
        let found = try MonthSeal.digest(of: topic, start..<end) { done in
            progress(done, max(done, topic.segments.reduce(0) { $0 + $1.byteCount }), name)
        }
        return MonthSeal.Reach(
            topic: name, start: start.rawValue, end: end.rawValue, bytes: found.bytes,
            digest: found.digest)
    }

    /// Where the first batch begins that has a record of a later month.
    private static func end(
        of topic: ReadOnlyTopic, _ month: SealMonth, notBefore start: Offset
    ) throws(LogError) -> Offset {
        let moment = Timestamp(milliseconds: month.to.seconds * 1_000)
        guard let first = try topic.offset(at: moment) else { return topic.end }
        let batch = try topic.readBatches(from: first, byteCountMax: 1).first
        return max(start, batch?.header.baseOffset ?? topic.end)
    }
}

extension MonthSeal {
    /// Every account's balance behind a transaction.
    static func holdings(
        of ledger: SQLiteLedgerReader, through last: TransactionID
    ) throws(LedgerError) -> [Holding] {
        try ledger.balances(through: last).map {
            Holding(
                account: $0.account.rawValue, currency: $0.currency.code,
                amount: $0.balance.rawValue)
        }
    }

    /// SHA-256 of the batches in a range, as they lie in the segments; each is verified by itself.
    ///
    /// - Parameter range: from where a batch begins to where one ends.
    static func digest(
        of topic: ReadOnlyTopic, _ range: Range<Offset>, progress: (Int64) -> Void
    ) throws(LogError) -> (bytes: Int64, digest: String) {
        let stream = SHA256Stream()
        var (next, bytes) = (range.lowerBound, Int64(0))
        while next < range.upperBound {
            let batches = try topic.readBatches(from: next, byteCountMax: 4 << 20)
            for batch in batches where batch.header.baseOffset < range.upperBound {
                stream.add(Array(batch.bytes))
                bytes += Int64(batch.bytes.count)
                next = batch.header.nextOffset
            }
            guard !batches.isEmpty else { break }
            progress(bytes)
        }
        return (bytes, String(hex: stream.finish()))
    }
}
