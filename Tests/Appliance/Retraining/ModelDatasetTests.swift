import AppendLog
import Bridges
import Foundation
import Testing

@testable import Appliance
@testable import Daemon
@testable import Vocabulary

@Suite("The training data")
struct ModelDatasetTests {
    private static let day = RetrainingFixture.day

    /// Payments 1…8, what was said of five of them, and one that came behind a dispute.
    private func told() async throws -> RetrainingFixture {
        let fixture = try RetrainingFixture()
        let charges = (1...7).map { PipelineFixture.charge($0, amount: 100 * $0, customer: $0) }
        let late = 20 * 24 * 60  // The charge's number is its minute: day 20.
        try await fixture.process(
            charges + [
                PipelineFixture.intent(8),
                FraudEvidenceTests.dispute("\"ch_1\"", on: 10),
                FraudEvidenceTests.warning("\"ch_2\"", on: 3),
                FraudEvidenceTests.dispute("\"ch_4\"", on: 10, id: "dp_4"),
                FraudEvidenceTests.dispute(
                    "\"ch_4\"", on: 25, status: "won", type: "charge.dispute.closed", id: "dp_4"),
                FraudEvidenceTests.dispute(
                    "\"ch_5\"", on: 10, reason: "product_not_received", id: "dp_5"),
                PipelineFixture.charge(late, customer: 9),
            ],
            reviews: [
                PipelineFixture.decision(3, .declined), PipelineFixture.decision(6, .approved),
            ])
        return fixture
    }

    @Test("labels are those known at a moment; silence counts once it is mature")
    func labels() async throws {
        let fixture = try await told()
        let start = RetrainingFixture.start
        let late = try fixture.dataset(asOf: start + 200 * Self.day)
        let expected: [String: (Int?, String?)] = [
            "charge:ch_1": (1, "dispute"), "charge:ch_2": (1, "early_fraud_warning"),
            "charge:ch_3": (1, "review_declined"), "charge:ch_4": (0, "dispute_won"),
            "charge:ch_5": (0, "none"), "charge:ch_6": (0, "review_approved"),
            "charge:ch_7": (0, "none"), "charge:ch_28800": (0, "none"),
        ]
        #expect(late.rows.count == expected.count)
        for (movement, (label, source)) in expected {
            #expect(late.rows[movement]?.label == label, "\(movement)")
            #expect(late.rows[movement]?.labelSource == source, "\(movement)")
            #expect(late.rows[movement]?.mature == true, "\(movement)")
        }
        #expect(late.summary.fraud == 3 && late.summary.unlabelled == 0)
        #expect(late.summary.withoutFeatures == 1, "the intent names nobody")
        let early = try fixture.dataset(asOf: start + 15 * Self.day)
        #expect(early.rows["charge:ch_4"]?.label == 1, "it was won later")
        let seventh = try #require(early.rows["charge:ch_7"])
        #expect(seventh.label == nil && seventh.labelSource == nil, "nobody knows yet")
        #expect(early.rows["charge:ch_28800"] == nil, "it was paid later")
        #expect(early.rows.values.allSatisfy { !$0.mature })
        #expect(early.summary.unlabelled == 2)
    }

    @Test("features are those of when the payment came, whatever is known by now")
    func leakage() async throws {
        let fixture = try await told()
        let start = RetrainingFixture.start
        let late = try fixture.dataset(asOf: start + 200 * Self.day)
        let early = try fixture.dataset(asOf: start + 15 * Self.day)
        for (movement, row) in early.rows {
            #expect(row.values == late.rows[movement]?.values, "\(movement)")
        }
        // (1 + disputes) / (200 + payments): no dispute had been opened when the seventh came, and
        // three when the last one did. The guest's eighth counts for the merchant too.
        let risk = 3
        let seventh = try #require(late.rows["charge:ch_7"]?.values[risk])
        #expect(abs(seventh - 1.0 / 207) < 1e-7)
        let last = try #require(late.rows["charge:ch_28800"]?.values[risk])
        #expect(abs(last - 4.0 / 209) < 1e-7)
    }

    @Test("the vectors are the log's own, of the scoring that stands")
    func vectors() async throws {
        let fixture = try RetrainingFixture()
        // The intent knows nothing of whose payment it is; the charge does.
        try await fixture.process([
            PipelineFixture.intent(1), PipelineFixture.charge(1, amount: 1000),
            PipelineFixture.charge(2, amount: 700), PipelineFixture.charge(2, amount: 700),
        ])
        let found = try fixture.dataset(asOf: RetrainingFixture.start + 200 * Self.day)
        #expect(found.rows.count == 2 && found.summary.rows == 2)
        #expect(found.summary.withoutFeatures == 0)
        let records = try await fixture.pipeline.opened { opened in
            try opened.records(.paymentFeatures).map {
                try FeaturesRecord($0.record.value ?? [], using: JSONDocument())
            }
        }
        #expect(records.count == 2)
        for record in records {
            let row = try #require(found.rows["charge:\(record.objectID)"])
            #expect(row.values.map { Float($0) } == record.vector.values)
            #expect(row.created == record.vector.asOf.seconds)
        }
    }

    @Test("the manifest counts and names the very bytes; a second run writes the same")
    func manifest() async throws {
        let fixture = try await told()
        let asOf = RetrainingFixture.start + 200 * Self.day
        let (first, again) = (try fixture.dataset(asOf: asOf), try fixture.dataset(asOf: asOf))
        #expect(first.text == again.text && first.summary == again.summary)
        let digest = SHA256.digest(Array(first.text.utf8)[...])
        #expect(first.summary.sha256 == String(hex: digest))
        var writer = JSONWriter()
        first.summary.encode(into: &writer)
        let document = JSONDocument()
        defer { withExtendedLifetime(document) {} }
        let manifest = try document.parse(writer.bytes)
        #expect(manifest["rows"]?.int64 == 8)
        #expect(manifest["labels"]?["dispute"]?.int64 == 1)
        #expect(manifest["labels"]?["none"]?.int64 == 3)
        #expect(manifest["first_created"]?.int64 == RetrainingFixture.start + 60)
        let part = Instant(seconds: RetrainingFixture.start + 120)
        let some = try fixture.dataset(
            asOf: asOf, period: part...Instant(seconds: part.seconds + 60))
        #expect(Set(some.rows.keys) == ["charge:ch_2", "charge:ch_3"])
    }
}
