import Testing

@testable import Appliance
@testable import Console
@testable import Vocabulary

@Suite("What an account is, in words")
struct AccountWordsTests {
    @Test("every account that the ledger makes has words", arguments: [
        (.processor(of: nil), "What Stripe holds"),
        (.processor(of: "acct_1"), "What Stripe holds"),
        (.bank(Currency("kwd")!, of: nil), "What Stripe has sent to the bank"),
        (.fees(of: "acct_1"), "What Stripe charged"),
        (.applicationFees, "What connected accounts were charged"),
        (.transfers(to: nil), "Between two Stripe accounts"),
        (.transfers(to: "acct_1"), "Between two Stripe accounts"),
        (.counter(.adjustments, Currency("usd")!, of: nil), "What Stripe corrected"),
        (.counter(.reserves, Currency("usd")!, of: nil), "What Stripe keeps in reserve"),
        (.counter(.exchange, Currency("usd")!, of: nil), "What was converted at Stripe"),
        (.counter(.bankCharges, Currency("usd")!, of: nil), "What banks kept"),
        (.funds(of: MerchantID("a:b"), in: .payable), "Due to the merchant"),
        (.funds(of: MerchantID("a:b"), in: .held), "Held until a person decides"),
        (.funds(of: MerchantID("a:b"), in: .refundDue), "To be paid back after a decline"),
        (.disputed(MerchantID("a:b")), "Withdrawn for disputes"),
    ] as [(Appliance.AccountName, String)])
    func words(account: Appliance.AccountName, expected: String) {
        #expect(account.words == expected)
    }

    @Test("a name that says nothing is left without words")
    func none() {
        #expect(Appliance.AccountName("merchant:m:else").words == nil)
        #expect(Appliance.AccountName("petty").words == nil)
    }
}
