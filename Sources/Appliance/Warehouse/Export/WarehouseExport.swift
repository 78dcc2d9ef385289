import AppendLog
import Appliance
import Bridges
import Foundation
import Reconcile
package import Vocabulary

/// Writes the warehouse's files from log, ledger and statement (docs/WAREHOUSE.md).
///
///     topics, ledger, statement ──▶ state: what came of them, which days changed
///     each day that may be behind ──▶ its rows ──▶ file ──▶ manifest ──▶ state: settled
///
/// It may end anywhere, and ends where its task is cancelled: what was read is kept with how far it
/// was read, and a day is settled only behind its manifest. The next run goes on there. Memory
/// holds a page of rows at a time.
package final class WarehouseExport {
    /// Told what is under way, how much of it is done, and of how much.
    package typealias Progress = (_ what: String, _ done: Int64, _ total: Int64) -> Void

    /// Rows that are held at a time.
    static let pageCount = 1_000
    /// Bytes of a topic that are read into one transaction of the state.
    static let pieceBytes = 4 << 20
    /// Transactions whose days are asked for at once.
    static let timesCount = 50_000

    let source: WarehouseSource
    let files: DayFiles
    let state: ExportState
    private let lock: ExportLock
    private let progress: Progress
    private var report = WarehouseReport()

    /// - Parameters:
    ///   - root: the folder of the files; made where it is missing.
    ///   - now: by which days are over.
    /// - Throws: `WarehouseError`
    package init(
        _ source: WarehouseSource, into root: String, isCompressed: Bool, now: Instant,
        progress: @escaping Progress = { _, _, _ in }
    ) throws {
        self.source = source
        self.progress = progress
        files = DayFiles(
            root: root, compression: isCompressed ? .gzip : .none, now: now)
        let folder = "\(root)/.state"
        try DayFiles.make(folder)
        lock = try ExportLock(folder)
        let name = "\(source.name) \(source.livemode ? "live" : "test")"
        let kept = try ExportState(in: folder, source: name)
        guard try !Self.isOfOtherHistory(kept, source) else {
            kept.close()
            state = try ExportState(in: folder, source: name, isAnew: true)
            return
        }
        state = kept
    }

    /// Whether the log or the ledger has something else where the last export has read: a data
    /// folder that was restored from a backup goes on with other records under the same numbers.
    private static func isOfOtherHistory(
        _ state: ExportState, _ source: WarehouseSource
    ) throws -> Bool {
        for topic in [TopicID.webhookReceived, .paymentScored] {
            let lanes = try source.lanes(topic)
            for place in try state.read({ try $0.positions(of: topic) }) {
                // What retention has removed cannot be told; what is not there yet is refused.
                guard lanes.indices.contains(Int(place.partition)),
                    let record = try lanes[Int(place.partition)].record(
                        at: place.next.advanced(by: -1))
                else { continue }
                if digest(of: record) != place.last { return true }
            }
        }
        let mark = try state.read { try $0.lastMark("transaction") }
        guard mark.value > 0 else { return false }
        return try hash(of: mark.value, source) != mark.last
    }

    private static func hash(of id: Int64, _ source: WarehouseSource) throws -> String? {
        try source.ledger.transaction(TransactionID(id)).map { String(hex: $0.hash) }
    }

    private static func digest(of record: Record) -> String {
        let digest = SHA256Stream()
        digest.add(Array("\(record.timestamp.milliseconds)\n".utf8))
        digest.add(Array(record.value ?? []))
        return String(hex: digest.finish())
    }

    /// Reads what is new, and brings every day's file up to it.
    package func run() async throws -> WarehouseReport {
        defer { state.close() }
        report = WarehouseReport()
        try readObjects()
        try readPayments()
        try readLedger()
        try readLines()
        try await askForParts()
        report.unknownPayouts = try state.read { try $0.unknownPayoutCount() }
        for (place, table) in WarehouseTable.all.enumerated() {
            progress(table.name, Int64(place), Int64(WarehouseTable.all.count))
            report.tables.append(try settle(table))
        }
        try noteEnd()
        return report
    }

    // MARK: When

    private static func endPath(_ root: String) -> String { "\(root)/.state/finished" }

    private func noteEnd() throws {
        let file = try DraftFile(Self.endPath(files.root))
        try file.write(Array("\(UTCText.second(files.now))\n".utf8))
        _ = try file.keep()
    }

    /// When the last export into a folder that came to its end had begun; nil where none did.
    package static func lastEnd(in root: String) -> Instant? {
        guard let text = FileManager.default.contents(atPath: endPath(root)) else { return nil }
        return Moment(String(decoding: text.dropLast(), as: UTF8.self))?.start
    }

    // MARK: Reading

    private func readObjects() throws {
        let document = JSONDocument()
        var objects = StripeObjects(livemode: source.livemode)
        try read(.webhookReceived) { records, draft in
            for stored in records {
                objects.removeAll()
                objects.take(stored.record, document)
                for object in objects.told { try draft.take(object) }
                for payout in objects.payouts { try draft.add(payout) }
            }
        }
        report.unreadable = objects.unreadable
    }

    private func readPayments() throws {
        let document = JSONDocument()
        try read(.paymentScored) { records, draft in
            for stored in records {
                guard let value = stored.record.value,
                    let scored = try? ScoredPayment(value, using: document),
                    let payment = scored.kept(
                        receivedAt: stored.record.timestamp.milliseconds)
                else { continue }
                try draft.take(scored.event.movement.rawValue, payment)
            }
        }
    }

    /// Hands every record that is new of a topic to `body`, a piece in each transaction.
    private func read(
        _ topic: TopicID, _ body: ([StoredRecord], StateDraft) throws -> Void
    ) throws {
        for (partition, lane) in try source.lanes(topic).enumerated() {
            let partition = Int32(partition)
            let known = try state.read { try $0.position(topic, partition) } ?? .zero
            guard known <= lane.end else {
                throw WarehouseError.state(
                    path: state.path, reason: "\(topic.rawValue) is shorter than it was")
            }
            var next = max(known, lane.start)
            while next < lane.end {
                let records = try lane.read(from: next, byteCountMax: Self.pieceBytes)
                guard let last = records.last else { break }
                next = last.offset.advanced(by: 1)
                let reached = next
                try Task.checkCancellation()
                try state.write { draft in
                    try body(records, draft)
                    try draft.move(
                        topic, partition, to: reached, behind: Self.digest(of: last.record))
                }
                progress(topic.rawValue, next.rawValue, lane.end.rawValue)
            }
        }
    }

    private func readLedger() throws {
        let head = try source.ledger.head()
        var last = try state.read { try $0.mark("transaction") }
        while last < head {
            let times = try source.ledger.effectiveTimes(
                after: TransactionID(last), limit: Self.timesCount)
            guard let end = times.last?.id.rawValue else { break }
            let hash = try Self.hash(of: end, source)
            try state.write { draft in
                try draft.add(times)
                try draft.mark("transaction", end, last: hash)
            }
            last = end
            progress("ledger", min(last, head), head)
        }
    }

    /// Which lines of the statement moved which objects' money: those that were read since.
    private func readLines() throws {
        let whole = try source.statement.lastWholeRun()
        let known = try state.read { try $0.mark("run") }
        var place: (created: Instant, id: String)?
        while true {
            let page = try source.statement.sourcedLines(
                readAfter: known, after: place, limit: Self.pageCount)
            guard let last = page.last else { break }
            try state.write { draft in
                for (line, _) in page {
                    guard let table = Self.table(of: line.type) else { continue }
                    try draft.add(
                        SourcedObject(table: table, source: line.source, id: line.id))
                }
            }
            place = (last.created, last.line.id)
        }
        try state.write { try $0.mark("run", whole) }
    }

    /// The table of what a line of this type moved.
    private static func table(of type: String) -> WarehouseTable? {
        switch BalanceTransactionType(rawValue: type) {
        case .charge, .payment: .charge
        case .refund, .paymentRefund: .refund
        case .payout: .payout
        case .transfer: .transfer
        default: nil
        }
    }

    /// Asks Stripe what automatic payouts are made of.
    private func askForParts() async throws {
        guard let members = source.members else { return }
        var last = ""
        while true {
            let (place, count) = (last, Self.pageCount)
            let page = try state.read { try $0.payoutsToAsk(after: place, limit: count) }
            guard let end = page.last else { return }
            for (payout, account) in page {
                let lines = try await members.ids(of: payout, account: StripeAccount(account))
                // Stripe lists them with the payout's own at once; a list without any is none yet.
                guard !lines.isEmpty else { continue }
                try state.write { try $0.settlePayout(payout, lines) }
            }
            last = end.payout
        }
    }
}
