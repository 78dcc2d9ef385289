import Testing

@testable import Appliance
@testable import Vocabulary

/// What `model/CARD.md` promises, read from its tables; `TrainingTests` shows that they are
/// measured.
@Suite("The model card")
struct ModelCardTests {
    struct Row {
        let name: String
        let payments, approved, reviewed, blocked: Int
        var held: Int { reviewed + blocked }
    }

    /// The rows of every table whose columns are payments, approve, review and block.
    private static func rows(under heading: String) throws -> [Row] {
        let text = String(decoding: try FeatureFixture.model("CARD.md"), as: UTF8.self)
        let sections = text.split(separator: "\n### ").dropFirst()
        let section = try #require(sections.first { $0.hasPrefix(heading) })
        return section.split(separator: "\n").compactMap { line in
            let cells = line.split(separator: "|").map { $0.split(separator: " ") }
            // The counts; the shares stand behind them in brackets.
            let numbers = cells.dropFirst().compactMap { $0.first.flatMap { Int($0) } }
            guard line.hasPrefix("|"), numbers.count == 4 else { return nil }
            return Row(
                name: cells[0].joined(separator: " "), payments: numbers[0], approved: numbers[1],
                reviewed: numbers[2], blocked: numbers[3])
        }
    }

    @Test("counts verdicts on every ordinary kind, and hardly any is blocked")
    func ordinaryKinds() throws {
        let rows = try Self.rows(under: "Ordinary traffic")
        let kinds = [
            "new guest", "new customer", "returning", "several purchases in a minute",
            "busy hour", "foreign card", "new device", "large first order",
            "large order of a returning customer", "subscription renewal", "gift", "traveller",
            "shared card or account", "declined, then paid", "sales day",
        ]
        #expect(rows.map(\.name) == kinds + (2...10).map { "\($0) in a minute" })
        for row in rows {
            #expect(row.payments == row.approved + row.held, "\(row)")
            #expect(row.payments >= 100, "\(row)")
            #expect(row.blocked * 100 <= row.payments, "\(row)")
            #expect(row.held * 10 <= row.payments, "\(row)")
        }
        for row in rows where row.name.contains("in a minute") {
            #expect(row.blocked == 0, "\(row)")
        }
    }

    @Test("still finds the patterns of fraud")
    func frauds() throws {
        let rows = try Self.rows(under: "Fraud, by pattern")
        let shares = rows.map { Double($0.held) / Double($0.payments) }
        #expect(
            rows.map(\.name) == [
                "card testing", "stolen card burst", "account takeover",
                "quiet fraud at a risky merchant",
            ])
        for (share, least) in zip(shares, [0.85, 0.8, 0.7, 0.4]) {
            #expect(share >= least, "\(rows)")
        }
    }
}
