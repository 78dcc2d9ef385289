import AppendLog
import Foundation

@testable import Appliance
@testable import Vocabulary

/// Events and files for the tests of features and scores.
enum FeatureFixture {
    /// A payment of 10.00 EUR at `created` seconds, fully known unless told otherwise.
    static func event(
        _ created: Int64, kind: PaymentKind = .payment, movement: String, object: String? = nil,
        amount: Int64 = 1_000, currency: String = "eur", merchant: String = "acct_shop",
        customer: String? = "cus_1", card: String? = "card_1", cardCountry: String? = "DE",
        country: String? = "DE", device: String? = "device_1"
    ) -> PaymentEvent {
        guard let currency = Currency(currency) else {
            preconditionFailure("\(currency) is no currency")
        }
        return PaymentEvent(
            eventID: EventID("evt_\(movement)"), kind: kind, objectID: object ?? "ch_\(movement)",
            movement: MovementKey("\(kind.rawValue):\(movement)"), amount: MinorUnits(amount),
            currency: currency, created: Instant(seconds: created), livemode: false, account: nil,
            merchant: MerchantID(merchant), customer: customer, card: card,
            cardCountry: cardCountry, country: country, device: device, outcome: nil,
            balanceTransaction: nil, related: nil, fee: .zero)
    }

    /// A day in October 2025, at midnight UTC.
    static let midnight: Int64 = 1_760_054_400

    static let repository = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    static func model(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: repository.appending(path: "model/\(name)")))
    }
}

/// Streams of events over few names, so that everything that can meet meets.
struct RandomStream {
    var generator: SeededGenerator
    private var made = 0
    private var time = FeatureFixture.midnight

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    mutating func next() -> PaymentEvent {
        made += 1
        time += Int64.random(in: 0...300, using: &generator)
        let kinds: [PaymentKind] = [
            .payment, .payment, .payment, .payment, .paymentFailed, .disputeOpened, .refund,
        ]
        let number = Int.random(in: max(0, made - 40)...made, using: &generator)
        let late = Int64.random(in: 0...20_000, using: &generator)
        return FeatureFixture.event(
            time - (made % 3 == 0 ? late : 0), kind: pick(kinds), movement: "\(number)",
            object: pick(["ch_\(number)", "pi_\(number)"]),
            amount: Int64.random(in: 0...100_000, using: &generator),
            currency: pick(["eur", "usd", "gbp", "jpy", "chf", "sek"]),
            merchant: "acct_\(Int.random(in: 0...5, using: &generator))",
            customer: pick([nil, "cus_\(Int.random(in: 0...6, using: &generator))"]),
            card: pick([nil, "card_\(Int.random(in: 0...6, using: &generator))"]),
            cardCountry: pick([nil, "DE", "FR"]), country: pick([nil, "DE", "FR"]),
            device: pick([nil, "a", "b", String(repeating: "long", count: 20)]))
    }

    mutating func events(_ count: Int) -> [PaymentEvent] { (0..<count).map { _ in next() } }

    private mutating func pick<Value>(_ values: [Value]) -> Value {
        values[Int.random(in: 0..<values.count, using: &generator)]
    }
}
