@testable import Appliance
@testable import Vocabulary

/// One customer's purchases in order, through the real feature engine and the embedded model.
struct Purchases {
    /// What became of one purchase.
    struct Judged {
        let verdict: Verdict
        let score: Float
        let vector: FeatureVector
    }

    /// Who buys, and from where; change it between purchases.
    struct Payer {
        var customer: String? = "cus_1"
        var card: String? = "card_1"
        var cardCountry: String? = "DE"
        var country: String? = "DE"
        var device: String? = "phone"
    }

    var payer = Payer()
    var now = FeatureFixture.midnight
    private var made = 0
    private var scoring: EmbeddedScoring

    /// About what the customer usually spends.
    static let usual: Int64 = 4_000
    static let minute: Int64 = 60
    static let hour: Int64 = 3_600
    static let day: Int64 = 86_400

    init() throws {
        let model = try FraudModelFixture.embedded()
        scoring = Scoring(verdicts: Verdicts(thresholds: model.schema.thresholds), model: model)
    }

    /// A purchase, this many seconds after whatever came before.
    @discardableResult
    mutating func buy(_ amount: Int64 = usual, after seconds: Int64) throws -> Judged {
        now += seconds
        let outcome = scoring.score([event(.payment, amount)])[0]
        guard let payment = outcome.payment, let score = payment.score,
            let vector = outcome.features
        else { throw Unjudged() }
        return Judged(verdict: payment.verdict, score: Float(score), vector: vector)
    }

    struct Unjudged: Error {}

    /// As many purchases, each this long after the one before.
    mutating func buy(times: Int, each amount: Int64 = usual, every seconds: Int64) throws
        -> [Judged]
    {
        try (0..<times).map { _ in try buy(amount, after: seconds) }
    }

    mutating func fail(_ amount: Int64 = usual, after seconds: Int64) {
        now += seconds
        _ = scoring.score([event(.paymentFailed, amount)])
    }

    /// Half a month of ordinary days: amounts from 2,600 to 5,400, all of them approved.
    mutating func becomeRegular() throws {
        for step in 0..<14 {
            let amount = Self.usual + Int64(step * 37 % 15 - 7) * 200
            let judged = try buy(amount, after: Self.day - Int64(step % 5) * Self.hour)
            guard judged.verdict == .approve else { throw Unjudged() }
        }
        now += Self.day
    }

    private mutating func event(_ kind: PaymentKind, _ amount: Int64) -> PaymentEvent {
        made += 1
        return FeatureFixture.event(
            now, kind: kind, movement: "\(made)", amount: amount, customer: payer.customer,
            card: payer.card, cardCountry: payer.cardCountry, country: payer.country,
            device: payer.device)
    }
}

enum FraudModelFixture {
    /// The model this binary was built with.
    static func embedded() throws -> FraudModel { try ModelLocation.embedded.load() }
}
