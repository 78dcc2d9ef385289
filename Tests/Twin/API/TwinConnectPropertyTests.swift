import Testing
import TwinSupport

@testable import Traffic
@testable import Twin
@testable import Vocabulary

/// Random histories of a platform with two sellers.
@Suite("Any history of a platform and its sellers")
struct TwinConnectPropertyTests {
    static let sellers = ["acct_1FirstSellerOfAll", "acct_1OtherSellerOfAll"]

    @Test(
        "each account's balance is the sum of its own lines, and what one gives another gets",
        arguments: 1...6)
    func conserved(seed: Int) throws {
        var history = try ConnectHistory(seed: UInt64(seed))
        var moved: Set<String> = []
        for step in 0..<160 {
            history.step()
            guard step.isMultiple(of: 20) || step == 159 else { continue }
            for account in [nil] + Self.sellers.map(Optional.some) {
                let sum = history.caller.sumOfTransactions(account)
                #expect(history.caller.balance(account) == sum, "step \(step), \(account ?? "own")")
            }
            let own = history.caller.twin.read { Flows(of: $0) } ?? Flows()
            var sellers = Flows()
            for seller in Self.sellers {
                sellers.add(history.caller.twin.read(seller) { Flows(of: $0) } ?? Flows())
            }
            #expect(own.transferred == -sellers.transferred, "step \(step)")
            #expect(own.fees == -sellers.fees, "step \(step)")
            moved.formUnion(own.kinds)
        }
        // Otherwise the histories would prove nothing.
        #expect(moved.isSuperset(of: ["transfer", "transfer_refund", "application_fee"]))
    }

    @Test(
        "a twin that makes the same calls again has the same books, to the byte", arguments: [7, 8])
    func repeated(seed: Int) throws {
        var (first, second) = (
            try ConnectHistory(seed: UInt64(seed)), try ConnectHistory(seed: UInt64(seed))
        )
        for _ in 0..<80 {
            first.step()
            second.step()
        }
        #expect(first.caller.told.events.map(\.body) == second.caller.told.events.map(\.body))
    }

    /// What goes from account to account: with its sign, in one currency.
    private struct Flows {
        var transferred: Int64 = 0
        var fees: Int64 = 0
        var kinds: Set<String> = []

        init() {}

        init(of books: TwinBooks) {
            for place in 0..<books.transactions.count {
                let row = books.transactions[Ref(place)]
                kinds.insert(row.kind.rawValue)
                switch (row.kind, row.source) {
                case (.transfer, _), (.transferRefund, _): transferred += row.amount
                case (.applicationFee, _), (.applicationFeeRefund, _): fees += row.amount
                case (.adjustment, .foreign): fees += row.amount
                case (.payment, .charge(let ref))
                where books.charges[ref].traces?.value.sourceTransfer != nil:
                    transferred += row.amount
                case (.paymentRefund, .refund(let ref))
                where books.refunds[ref].sourceReversal != nil:
                    transferred += row.amount
                default: break
                }
                // Of a debit that is pending the platform has nothing yet.
                if case .charge(let ref) = row.source, books.charges[ref].isPending { continue }
                fees -= row.applicationFee
            }
        }

        mutating func add(_ other: Flows) {
            transferred += other.transferred
            fees += other.fees
            kinds.formUnion(other.kinds)
        }
    }
}

/// Calls at random, whatever they come to.
private struct ConnectHistory {
    let caller: TwinCaller
    private var random: TwinRandom

    init(seed: UInt64) throws {
        caller = try TwinCaller {
            $0.seed = seed
            $0.connectedAccounts = TwinConnectPropertyTests.sellers
        }
        random = TwinRandom(seed: seed)
    }

    mutating func step() {
        switch random.index(below: 12) {
        case 0...2: payDestination()
        case 3, 4: payDirectly()
        case 5: transfer()
        case 6: reverse()
        case 7, 8: refund()
        case 9: refundFee()
        case 10: bank()
        default: caller.wait(random.integer(1...(86_400 * 2)))
        }
    }

    private mutating func seller() -> String {
        TwinConnectPropertyTests.sellers[random.index(below: 2)]
    }

    private mutating func pick(_ path: String, _ account: String? = nil) -> TestJSON? {
        let list = caller.list("/v1/\(path)", "limit=20", account: account)
        return list.isEmpty ? nil : list[random.index(below: list.count)]
    }

    private mutating func pay(_ more: String, _ account: String? = nil) {
        let card = [
            "pm_card_visa", "pm_card_visa", "pm_card_createDispute", "pm_card_refundFail",
            "pm_card_bypassPending", "pm_card_chargeDeclined", "pm_usBankAccount_success",
            "pm_usBankAccount_noAccount",
        ][random.index(below: 8)]
        let method = ["automatic", "automatic_async", "manual"][random.index(below: 3)]
        let answer = caller.post(
            "/v1/payment_intents",
            "amount=\(random.integer(100...90_000))&currency=usd&payment_method=\(card)"
                + "&confirm=true&capture_method=\(method)&\(more)", account: account)
        guard answer.json["status"] == "requires_capture", random.chance(0.8) else { return }
        let part = random.chance(0.5) ? "amount_to_capture=\(random.integer(1...20_000))" : ""
        _ = caller.post("/v1/payment_intents/\(answer.json.id)/capture", part, account: account)
    }

    private mutating func payDestination() {
        let fee = random.integer(0...9_000)
        let what = random.chance(0.6) ? "application_fee_amount" : "transfer_data[amount]"
        pay("transfer_data[destination]=\(seller())&\(what)=\(fee)")
    }

    private mutating func payDirectly() {
        pay("application_fee_amount=\(random.integer(0...9_000))", seller())
    }

    private mutating func transfer() {
        let charge = random.chance(0.6) ? pick("charges") : nil
        _ = caller.post(
            "/v1/transfers",
            "amount=\(random.integer(1...30_000))&currency=usd&destination=\(seller())"
                + (charge.map { "&source_transaction=\($0.id)" } ?? ""))
    }

    private mutating func reverse() {
        guard let transfer = pick("transfers") else { return }
        _ = caller.post(
            "/v1/transfers/\(transfer.id)/reversals",
            "amount=\(random.integer(1...30_000))&refund_application_fee=\(random.chance(0.5))")
    }

    private mutating func refund() {
        let account = random.chance(0.5) ? seller() : nil
        guard let charge = pick("charges", account) else { return }
        _ = caller.post(
            "/v1/refunds",
            "charge=\(charge.id)&amount=\(random.integer(1...40_000))"
                + "&reverse_transfer=\(account == nil && random.chance(0.7))"
                + "&refund_application_fee=\(random.chance(0.5))", account: account)
    }

    private mutating func refundFee() {
        guard let fee = pick("application_fees") else { return }
        _ = caller.post(
            "/v1/application_fees/\(fee.id)/refunds", "amount=\(random.integer(1...5_000))")
    }

    private mutating func bank() {
        let account = random.chance(0.5) ? seller() : nil
        switch random.index(below: 4) {
        case 0:
            _ = caller.post("/v1/topups", "amount=\(random.integer(1...9_000))&currency=usd")
        case 1:
            if let topUp = pick("topups") { _ = caller.post("/twin/topups/\(topUp.id)/reverse") }
        case 2: _ = caller.post("/twin/payouts/debit", "currency=usd", account: account)
        default:
            guard let charge = pick("charges", account) else { return }
            _ = caller.post("/twin/charges/\(charge.id)/fail", account: account)
        }
    }
}
