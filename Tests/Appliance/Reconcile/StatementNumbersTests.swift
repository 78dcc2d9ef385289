import Testing

@testable import Appliance
@testable import Reconcile
@testable import Vocabulary

/// Numbers of Stripe's answers that contradict each other, or themselves, are no numbers.
@Suite("Numbers of a statement")
struct StatementNumbersTests {
    private static func line(amount: Int64, fee: Int64, net: Int64) throws -> BalanceTransaction {
        let document = JSONDocument()
        return try withExtendedLifetime(document) {
            try BalanceTransaction(
                json: try document.parse(
                    Array(
                        """
                        {"id":"txn_1","type":"charge","source":"ch_1","amount":\(amount),\
                        "fee":\(fee),"net":\(net),"currency":"usd","created":1790000000,\
                        "exchange_rate":null}
                        """.utf8)))
        }
    }

    @Test("what a line nets is its amount less its fee", arguments: [
        (1000, 59, 941), (-1000, 0, -1000), (0, 250, -250), (-500, -30, -470),
    ] as [(Int64, Int64, Int64)])
    func agrees(amount: Int64, fee: Int64, net: Int64) throws {
        #expect(try Self.line(amount: amount, fee: fee, net: net).net == MinorUnits(net))
    }

    @Test("a line whose net is another is not read", arguments: [
        (1000, 100, 1_000_899), (1000, 59, 940), (1000, 59, 1059),
        (Int64.max, -1, Int64.max), (Int64.min + 1, 2, Int64.max),
    ] as [(Int64, Int64, Int64)])
    func disagrees(amount: Int64, fee: Int64, net: Int64) {
        #expect(throws: RecordCodecError.field("net")) {
            try Self.line(amount: amount, fee: fee, net: net)
        }
    }

    @Test("a sum that does not fit is refused and does not wrap")
    func sums() throws {
        var sum = Int64.max - 1
        try sum.add(1)
        #expect(sum == .max)
        #expect(throws: StripeError.self) { try sum.add(1) }
        #expect(sum == .max)
    }
}
