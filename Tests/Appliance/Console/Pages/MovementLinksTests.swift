import AppendLog
import HTTPTypes
import TestSupport
import Testing
import TwinSupport

@testable import Appliance
@testable import Console
@testable import Vocabulary

/// Every movement that a folder can hold leads somewhere, by its key alone.
@Suite("Links by movements", .timeLimit(.minutes(2)))
struct MovementLinksTests {
    /// All that the validator knows, each as an event of its own, of charges that are there.
    private static let webhooks: [Record] = {
        let cases =
            MovementRows.payments + MovementRows.refunds + MovementRows.disputes
            + MovementRows.payouts + MovementRows.transfers + MovementRows.own
        return cases.enumerated().map { number, row in
            var object = row.object
            if [.string("refund"), .string("dispute")].contains(object["object"]) {
                object = object.with(["charge": .string(MovementRows.ch)])
            }
            let event = StripeExample.event(
                row.type, object, id: "evt_row\(number)", created: 1_760_054_500)
            return PipelineFixture.received(
                String(decoding: event.bytes, as: UTF8.self), event: "evt_row\(number)",
                // Our own types are believed from reconciliation alone.
                endpoint: row.type.hasPrefix("tillbox.") ? "reconcile" : "")
        }
    }()

    /// The movements of every topic that names some, and of the ledger.
    private func movements(_ pages: PageFixture) throws -> (keys: Set<String>, kinds: Set<String>) {
        var (keys, kinds) = (Set<String>(), Set<String>())
        let document = JSONDocument()
        for stored in try pages.pipeline.records(.paymentValidated) {
            let event = try PaymentEvent(stored.record.value ?? [], using: document)
            keys.insert(event.movement.rawValue)
            kinds.insert(event.kind.rawValue)
        }
        for transaction in try pages.pipeline.ledger.posted(after: TransactionID(0), limit: 1_000) {
            keys.insert(transaction.posting.movement.rawValue)
        }
        return (keys, kinds)
    }

    @Test("each is found by the search, and has a page that explains it")
    func everyKind() async throws {
        try await PageFixture.opened(and: Self.webhooks) { pages in
            let (keys, kinds) = try movements(pages)
            #expect(kinds == Set(PaymentKind.allCases.map(\.rawValue)))
            #expect(keys.contains { $0.hasPrefix("review_approved:") })
            for key in keys.sorted() {
                let word = PathText.escaped(key)
                try await expectPage("/ledger/explain?of=\(word)", pages)
                for name in ["q", "movement"] {
                    let path = "/payments?\(name)=\(word)"
                    let list = try await pages.ask(path)
                    if list.status == 200 {
                        #expect(list.text.contains("href=\"/payments/"), "\(path) finds nothing")
                    } else {
                        try await expectPage(path, pages)
                    }
                }
            }
        }
    }

    /// A page, or the one that it sends to.
    private func expectPage(_ path: String, _ pages: PageFixture) async throws {
        var answer = try await pages.ask(path)
        if answer.status == 303, let next = answer.headers[.location] {
            answer = try await pages.ask(next)
        }
        #expect(answer.status == 200, "\(path): \(answer.status)")
    }

    @Test("a refund's movement finds its payment alone, and one that nobody told finds none")
    func refund() async throws {
        try await PageFixture.opened(and: Self.webhooks) { pages in
            let refund = "refund%3A\(MovementRows.re)"
            let found = try await pages.ask("/payments?q=\(refund)")
            #expect(found.status == 200 && found.text.contains("/payments/\(MovementRows.ch)"))
            #expect(!found.text.contains("/payments/ch_1\""), "another payment")
            let none = try await pages.ask("/payments?q=refund%3Are_none")
            #expect(none.status == 200 && !none.text.contains("href=\"/payments/"))
            #expect(try await pages.ask("/ledger/explain?of=refund%3Are_none").status == 404)
        }
    }
}
