/// A page beside the one that is shown, in the line above it.
struct SectionLink {
    var name, href: String
    var isCurrent: Bool
}

/// The pages of the ledger.
enum LedgerSection: String, CaseIterable {
    case accounts = "Accounts"
    case transactions = "Transactions"
    case waiting = "Waiting"
    case verify = "Verify"
    case export = "Export"

    private var href: String {
        self == .accounts ? "/ledger" : "/ledger/\(rawValue.lowercased())"
    }

    static func links(at current: LedgerSection) -> [SectionLink] {
        allCases.map {
            SectionLink(name: $0.rawValue, href: $0.href, isCurrent: $0 == current)
        }
    }
}

/// The pages of the reports.
enum ReportSection: Hashable {
    case all
    case day(DayReport)
    case reconciliation
    case bank
    case month

    /// - Parameters:
    ///   - period: which days the reports are to show.
    ///   - reports: those that there are.
    ///   - further: those beside the reports by day that there are.
    static func links(
        at current: ReportSection, _ period: String,
        _ reports: [DayReport] = DayReport.allCases,
        further: [ReportSection] = [.reconciliation, .bank, .month]
    ) -> [SectionLink] {
        let reports = reports.map {
            SectionLink(
                name: $0.title, href: "\($0.path)?\(period)", isCurrent: current == .day($0))
        }
        return [
            SectionLink(name: "All", href: "/reports?\(period)", isCurrent: current == .all)
        ] + reports + [
            (ReportSection.reconciliation, "Reconciliation", RunPages.base),
            (.bank, "Bank", BankPages.base), (.month, "Month", MonthPages.base),
        ].filter { further.contains($0.0) }.map { section, name, href in
            SectionLink(name: name, href: href, isCurrent: current == section)
        }
    }
}
