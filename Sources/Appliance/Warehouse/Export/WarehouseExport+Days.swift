import Appliance
import Foundation
import Reconcile
import Vocabulary

/// Which days of a table are looked at, and where their rows come from.
extension WarehouseExport {
    /// Brings a table's files up to what is known.
    func settle(_ table: WarehouseTable) throws -> WarehouseReport.Table {
        var report = WarehouseReport.Table(dataset: table.dataset.rawValue, name: table.name)
        let days = try days(of: table)
        let onDisk = Set(files.days(of: table))
        let dirty = Set(try state.read { try $0.dirty(of: table.name) })
        let stamps = try state.read { try $0.stamps(of: table.name) }
        func isLeft(_ day: Int64) -> Bool {
            stamps[day].map { !$0.isEmpty && $0 == files.stamp(table, day) } ?? false
        }
        var due: [Int64]
        if table.isKept {
            // What is not as it was left may have been taken away, cut, changed or put back.
            due = days.filter { dirty.contains($0) || !isLeft($0) }
        } else {
            due = days
        }
        // Where a day has no rows any more its file says so; a table that never had any has one
        // empty file, without which no reader finds its columns.
        due += onDisk.subtracting(days)
        if days.isEmpty, onDisk.isEmpty { due.append(0) }
        let known = Set(days)
        for day in due.sorted() {
            let (outcome, manifest) = try files.settle(table, day, isLeft: isLeft(day)) { sink in
                if known.contains(day) { try rows(of: table, day, sink) }
            }
            let stamp = files.stamp(table, day)
            try state.write { draft in
                if manifest.isComplete { try draft.settle(table, day) }
                if stamp != stamps[day] { try draft.keep(stamp: stamp, of: table, day) }
            }
            report.days += 1
            switch outcome {
            case .unchanged: continue
            case .written: report.written += 1
            case .corrected: report.corrected += 1
            }
            report.rows += manifest.rows
        }
        return report
    }

    private func days(of table: WarehouseTable) throws -> [Int64] {
        switch table.name {
        case WarehouseTable.settlements.name, WarehouseTable.balanceTransaction.name:
            try source.statement.lineDays()
        case WarehouseTable.fee.name: try source.statement.lineDays(withFee: true)
        case WarehouseTable.reconciliationBreaks.name: try source.statement.breakDays()
        case WarehouseTable.reviews.name: try source.ledger.reviewDays()
        case WarehouseTable.account.name: [0]
        case WarehouseTable.card.name: []
        default: try state.read { try $0.days(of: table.name) }
        }
    }

    private func rows(of table: WarehouseTable, _ day: Int64, _ sink: RowSink) throws {
        var writer = RowWriter()
        switch table.name {
        case WarehouseTable.payments.name: try payments(of: day, sink)
        case WarehouseTable.ledgerEntries.name: try entries(of: day, &writer, sink)
        case WarehouseTable.settlements.name:
            try lines(of: day) { try writer.addSettlement($0, day, to: sink) }
        case WarehouseTable.balanceTransaction.name:
            try lines(of: day) { try writer.addBalanceTransaction($0, day, to: sink) }
        case WarehouseTable.fee.name:
            try lines(of: day) { try writer.addFee($0, day, to: sink) }
        case WarehouseTable.reconciliationBreaks.name: try breaks(of: day, &writer, sink)
        case WarehouseTable.reviews.name:
            try source.ledger.reviewEntries(
                from: UTCText.start(ofDay: day), to: UTCText.start(ofDay: day + 1)
            ) { try writer.add($0, day, to: sink) }
        case WarehouseTable.payoutBalanceTransaction.name: try parts(of: day, &writer, sink)
        case WarehouseTable.account.name: try ownAccount(&writer, sink)
        default: try objects(table, of: day, sink)
        }
    }

    // MARK: Page by page

    private func payments(of day: Int64, _ sink: RowSink) throws {
        var last = ""
        while true {
            let place = last
            let page = try state.read {
                try $0.payments(of: day, after: place, limit: Self.pageCount)
            }
            for (movement, payment) in page {
                try sink.add(
                    payment.line(of: movement).utf8,
                    [
                        RowAmount(
                            place: 0, currency: payment.currency, amount: payment.amount)
                    ])
            }
            guard page.count == Self.pageCount, let end = page.last else { return }
            last = end.movement
        }
    }

    private func entries(of day: Int64, _ writer: inout RowWriter, _ sink: RowSink) throws {
        for span in try state.read({ try $0.spans(of: day) }) {
            var last = span.lowerBound - 1
            while last < span.upperBound {
                let limit = min(Int64(Self.pageCount), span.upperBound - last)
                let page = try source.ledger.posted(after: TransactionID(last), limit: Int(limit))
                guard let end = page.last?.id.rawValue else { break }
                for transaction in page { try writer.add(transaction, day, to: sink) }
                last = end
            }
        }
    }

    private func lines(of day: Int64, _ take: (ExportedLine) throws -> Void) throws {
        var place: (created: Instant, id: String)?
        while true {
            let page = try source.statement.lines(
                from: UTCText.start(ofDay: day), to: UTCText.start(ofDay: day + 1), after: place,
                limit: Self.pageCount)
            for line in page { try take(line) }
            guard page.count == Self.pageCount, let end = page.last else { return }
            place = (end.statement.created, end.statement.id)
        }
    }

    private func breaks(of day: Int64, _ writer: inout RowWriter, _ sink: RowSink) throws {
        var last: Int64 = 0
        while true {
            let page = try source.statement.breaks(
                from: UTCText.start(ofDay: day), to: UTCText.start(ofDay: day + 1), after: last,
                limit: Self.pageCount)
            for found in page { try writer.add(found, day, to: sink) }
            guard page.count == Self.pageCount, let end = page.last else { return }
            last = end.id
        }
    }

    private func objects(_ table: WarehouseTable, of day: Int64, _ sink: RowSink) throws {
        var last = ""
        while true {
            let place = last
            let page = try state.read {
                try $0.objects(table.name, of: day, after: place, limit: Self.pageCount)
            }
            for (_, row) in page { try sink.add(row.text.utf8, row.amounts) }
            guard page.count == Self.pageCount, let end = page.last else { return }
            last = end.id
        }
    }

    private func parts(of day: Int64, _ writer: inout RowWriter, _ sink: RowSink) throws {
        var last = (payout: "", line: "")
        while true {
            let place = last
            let page = try state.read {
                try $0.parts(of: day, after: place, limit: Self.pageCount)
            }
            for part in page {
                try writer.addPart(
                    of: part.payout, part.line, synced: part.synced, day, to: sink)
            }
            guard page.count == Self.pageCount, let end = page.last else { return }
            last = (end.payout, end.line)
        }
    }

    /// Exactly one row, whatever was told: readers count every balance once for each account.
    private func ownAccount(_ writer: inout RowWriter, _ sink: RowSink) throws {
        let told = try state.read {
            try $0.objects(WarehouseTable.account.name, of: 0, after: "", limit: 1)
        }
        guard let row = told.first?.row else { return try writer.addOwnAccount(to: sink) }
        try sink.add(row.text.utf8, [])
    }
}

extension KeptRow {
    /// The whole row.
    var text: String {
        guard !back.isEmpty else { return front }
        var value = JSONWriter()
        if let line { value.string(line) } else { value.null() }
        return front + String(decoding: value.bytes, as: UTF8.self) + back
    }

    var amounts: [RowAmount] {
        guard let amount, let currency else { return [] }
        return [RowAmount(place: 0, currency: currency, amount: amount)]
    }
}

extension WarehouseTable {
    /// Whether its rows are kept in the state, which knows what changed; the others are asked of
    /// where they stand each time.
    fileprivate var isKept: Bool {
        ![
            Self.settlements.name, Self.balanceTransaction.name, Self.fee.name,
            Self.reconciliationBreaks.name, Self.reviews.name, Self.account.name, Self.card.name,
        ].contains(name)
    }
}
