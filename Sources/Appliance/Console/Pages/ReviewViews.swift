import AppendLog
import Appliance
import Vocabulary

/// The queue beside the case that is open in it.
struct ReviewView {
    struct Row {
        var href: String
        var isCurrent: Bool
        var amount: ShownAmount
        var age: String
        var why: String
        var score: String?
    }

    var count: String
    var oldest: String?
    var byAge: Bool
    var rows: [Row]
    var isEmpty: Bool
    /// What becomes of reviews that nobody decides.
    var rule: String
    /// What these reviews hold, by currency.
    var held: [ShownAmount]
    var openCase: CaseView?
    var decided: [Decided]
    var hasDecided: Bool
    /// What came of one's own act.
    var done: Done?

    struct Done {
        var words: String
        /// The review whose note need not be kept any more; nil where it is to be kept.
        var movement: String?
        var tone: String
        /// The case, where something is left to do there.
        var href: String?
    }

    struct Decided {
        var moment: ShownMoment
        var href: String
        var amount: ShownAmount?
        var state: ShownState
        var by, note: String
    }
}

/// One case: the amount, why a person must look, the customer, and the decision.
struct CaseView {
    struct Reason {
        var number: Int
        var words: String
        var second: String?
        var band: Band?
    }

    /// Where the value stands beside the usual, in percent of the drawing's width.
    struct Band {
        var from, width, mean, now: String
        var isOut: Bool
    }

    struct Fact {
        var name, value: String
        var href: String?
        var isID: Bool
    }

    struct Feature {
        var words: String
        var value: String
        var effect: String
        var isReason: Bool
    }

    struct Earlier {
        var moment: ShownMoment
        var amount: ShownAmount
        var state: ShownState
        var note: String
    }

    /// What a bank has told of the payment, or of another of the customer's.
    struct BankWord {
        var moment: ShownMoment
        var words: String
        var charge, href: String
        var isOwn: Bool
        var amount: ShownAmount?
    }

    var movement: String
    var path: String
    var explain: String
    var amount: ShownAmount
    var state: ShownState
    var age: String
    var score: String?
    var reasons: [Reason]
    var facts: [Fact]
    var features: [Feature]
    var hasFeatures: Bool
    var earlier: [Earlier]
    var hasEarlier: Bool
    var customer: String?
    /// nil where there is nothing left to decide, or not for this role.
    var decision: Decision?
    /// Why there is no form.
    var closed: String?
    var token: String
    /// What a decline makes, or has made, due as a refund.
    var due = ""
    /// The refund that a declined payment is due.
    var refund: RefundView?
    /// What becomes of it if nobody decides; nil where somebody has.
    var expires: String?
    var signs: [BankWord] = []
    var hasSigns = false
    /// Whether it is known that there are none.
    var hasNoSigns = false

    struct Decision {
        var note: String
        var problem: String?
        /// Whether the refund can be made with the decline.
        var mayRefund = false
    }
}

extension CaseView {
    /// - Parameters:
    ///   - role: of who looks: only some may decide.
    ///   - token: what a form of their session must carry.
    init(_ review: Review, _ history: CaseHistory, now: Instant, role: Role, token: String) {
        let amount = ShownAmount(review.amount, review.currency)
        self.init(
            movement: review.movement.rawValue, path: Self.path(of: review.movement),
            explain: "/ledger/explain?of=\(PathText.escaped(review.movement.rawValue))",
            amount: amount, state: review.shownState,
            age: ShownAge.words(from: review.effectiveAt, to: now),
            score: review.score.map { ShownNumber.decimal($0, 2) },
            reasons: Self.reasons(review, history), facts: Self.facts(review, history),
            features: Self.features(review, history), hasFeatures: history.vector != nil,
            earlier: history.earlier.map(Self.earlier), hasEarlier: !history.earlier.isEmpty,
            customer: history.scored?.event.customer.map(ShownText.escaped), decision: nil,
            closed: nil, token: token)
        signs = history.signs.map { Self.sign($0, of: review) }
        (hasSigns, hasNoSigns) = (!signs.isEmpty, signs.isEmpty && history.hasAllSigns)
        if review.state != .open {
            closed = review.closing
        } else if role >= .reviewer {
            decision = Decision(note: "", problem: nil)
        } else {
            closed = "Deciding needs the role reviewer."
        }
    }

    static func path(of movement: MovementKey) -> String {
        let name = movement.rawValue
        let short = name.hasPrefix("charge:") ? String(name.dropFirst("charge:".count)) : name
        return "/review/\(PathText.escaped(short))"
    }

    private static func reasons(_ review: Review, _ history: CaseHistory) -> [Reason] {
        let shown = review.reasons.prefix(4).enumerated().map { place, reason in
            var band: Band?
            var second: String?
            if case .feature("amount_zscore", _, _) = reason, let usual = history.usual {
                band = Band(review.amount, usual)
                second = "\(ShownAmount(review.amount, review.currency).words); "
                    + usual.words
            } else if case .feature("country_mismatch_flag", _, _) = reason,
                let event = history.scored?.event
            {
                second = countries(event)
            }
            return Reason(
                number: place + 1,
                words: reason.words(
                    amount: review.amount, usual: history.usual, hasUsual: history.hasUsual
                ).sentence,
                second: second, band: band)
        }
        guard shown.isEmpty else { return shown }
        return [
            Reason(
                number: 1, words: "Held by its score alone", second: nil, band: nil)
        ]
    }

    private static func countries(_ event: PaymentEvent) -> String? {
        guard let card = event.cardCountry, let billing = event.country else { return nil }
        return "card from \(ShownText.escaped(card)), billed in \(ShownText.escaped(billing))"
    }

    private static func facts(_ review: Review, _ history: CaseHistory) -> [Fact] {
        let event = history.scored?.event
        func fact(_ name: String, _ value: String?, isID: Bool = false, _ href: String? = nil)
            -> Fact?
        {
            value.map { Fact(name: name, value: ShownText.escaped($0), href: href, isID: isID) }
        }
        return [
            fact(
                "Payment", String(review.movement.rawValue.trimmingPrefix("charge:")), isID: true,
                "/ledger/explain?of=\(PathText.escaped(review.movement.rawValue))"),
            fact("Customer", event?.customer, isID: true),
            // Its brand and last four digits; a fingerprint tells a person nothing.
            fact("Card", history.card),
            fact("Card from", event?.cardCountry),
            fact("Billed in", event?.country),
            fact("Device", event?.device.map { String($0.prefix(16)) }, isID: true),
            fact("Merchant", review.merchant.rawValue),
            fact("Stripe account", event?.account ?? (event == nil ? nil : "the platform’s own")),
            fact("Paid", ShownMoment(review.effectiveAt).words),
            fact("Model", history.scored?.model),
        ].compactMap { $0 }
    }

    private static func features(_ review: Review, _ history: CaseHistory) -> [Feature] {
        guard let vector = history.vector else { return [] }
        var effects: [String: Double] = [:]
        for case .feature(let name, _, let effect) in review.reasons { effects[name] = effect }
        return Appliance.Feature.names.enumerated().map { place, name in
            let value = Double(vector[place])
            let effect = effects[name]
            return Feature(
                words: FeatureWords.words(
                    name, value, amount: review.amount, usual: history.usual,
                    hasUsual: history.hasUsual).sentence,
                value: ShownNumber.decimal(value, 2),
                effect: effect.map { ($0 > 0 ? "+" : "") + ShownNumber.decimal($0, 2) } ?? "",
                isReason: effect != nil)
        }
    }

    private static func sign(_ sign: FraudSign, of review: Review) -> BankWord {
        var amount: ShownAmount?
        if let paid = sign.amount, let currency = sign.currency {
            amount = ShownAmount(paid, currency)
        }
        return BankWord(
            moment: ShownMoment(sign.at),
            words: sign.kind == .warning
                ? "Early fraud warning: the card’s issuer reported fraud" : "Dispute opened",
            charge: ShownText.escaped(sign.charge),
            href: "/payments/\(PathText.escaped(sign.charge))",
            isOwn: review.movement.rawValue == "charge:\(sign.charge)",
            amount: amount)
    }

    private static func earlier(_ earlier: CaseHistory.Earlier) -> Earlier {
        let event = earlier.payment.event
        let hasFailed = event.kind == .paymentFailed
        return Earlier(
            moment: ShownMoment(event.created), amount: ShownAmount(event.amount, event.currency),
            state: hasFailed ? ShownState("Failed", dot: "o") : ShownState(earlier.payment.verdict),
            note: hasFailed ? ShownText.escaped(event.outcome ?? "") : "")
    }
}

extension CaseView.Band {
    /// The drawing ends at the larger of the value and the usual's upper end.
    init(_ amount: MinorUnits, _ usual: UsualAmount) {
        let (low, high) = (usual.low, usual.high)
        let now = Double(amount.rawValue)
        let end = max(now, high, 1) * 1.08
        func place(_ value: Double) -> String { String(Int(value / end * 100)) + "%" }
        self.init(
            from: place(low), width: place(max(high - low, end / 50)), mean: place(usual.mean),
            now: place(now), isOut: now > high || now < low)
    }
}

extension UsualAmount {
    /// `usually 60.000 to 180.000, mean 114.000 over 18 payments`
    var words: String {
        func amount(_ value: Double) -> String {
            let shown = ShownAmount(MinorUnits(Int64(value.rounded())), currency)
            return shown.whole + shown.fraction
        }
        return "usually \(amount(low)) to \(amount(high)), mean \(amount(mean)) over "
            + Counted.words(count, "payment")
    }
}

extension Review {
    var shownState: ShownState {
        switch state {
        case .open: ShownState("In review", "wait", tinted: true)
        case .approved: ShownState("Approved by a person", "ok", tinted: true)
        case .declined: ShownState("Declined")
        case .expired: ShownState("Expired")
        case .released: ShownState("Released by a better informed scoring")
        }
    }

    /// Who closed it, when and why: a sentence without its full stop.
    var closing: String {
        switch state {
        case .open: return "It is open"
        case .released: return "A better informed scoring has released its money"
        case .expired: return "The payment was taken back before anybody decided"
        case .approved, .declined:
            guard let decision else { return "It is \(state.rawValue)" }
            if decision.by == ReviewExpiry.actor {
                return "Nobody decided in time: \(state.rawValue) on "
                    + ShownMoment(decision.at).words
            }
            let name = decision.by.isEmpty ? "Somebody" : ShownText.escaped(decision.by)
            let note = decision.note.map { ": “\(ShownText.escaped($0))”" } ?? ""
            return "\(name) \(state.rawValue) it on \(ShownMoment(decision.at).words)\(note)"
        }
    }
}

extension String {
    /// With its first letter as a sentence begins.
    var sentence: String { prefix(1).uppercased() + dropFirst() }
}
