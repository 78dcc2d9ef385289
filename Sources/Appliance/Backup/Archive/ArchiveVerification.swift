import AppendLog
import Appliance
import Foundation
import Vocabulary

/// What a verification of seals and cold files found.
package struct ArchiveReport: Hashable, Sendable {
    /// A part of a seal, or a cold file, that was looked at.
    package struct Line: Hashable, Sendable {
        /// The month, or the cold file's path.
        package var name: String
        /// `seal`, a topic, `ledger`, or `cold file`.
        package var part: String
        /// What differs, as a sentence without its full stop; nil where it holds.
        package var fault: String?
    }

    package internal(set) var lines: [Line] = []
    /// Of batches and cold files.
    package internal(set) var byteCount: Int64 = 0

    package var faults: [Line] { lines.filter { $0.fault != nil } }
}

/// Compares every seal with log and ledger as they are now, and every cold file with what was
/// moved. Reads only. Blocking: call it off the cooperative pool.
package struct ArchiveVerification {
    private let place: ArchivePlace
    private let progress: (Int64, String) -> Void
    private var report = ArchiveReport()

    /// - Parameter progress: bytes read so far, and of what.
    package init(
        of place: ArchivePlace, progress: @escaping (Int64, String) -> Void = { _, _ in }
    ) {
        self.place = place
        self.progress = progress
    }

    /// - Throws: `ArchiveError`, `LogError`, `LedgerError` where something cannot be read at all;
    ///   what can be read and differs is in the report.
    package consuming func run() throws -> ArchiveReport {
        let seals = try compareSeals()
        let log = try Log.openReadOnly(at: place.log, disk: place.disk, withCold: true)
        let ledger = try SQLiteLedgerReader.open(path: place.ledger)
        defer { try? ledger.close() }
        for seal in seals {
            guard log.identity.map({ $0.description == seal.log }) ?? true else {
                add(seal.month.name, "seal", "it is of another log")
                continue
            }
            for reach in seal.reaches { try compare(reach, of: seal, log) }
            try compare(seal, ledger)
        }
        let index = try ColdIndex.read(
            ofLog: place.log, identity: log.identity, on: place.disk)
        for segment in index?.segments ?? [] { compare(segment) }
        return report
    }

    /// The files themselves, and that each names the one before it.
    ///
    /// - Returns: those that can be read.
    private mutating func compareSeals() throws -> [MonthSeal] {
        var last: (seal: MonthSeal, digest: String)?
        var found: [MonthSeal] = []
        for month in try place.months() {
            do throws(ArchiveError) {
                let next = try place.seal(of: month)
                let fault = ArchivePlace.fault(of: next.seal, after: last)
                add(month, "seal", fault)
                found.append(next.seal)
                last = next
            } catch {
                guard case .sealDamaged(_, let reason) = error else { throw error }
                add(month, "seal", reason)
            }
        }
        return found
    }

    private mutating func add(_ name: String, _ part: String, _ fault: String?) {
        report.lines.append(ArchiveReport.Line(name: name, part: part, fault: fault))
    }

    private mutating func compare(
        _ reach: MonthSeal.Reach, of seal: MonthSeal, _ log: ReadOnlyLog
    ) throws {
        guard let topic = try? log.topic(TopicName(reach.topic)) else {
            return add(seal.month.name, reach.topic, "the log has no such topic")
        }
        let range = Offset(reach.start)..<Offset(reach.end)
        guard range.isEmpty || (topic.start <= range.lowerBound && range.upperBound <= topic.end)
        else {
            return add(
                seal.month.name, reach.topic,
                "offsets \(reach.start) to \(reach.end) were sealed, and the log has "
                    + "\(topic.start) to \(topic.end)")
        }
        let base = report.byteCount
        do throws(LogError) {
            let found = try MonthSeal.digest(of: topic, range) { done in
                progress(base + done, "\(seal.month.name) \(reach.topic)")
            }
            report.byteCount += found.bytes
            let isSame = (found.bytes, found.digest) == (reach.bytes, reach.digest)
            add(
                seal.month.name, reach.topic,
                isSame
                    ? nil
                    : "the \(found.bytes) bytes of offsets \(reach.start) to \(reach.end) are not "
                        + "the \(reach.bytes) that were sealed")
        } catch {
            switch error {
            case .corrupt, .coldDamaged, .coldUnreadable:
                add(seal.month.name, reach.topic, "\(error)")
            default: throw error
            }
        }
    }

    private mutating func compare(_ seal: MonthSeal, _ ledger: SQLiteLedgerReader) throws {
        let last = TransactionID(seal.transactions)
        let hash = try ledger.transaction(last).map { String(hex: $0.hash) }
        guard hash == seal.ledgerHash else {
            return add(
                seal.month.name, "ledger",
                "the hash of transaction \(seal.transactions) was \(seal.ledgerHash ?? "none"), "
                    + "and is \(hash ?? "none")")
        }
        let now = try MonthSeal.holdings(of: ledger, through: last)
        let (lost, new) = (
            Set(seal.holdings).subtracting(now), Set(now).subtracting(seal.holdings)
        )
        let shown = (lost.map { ("sealed", $0) } + new.map { ("found", $0) })
            .sorted { ($0.1.account, $0.1.currency, $1.0) < ($1.1.account, $1.1.currency, $0.0) }
            .prefix(6).map { "\($0) \($1.account) \($1.amount) \($1.currency)" }
        add(
            seal.month.name, "ledger",
            shown.isEmpty
                ? nil
                : "the balances behind transaction \(seal.transactions) are others: "
                    + shown.joined(separator: ", "))
    }

    private mutating func compare(_ segment: ColdSegment) {
        let base = report.byteCount
        let found: String?
        do throws(DiskError) {
            found = try FileDigest.of(segment.file, on: place.disk) { done in
                progress(base + done, segment.file)
            }
        } catch {
            return add(
                segment.file, "cold file",
                "\(LogError.coldUnreadable(error, folder: segment.folder))")
        }
        report.byteCount += segment.byteCount
        add(
            segment.file, "cold file",
            found == segment.digest
                ? nil : "its bytes are not those that were moved; put it back from a copy")
    }
}
