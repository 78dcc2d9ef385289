package import Vocabulary

/// Every transaction of a period in a format, a page at a time.
package struct LedgerExport {
    package var format: LedgerExportFormat
    /// What took effect between these, both included.
    package var from = Instant(seconds: .min)
    package var to = Instant(seconds: .max)
    package init(format: LedgerExportFormat) { self.format = format }

    /// Transactions that are held at a time.
    var pageCount = 1_000

    /// - Parameters:
    ///   - progress: told the last transaction that is done, and the last of all.
    ///   - write: takes the next piece of text.
    package func run(
        _ ledger: any LedgerReading, progress: (Int64, Int64) -> Void = { _, _ in },
        _ write: (String) throws -> Void
    ) throws {
        let head = try ledger.head()
        let accounts =
            format.opensAccounts
            ? try ledger.openedAccounts(from: from, to: to, through: TransactionID(head)) : []
        try write(format.header(accounts, through: head))
        var (last, isFirst) = (Int64(0), true)
        while last < head {
            let page = try ledger.posted(after: TransactionID(last), limit: pageCount)
            guard let end = page.last?.id.rawValue else { break }
            var text = ""
            for transaction in page where transaction.id.rawValue <= head {
                let effective = transaction.posting.effectiveAt
                guard effective >= from, effective <= to else { continue }
                text += format.text(of: transaction, isFirst: isFirst)
                isFirst = false
            }
            try write(text)
            last = end
            progress(min(last, head), head)
        }
        try write(format.footer)
    }
}
