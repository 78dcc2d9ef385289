import AppendLog
import TestSupport
import Testing
import TwinSupport

@testable import Appliance
@testable import Twin
@testable import Vocabulary

private let day = ReconcileFixture.day
private let start = ReconcileFixture.start
private let seller = "acct_1SellerOfTheFlows"

/// What is done at the twin, and what our pipeline must make of its webhooks.
struct ConnectFlow: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var act: @Sendable (TwinWorld) throws -> Void

    init(_ name: String, _ act: @escaping @Sendable (TwinWorld) throws -> Void) {
        testDescription = name
        self.act = act
    }

    static let all: [ConnectFlow] = payments + returns + banks

    private static let payments = [
        ConnectFlow("destination payment with a fee, and the seller's payout") { world in
            _ = try destinationPayment(world)
            world.go(to: start + 3 * day)
            try world.post("/v1/payouts", "amount=9000&currency=usd", account: seller)
            world.go(to: start + 6 * day)
        },
        ConnectFlow("destination payment of a part") { world in
            try pay(world, "transfer_data[destination]=\(seller)&transfer_data[amount]=7000")
        },
        ConnectFlow("direct charge with a fee") { world in
            try pay(world, "application_fee_amount=900", account: seller)
        },
        ConnectFlow("charges and transfers of their own, one reversed in part and twice") { world in
            let charge = try pay(world)["latest_charge"]?.text ?? ""
            let transfer = try world.post(
                "/v1/transfers",
                "amount=8000&currency=usd&destination=\(seller)&source_transaction=\(charge)"
            ).id
            try world.post("/v1/transfers/\(transfer)/reversals", "amount=1000")
            try world.post("/v1/transfers/\(transfer)/reversals", "amount=2500")
        },
    ]

    private static let returns = [
        ConnectFlow("refund of a destination payment with its transfer and its fee") { world in
            let charge = try destinationPayment(world)["latest_charge"]?.text ?? ""
            try world.post(
                "/v1/refunds",
                "charge=\(charge)&amount=4000&reverse_transfer=true&refund_application_fee=true")
            try world.post("/v1/refunds", "charge=\(charge)&amount=1000")
        },
        ConnectFlow("refund of a direct charge with its fee") { world in
            let intent = try pay(world, "application_fee_amount=900", account: seller).id
            try world.post(
                "/v1/refunds", "payment_intent=\(intent)&refund_application_fee=true",
                account: seller)
        },
        ConnectFlow("fee refunded by itself") { world in
            _ = try destinationPayment(world)
            let fee = try world.get("/v1/application_fees")["data"].list[0].id
            try world.post("/v1/application_fees/\(fee)/refunds", "amount=300")
        },
        ConnectFlow("disputes of a destination payment, lost, and of a direct charge, won") {
            world in
            try pay(
                world, "transfer_data[destination]=\(seller)", card: "pm_card_createDispute")
            try pay(world, card: "pm_card_createDispute", account: seller)
            let own = try world.get("/v1/disputes")["data"].list[0].id
            try world.post("/twin/disputes/\(own)/close", "status=lost")
            let sellers = try world.get("/v1/disputes", account: seller)["data"].list[0].id
            try world.post("/twin/disputes/\(sellers)/close", "status=won", account: seller)
        },
    ]

    private static let banks = [
        ConnectFlow("bank debit, succeeded") { world in
            try pay(world, card: "pm_usBankAccount_success")
            world.go(to: start + 60)
        },
        ConnectFlow("bank debit, failed after success") { world in
            let intent = try pay(world, card: "pm_usBankAccount_success")
            world.go(to: start + 60)
            try world.post("/twin/charges/\(intent["latest_charge"]?.text ?? "")/fail")
        },
        ConnectFlow("bank debit, failed before success") { world in
            try pay(world, card: "pm_usBankAccount_noAccount")
            world.go(to: start + 60)
        },
        ConnectFlow("top-ups, one reversed, one failed") { world in
            let topUps = try (0..<3).map { _ in
                try world.post("/v1/topups", "amount=5000&currency=usd").id
            }
            try world.post("/twin/topups/\(topUps[2])/fail")
            world.go(to: start + 60)
            try world.post("/twin/topups/\(topUps[1])/reverse")
        },
        ConnectFlow("payouts below zero, paid and failed, and a payout reversed") { world in
            try pay(world, card: "pm_card_bypassPending")
            let payout = try world.post("/v1/payouts", "amount=9000&currency=usd").id
            try world.post("/twin/payouts/debit", "amount=700&currency=usd")
            let bad = try world.post("/twin/payouts/debit", "amount=50&currency=usd").id
            try world.post("/twin/payouts/\(bad)/failed")
            try world.post(
                "/twin/payouts/debit", "amount=123&currency=usd", account: seller)
            world.go(to: start + 3 * day)
            try world.post("/v1/payouts/\(payout)/reverse")
            world.go(to: start + 6 * day)
        },
        ConnectFlow("authorisations canceled, expired and captured in part and in parts") { world in
            let manual = "capture_method=manual"
            let canceled = try pay(world, manual).id
            try world.post("/v1/payment_intents/\(canceled)/cancel")
            _ = try pay(world, manual)
            let partial = try pay(world, manual).id
            try world.post("/v1/payment_intents/\(partial)/capture", "amount_to_capture=3000")
            let parts = try pay(
                world,
                manual + "&payment_method_options[card][request_multicapture]=if_available"
            ).id
            let path = "/v1/payment_intents/\(parts)/capture"
            try world.post(path, "amount_to_capture=2000&final_capture=false")
            try world.post(path, "amount_to_capture=5000")
            world.go(to: start + 8 * day)
        },
    ]

    @discardableResult
    private static func pay(
        _ world: TwinWorld, _ more: String = "", card: String = "pm_card_visa",
        account: String? = nil
    ) throws -> TestJSON {
        let method = more.contains("capture_method") ? "" : "&capture_method=automatic"
        return try world.post(
            "/v1/payment_intents",
            "amount=10000&currency=usd&payment_method=\(card)&confirm=true\(method)&\(more)",
            account: account)
    }

    private static func destinationPayment(_ world: TwinWorld) throws -> TestJSON {
        try pay(world, "transfer_data[destination]=\(seller)&application_fee_amount=1000")
    }
}

@Suite("Money of every kind, from the twin's webhooks to the ledger")
struct TwinConnectFlowTests {
    /// What webhooks tell of an account's balance: everything but the fees of payments, and what
    /// the platform gives a seller back of its fee, which only the statement shows.
    private func toldBalance(_ world: TwinWorld, _ account: String?) throws -> Int64 {
        let rows = try world.get("/v1/balance_transactions", "limit=100", account: account)
        return rows["data"].list.reduce(into: 0) { sum, row in
            let category = row["reporting_category"]?.text ?? ""
            guard category != "fee" else { return }
            sum += row["amount"]?.integer ?? 0
            if category.hasPrefix("dispute") { sum -= row["fee"]?.integer ?? 0 }
        }
    }

    private func processor(_ world: TwinWorld, _ account: String?) throws -> Int64 {
        let name = account.map { "processor:stripe:\($0)" } ?? "processor:stripe"
        return try world.fixture.ledger.standing()["\(name) usd"] ?? 0
    }

    @Test("each account's ledger is what the twin's books tell of it", arguments: ConnectFlow.all)
    func webhooks(flow: ConnectFlow) async throws {
        let world = try TwinWorld(start: start, payouts: .manual, sellers: [seller])
        let fixture = world.fixture
        try await fixture.running {
            try flow.act(world)
            try await world.deliver()
        }
        for account in [nil, seller] {
            #expect(
                try processor(world, account) == toldBalance(world, account), "\(account ?? "")")
        }
        #expect(fixture.topics[.deadLetter].highWatermark.rawValue == 0)
    }
}
