import Foundation
import Testing

@testable import Appliance
@testable import Vocabulary

@Suite("docs/formats/records.md")
struct RecordsDocumentTests {
    private static let page: String? = {
        let path = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../../docs/formats/records.md")
        return try? String(contentsOf: path, encoding: .utf8)
    }()

    /// The example of a topic, without the line breaks and indents that are there for the reader.
    private func example(_ topic: String) throws -> String {
        let page = try #require(Self.page)
        let start = try #require(page.firstRange(of: "```json \(topic)\n")).upperBound
        let end = try #require(page[start...].firstRange(of: "\n```")).lowerBound
        return page[start..<end].split(separator: "\n")
            .map { $0.trimmingCharacters(in: .whitespaces) }.joined()
    }

    private func expectSame<Record: JSONRecord>(_ topic: String, _: Record.Type) throws {
        let example = try example(topic)
        let record = try Record(Array(example.utf8), using: JSONDocument())
        #expect(String(decoding: record.encoded(), as: UTF8.self) == example)
        #expect(Record.schema.description == "\(topic)/1")
        #expect(try #require(Self.page).contains("Schema `\(Record.schema)`"))
    }

    @Test("each example reads, and is written again byte for byte")
    func examples() throws {
        try expectSame("payment.validated", PaymentEvent.self)
        try expectSame("payment.features", FeaturesRecord.self)
        try expectSame("payment.scored", ScoredPayment.self)
        try expectSame("payment.review", ReviewRecord.self)
        try expectSame("ledger.posted", LedgerPosted.self)
    }

    @Test("the page names every reason of a dead letter and of an ignored event, and every kind")
    func codes() throws {
        let page = try #require(Self.page)
        let ignored: [IgnoredReason] = [
            .typeNotHandled, .notCaptured, .failedWithoutCharge, .refundsNotListed,
            .refundRequiresAction, .inquiry, .nothingCharged, .nothingMoved,
        ]
        let names =
            ValidationRefusal.Code.allCases.map(\.rawValue) + ignored.map(\.rawValue)
            + PaymentKind.allCases.map(\.rawValue)
        for name in names { #expect(page.contains("`\(name)`"), "\(name)") }
    }
}
