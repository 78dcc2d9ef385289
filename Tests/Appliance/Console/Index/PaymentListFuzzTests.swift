import AppendLog
import Foundation
import TestSupport
import Testing

@testable import Console
@testable import Vocabulary

/// Lists of payments beside the same rows in an array.
@Suite("Lists of payments against a naive model")
struct PaymentListFuzzTests {
    /// The rows, filtered and sorted as one would by hand.
    private struct Model {
        var payments: [ToldPayment] = []

        func list(_ query: PaymentQuery) -> [ToldPayment] {
            payments.filter { Self.matches($0, query) }.sorted { left, right in
                (left.created, left.number) > (right.created, right.number)
            }
        }

        static func matches(_ payment: ToldPayment, _ query: PaymentQuery) -> Bool {
            func fits<Value: Equatable>(_ wanted: Value?, _ value: Value?) -> Bool {
                wanted == nil || wanted == value
            }
            func hasName(_ start: String) -> Bool {
                ["ch_", "pi_", "evt_"].contains { "\($0)\(payment.number)".hasPrefix(start) }
            }
            return fits(query.customer, payment.customer) && fits(query.amount, payment.amount)
                && (query.thousandths == nil
                    || query.thousandths == payment.amount.thousandths(in: payment.currency))
                && fits(query.lastFour, payment.lastFour)
                && (query.verdicts.isEmpty || query.verdicts.contains(payment.verdict))
                && (query.places.isEmpty || query.places.contains(payment.place))
                && query.seenFrom ?? .min <= payment.created * 1_000
                && fits(query.review, payment.review) && fits(query.currency, payment.currency)
                && fits(query.merchant, payment.merchant) && fits(query.account, payment.account)
                && fits(query.charge, payment.charge)
                && query.from?.seconds ?? .min <= payment.created
                && query.to?.seconds ?? .max >= payment.created
                && query.amountFrom ?? .min <= payment.amount
                && query.amountTo ?? .max >= payment.amount
                && (query.name.map(hasName) ?? true)
        }
    }

    /// Each filter is there in one of six cases, so that most ask for one to three at once.
    private static func query(
        among payments: [ToldPayment], using generator: inout SeededGenerator
    ) -> PaymentQuery {
        let like = payments[Int.random(in: 0..<payments.count, using: &generator)]
        var query = PaymentQuery()
        func some(_ change: (inout PaymentQuery) -> Void) {
            if Int.random(in: 0..<6, using: &generator) == 0 { change(&query) }
        }
        some { $0.customer = like.customer }
        some { $0.amount = like.amount }
        some { $0.thousandths = like.amount.thousandths(in: like.currency) }
        some { $0.lastFour = like.lastFour }
        some { $0.verdict = like.verdict }
        some { $0.place = like.place }
        some { $0.verdicts = [.manualReview, .block] }
        some { $0.places = [.payable, .held, .unbooked] }
        some { $0.seenFrom = like.created * 1_000 - 900_000 }
        some { $0.review = like.review ?? .expired }
        some { $0.currency = like.currency }
        some { $0.merchant = like.merchant }
        some { $0.account = like.account }
        some { $0.from = Instant(seconds: like.created - 900) }
        some { $0.to = Instant(seconds: like.created + 900) }
        some { $0.amountFrom = like.amount }
        some { $0.amountTo = like.amount + 1_000 }
        if Int.random(in: 0..<20, using: &generator) == 0 { query.charge = like.charge }
        if Int.random(in: 0..<12, using: &generator) == 0 {
            query.name = String("pi_\(like.number)".prefix(5))
        }
        query.limit = Int.random(in: 1...60, using: &generator)
        return query
    }

    @Test("filters at once list what the model does, page by page, also while payments come",
        arguments: [1, 2, 3] as [UInt64])
    func fuzz(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let fixture = try IndexFixture()
        var model = Model()
        func tell(_ count: Int) throws {
            for _ in 0..<count {
                let payment = ToldPayment.random(model.payments.count, using: &generator)
                fixture.tell(payment)
                model.payments.append(payment)
            }
            try fixture.index.catchUp()
        }
        try tell(700)
        for _ in 0..<300 {
            var query = Self.query(among: model.payments, using: &generator)
            let before = model.list(query)
            let isGrowing = Int.random(in: 0..<10, using: &generator) == 0
            var found: [PaymentRow] = []
            repeat {
                let page = try fixture.index.payments(query)
                try #require(page.rows.count <= query.limit)
                found += page.rows
                query.after = page.next
                if isGrowing, model.payments.count < 2_500 { try tell(3) }
            } while query.after != nil
            let charges = found.map(\.charge)
            let old = Set(before.map(\.charge))
            // In order, each once; those that were there all the while all of them.
            try #require(charges.filter(old.contains) == before.map(\.charge), "\(seed) \(query)")
            try #require(Set(charges).count == charges.count, "\(seed) \(query)")
            query.after = nil
            let now = Set(model.list(query).map(\.charge))
            try #require(now.isSuperset(of: charges), "\(seed) \(query)")
        }
    }

    @Test("a row says what the records said")
    func rows() throws {
        var generator = SeededGenerator(seed: 9)
        let fixture = try IndexFixture()
        let told = (0..<200).map { ToldPayment.random($0, using: &generator) }
        for payment in told { fixture.tell(payment) }
        try fixture.index.catchUp()
        let rows = Dictionary(uniqueKeysWithValues: try fixture.list().map { ($0.charge, $0) })
        #expect(rows.count == told.count && fixture.index.lag == 0)
        for payment in told {
            let row = try #require(rows[payment.charge])
            #expect(row.place == payment.place && row.verdict == payment.verdict)
            #expect(row.review == payment.review && row.lastFour == payment.lastFour)
            #expect(row.told?.amount == payment.amount && row.told?.customer == payment.customer)
            #expect(row.told?.firstSeen == payment.created * 1_000)
            #expect(row.brand == "visa" && row.told?.account == payment.account)
        }
    }
}
