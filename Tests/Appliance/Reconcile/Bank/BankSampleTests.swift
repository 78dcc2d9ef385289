import Foundation
import Testing

@testable import Appliance
@testable import Command
@testable import Reconcile
@testable import Vocabulary

/// The samples of docs/examples/bank: what docs/BANK.md prints of them is what comes of them.
@Suite("The bank's sample files")
struct BankSampleTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../../..").standardized

    private static func bytes(_ path: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: root.appendingPathComponent(path)))
    }

    private func statements(_ name: String) throws -> [BankStatement] {
        let mapping = try BankCSVMapping(json: Self.bytes("docs/examples/bank/mapping.json"))
        return try BankFile.statements(
            in: Self.bytes("docs/examples/bank/\(name)"),
            mapping: name.hasSuffix("csv") ? mapping : nil)
    }

    private func page() throws -> String {
        String(decoding: try Self.bytes("docs/BANK.md"), as: UTF8.self)
    }

    @Test("the page prints what --dry-run says of the first, and names commands for all of them")
    func dryRun() throws {
        let text = BankCommand.Import.text(of: try statements("statement.xml"))
        #expect(try page().contains("```\n\(text)\n```"), "\(text)")
        for name in ["statement.xml", "statement.sta", "statement.csv", "mapping.json"] {
            #expect(try page().contains("docs/examples/bank/\(name)"), "\(name)")
        }
        let lines = try ["statement.xml", "statement.sta", "statement.csv"].map { name in
            let statement = try #require(try statements(name).first)
            return statement.entries.map { "\($0.day) \($0.amount) \($0.reference ?? "")" }
                + ["\(statement.account) \(statement.days)"]
        }
        #expect(lines[0].count == 4 && lines[1] == lines[0] && lines[2] == lines[0])
    }

    @Test("the page prints what the import of each of them leads to", arguments: [
        "statement.xml", "statement.sta", "statement.csv",
    ])
    func imported(name: String) throws {
        let statement = try #require(try statements(name).first)
        let entries = statement.entries.enumerated().map { place, entry in
            OpenBankEntry(
                id: Int64(place), currency: statement.currency, day: entry.day,
                amount: entry.amount, text: entry.text)
        }
        let payouts = try [
            payout(1, "po_SampleOne", 125_000, due: "2026-10-05"),
            payout(2, "po_SampleTwo", 82_005, due: "2026-10-06"),
            payout(3, "po_SampleThree", 99_000, due: "2026-10-08"),
        ]
        let matches = BankMatcher.matches(
            entries, payouts, through: [statement.currency: statement.days.upperBound])
        let settled = payouts.map { payout in
            let match = matches.first { $0.movement == payout }
            return SettledBankMovement(
                movement: payout,
                entry: match.map { match in
                    let entry = statement.entries[Int(match.entry)]
                    return .init(day: entry.day, amount: entry.amount, text: entry.text)
                })
        }
        let kept = matches.reduce(Int64(0)) { $0 + $1.kept.rawValue }
        let sent = payouts.reduce(Int64(0)) { $0 + $1.amount.rawValue }
        let report = BankReport(
            settled,
            open: entries.filter { entry in !matches.contains { $0.entry == entry.id } },
            [
                StoredBankStatement(
                    account: statement.account, currency: statement.currency,
                    days: statement.days, opening: statement.opening?.rawValue,
                    closing: statement.closing?.rawValue)
            ], [statement.currency: (sent - kept, -kept)])
        #expect(report.isClean)
        let text = try shown(report)
        #expect(try page().contains("```\n\(text)\n```"), "\(text)")
    }

    private func payout(
        _ transaction: Int64, _ id: String, _ amount: Int64, due: String
    ) throws -> BankMovement {
        let day = try #require(BankDay(due))
        return BankMovement(
            transaction: transaction, key: "payout:\(id)", currency: try #require(Currency("eur")),
            amount: MinorUnits(amount), sent: day + -2, due: day)
    }

    private func shown(_ report: BankReport) throws -> String {
        var writer = JSONWriter()
        writer.beginObject()
        report.encode(into: &writer, all: false)
        writer.endObject()
        let document = JSONDocument(bytesMax: writer.bytes.count)
        return try withExtendedLifetime(document) {
            BankText.of(try document.parse(writer.bytes))
        }
    }
}
