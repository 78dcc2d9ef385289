/// One of Stripe's test cards and what it does (docs.stripe.com/testing).
struct TestCard: Hashable, Sendable {
    /// What a test card does besides paying.
    enum Behaviour: Hashable, Sendable {
        case succeeds
        case declines(DeclineCode)
        /// Can be saved, and only then declines.
        case declinesOnceAttached
        case disputes(reason: String, isInquiry: Bool)
        /// A refund starts as pending and then succeeds.
        case refundPends
        /// A refund starts as succeeded and then fails.
        case refundFails
        /// The money is available at once.
        case bypassesPending
        /// 3-D Secure is required, and then the payment succeeds, or not.
        case authenticates(then: DeclineCode?)
    }

    var number: String
    var brand: String
    var country: String
    var funding = "credit"
    /// `visa` of `pm_card_visa` and `tok_visa`.
    var names: [String] = []
    var behaviour = Behaviour.succeeds
    var checkCVC = "pass"
    var checkPostalCode: String? = "pass"
    var checkLine1: String? = "pass"
    var riskLevel = "normal"

    var lastFour: String { String(number.suffix(4)) }
}

/// The test cards that Stripe documents, found by number or by name.
enum TestCardCatalogue {
    /// - Parameter number: digits, blanks allowed.
    static func card(number: String) -> TestCard? {
        byNumber[number.filter { $0 != " " }]
    }

    /// - Parameter name: `pm_card_…` or `tok_…`.
    static func card(named name: String) -> TestCard? {
        if name.hasPrefix("pm_card_") { return byName[String(name.dropFirst(8))] }
        if name.hasPrefix("tok_") { return byName[String(name.dropFirst(4))] }
        return nil
    }

    private static let byNumber = Dictionary(
        all.map { ($0.number, $0) }, uniquingKeysWith: { first, _ in first })

    private static let byName = Dictionary(
        all.flatMap { card in card.names.map { ($0, card) } },
        uniquingKeysWith: { first, _ in first })

    static let all: [TestCard] = brands + countries + declines + risks + aftermaths + secure

    private static let brands: [TestCard] = [
        card("4242424242424242", "visa", "US", names: ["visa", "us"]),
        card("4000056655665556", "visa", "US", "debit", names: ["visa_debit"]),
        card("5555555555554444", "mastercard", "US", names: ["mastercard"]),
        card("2223003122003222", "mastercard", "US", names: ["mastercard_2"]),
        card("5200828282828210", "mastercard", "US", "debit", names: ["mastercard_debit"]),
        card("5105105105105100", "mastercard", "US", "prepaid", names: ["mastercard_prepaid"]),
        card("378282246310005", "amex", "US", names: ["amex"]),
        card("371449635398431", "amex", "US", names: ["amex_2"]),
        card("6011111111111117", "discover", "US", names: ["discover"]),
        card("6011000990139424", "discover", "US", names: ["discover_2"]),
        card("6011981111111113", "discover", "US", "debit", names: ["discover_debit"]),
        card("3056930009020004", "diners", "US", names: ["diners"]),
        card("36227206271667", "diners", "US", names: ["diners_14digits"]),
        card("3566002020360505", "jcb", "JP", names: ["jcb"]),
        card("6200000000000005", "unionpay", "CN", names: ["unionpay"]),
        card("6200000000000047", "unionpay", "CN", "debit", names: ["unionpay_debit"]),
    ]

    private static let countries: [TestCard] = [
        ("4000000320000021", "AR"), ("4000000760000002", "BR"), ("4000001240000000", "CA"),
        ("4000001520000001", "CL"), ("4000001700000003", "CO"), ("4000004840008001", "MX"),
        ("4000007840000001", "AE"), ("4000000400000008", "AT"), ("4000000560000004", "BE"),
        ("4000001000000000", "BG"), ("4000001960000008", "CY"), ("4000002030000002", "CZ"),
        ("4000002080000001", "DK"), ("4000002330000009", "EE"), ("4000002460000001", "FI"),
        ("4000002500000003", "FR"), ("4000002760000016", "DE"), ("4000003000000030", "GR"),
        ("4000003480000005", "HU"), ("4000003720000005", "IE"), ("4000003800000008", "IT"),
        ("4000004280000005", "LV"), ("4000004400000000", "LT"), ("4000004420000006", "LU"),
        ("4000005280000002", "NL"), ("4000005780000007", "NO"), ("4000006160000005", "PL"),
        ("4000006200000007", "PT"), ("4000006420000001", "RO"), ("4000006820000007", "SA"),
        ("4000007050000006", "SI"), ("4000007030000001", "SK"), ("4000007240000007", "ES"),
        ("4000007520000008", "SE"), ("4000007560000009", "CH"), ("4000008260000000", "GB"),
        ("4000000360000006", "AU"), ("4000001560000002", "CN"), ("4000003440000004", "HK"),
        ("4000003560000008", "IN"), ("4000003920000003", "JP"), ("4000004580000002", "MY"),
        ("4000005540000008", "NZ"), ("4000007020000003", "SG"), ("4000007640000003", "TH"),
    ].map { card($0.0, "visa", $0.1, names: [$0.1.lowercased()]) }

    private static let declines: [TestCard] = [
        refused("0000000002", .genericDecline, ["chargeDeclined", "visa_chargeDeclined"]),
        refused(
            "0000009995", .insufficientFunds,
            ["chargeDeclinedInsufficientFunds", "visa_chargeDeclinedInsufficientFunds"]),
        refused("0000009987", .lostCard, ["visa_chargeDeclinedLostCard"]),
        refused("0000009979", .stolenCard, ["visa_chargeDeclinedStolenCard"]),
        refused("0000000069", .expiredCard, ["chargeDeclinedExpiredCard"]),
        refused("0000000127", .incorrectCVC, ["chargeDeclinedIncorrectCvc"]),
        refused("0000000119", .processingError, ["chargeDeclinedProcessingError"]),
        refused(
            "0000006975", .cardVelocityExceeded, ["visa_chargeDeclinedVelocityLimitExceeded"]),
        card(
            "4100000000000019", "visa", "US", names: ["radarBlock", "chargeDeclinedFraudulent"],
            behaviour: .declines(.fraudulent)),
        card(
            "4000000000000341", "visa", "US", names: ["chargeCustomerFail"],
            behaviour: .declinesOnceAttached),
    ]

    private static let risks: [TestCard] = [
        changed("4000000000004954", "riskLevelHighest") { $0.riskLevel = "highest" },
        changed("4000000000009235", "riskLevelElevated") { $0.riskLevel = "elevated" },
        changed("4000000000000101", "cvcCheckFail") { $0.checkCVC = "fail" },
        changed("4000000000000036", "avsZipFail") { $0.checkPostalCode = "fail" },
        changed("4000000000000028", "avsLine1Fail") { $0.checkLine1 = "fail" },
        changed("4000000000000010", "avsFail") {
            $0.checkPostalCode = "fail"
            $0.checkLine1 = "fail"
        },
        changed("4000000000000044", "avsUnchecked") {
            $0.checkPostalCode = "unavailable"
            $0.checkLine1 = "unavailable"
        },
    ]

    private static let aftermaths: [TestCard] = [
        changed("4000000000000259", "createDispute") {
            $0.behaviour = .disputes(reason: "fraudulent", isInquiry: false)
        },
        changed("4000000000002685", "createDisputeProductNotReceived") {
            $0.behaviour = .disputes(reason: "product_not_received", isInquiry: false)
        },
        changed("4000000000001976", "createDisputeInquiry") {
            $0.behaviour = .disputes(reason: "fraudulent", isInquiry: true)
        },
        changed("4000000000007726", "pendingRefund") { $0.behaviour = .refundPends },
        changed("4000000000005126", "refundFail") { $0.behaviour = .refundFails },
        changed("4000000000000077", "bypassPending") { $0.behaviour = .bypassesPending },
        changed("4000003720000278", "bypassPendingInternational") {
            $0.behaviour = .bypassesPending
            $0.country = "IE"
        },
    ]

    private static let secure: [TestCard] = [
        changed("4000002500003155", "authenticationRequiredOnSetup") {
            $0.behaviour = .authenticates(then: nil)
            $0.country = "FR"
        },
        changed("4000002760003184", "authenticationRequired") {
            $0.behaviour = .authenticates(then: nil)
            $0.country = "DE"
        },
        changed("4000000000003220", "threeDSecure2Required") {
            $0.behaviour = .authenticates(then: nil)
        },
        changed("4000008400001629", "threeDSecureRequiredChargeDeclined") {
            $0.behaviour = .authenticates(then: .genericDecline)
        },
        changed("4000008260003178", "authenticationRequiredChargeDeclinedInsufficientFunds") {
            $0.behaviour = .authenticates(then: .insufficientFunds)
            $0.country = "GB"
        },
        changed("4000000000003055", "threeDSecureOptional") { _ in },
    ]

    private static func card(
        _ number: String, _ brand: String, _ country: String, _ funding: String = "credit",
        names: [String], behaviour: TestCard.Behaviour = .succeeds
    ) -> TestCard {
        TestCard(
            number: number, brand: brand, country: country, funding: funding, names: names,
            behaviour: behaviour)
    }

    private static func refused(
        _ lastTen: String, _ code: DeclineCode, _ names: [String]
    ) -> TestCard {
        var refused = card("400000" + lastTen, "visa", "US", names: names)
        refused.behaviour = .declines(code)
        if code == .incorrectCVC { refused.checkCVC = "fail" }
        return refused
    }

    private static func changed(
        _ number: String, _ name: String, _ change: (inout TestCard) -> Void
    ) -> TestCard {
        var changed = card(number, "visa", "US", names: [name])
        change(&changed)
        return changed
    }
}
