import Appliance
import Reconcile
import Vocabulary

/// The refund that a declined payment is due: how it is made by hand, and what came of asking
/// Stripe for it.
struct RefundView {
    /// Whether something is left to be refunded.
    var isDue: Bool
    /// What is.
    var amount: ShownAmount
    /// What was refunded already, and by which refunds, and what disputes have taken; nil for
    /// nothing.
    var given: String?
    var charge: String
    /// The payment's page in Stripe's dashboard.
    var dashboard: String
    var command: String
    /// What the last request came to; nil where there was none.
    var outcome: ShownState?
    /// Where the form goes that makes it; nil without an API key, or not for this role.
    var action: String?
    var token: String

    init(_ due: DueRefund, action: String?, _ known: AskedRefund?, token: String) {
        var due = due
        due.order.behind = known?.nextBehind(hasFailed: due.isBesides(known)) ?? ""
        let order = due.order
        isDue = order.amount > .zero
        amount = ShownAmount(order.amount, order.currency)
        let gone = [
            due.given.isEmpty ? nil : due.given.shownWords,
            due.disputedWords.map { "\($0) taken for a dispute" },
        ].compactMap { $0 }
        given = gone.isEmpty ? nil : gone.joined(separator: ", ")
        charge = ShownText.escaped(order.charge)
        dashboard = due.dashboard
        command = ShownText.escaped(due.command)
        outcome = known?.shown
        self.action = action
        self.token = token
    }
}

/// What is left of a payment to be refunded, and how.
struct DueRefund {
    /// Of what is left, which may be nothing.
    var order: RefundOrder
    /// What was refunded already, by anybody.
    var given: [GivenRefund]
    /// What disputes have taken, in the payment's currency.
    var disputed: MinorUnits
    var livemode: Bool
    var base: String

    /// - Parameters:
    ///   - event: the payment's, which says in which account and mode it was made.
    ///   - given: the charge's refunds that the ledger has booked.
    ///   - disputed: see ``PaymentSources/disputed(of:)``.
    ///   - base: where Stripe's API is.
    /// - Returns: nil for what is no charge.
    init?(
        _ review: Review, _ event: PaymentEvent, _ given: [GivenRefund], disputed: MinorUnits,
        base: String
    ) {
        let name = review.movement.rawValue
        guard name.hasPrefix("charge:") else { return nil }
        order = RefundOrder(
            charge: String(name.dropFirst("charge:".count)),
            amount: given.left(of: review, disputed: disputed), currency: review.currency,
            account: StripeAccount(event.account ?? ""))
        (self.given, self.disputed) = (given, disputed)
        livemode = event.livemode
        self.base = base
    }

    /// `32.00 USD`; nil for nothing.
    var disputedWords: String? {
        disputed > .zero ? ShownAmount(disputed, order.currency).words : nil
    }

    /// Whether something is left beside a refund that was made from here and is booked.
    func isBesides(_ known: AskedRefund?) -> Bool {
        guard case .ended(.made(let id, _)) = known?.state else { return false }
        return order.amount > .zero && given.contains { $0.id == id }
    }

    /// `https://dashboard.stripe.com/test/payments/ch_…`, of a connected account with its id first.
    var dashboard: String {
        let account = order.account.id.map { "\(PathText.escaped($0))/" } ?? ""
        return "https://dashboard.stripe.com/\(account)\(livemode ? "" : "test/")payments/"
            + PathText.escaped(order.charge)
    }

    /// To be pasted; the key stays in the shell.
    var command: String {
        let account = order.account.id.map { " -H 'Stripe-Account: \($0)'" } ?? ""
        return "curl \(base)/v1/refunds -u \"$STRIPE_KEY:\" -H 'Idempotency-Key: "
            + "\(order.idempotencyKey)'\(account)"
            + order.form.map { name, value in
                // A shell takes brackets for a pattern.
                name.contains("[") ? " -d '\(name)=\(value)'" : " -d \(name)=\(value)"
            }.joined()
    }
}

extension [GivenRefund] {
    /// `10.00 USD by re_1, 2.00 USD by re_2`
    var shownWords: String {
        map { "\(ShownAmount($0.amount, $0.currency).words) by \(ShownText.escaped($0.id))" }
            .joined(separator: ", ")
    }
}

extension AskedRefund {
    var shown: ShownState {
        switch state {
        case .wanted: ShownState("Stripe is asked for the refund once this is booked", "wait")
        case .asking: ShownState("Stripe is being asked for the refund", "wait")
        case .ended(let outcome): outcome.shown
        case .dropped(let why):
            ShownState("The refund was not made: \(ShownText.escaped(why))", "stop")
        }
    }

    /// For the audit log.
    var noted: String {
        switch state {
        case .wanted: "wanted"
        case .asking: "asked"
        case .ended(let outcome): outcome.noted
        case .dropped(let why): "not made: \(why)"
        }
    }
}

extension RefundOutcome {
    /// In the place of Stripe's word, of one that the ledger has told.
    static let booked = "booked"

    var shown: ShownState {
        switch self {
        case .made(let id, let status) where hasFailed:
            ShownState(
                "The refund \(ShownText.escaped(id)) has not gone through at Stripe, "
                    + "\(ShownText.escaped(status)): ask again, it is another one then", "stop")
        case .made(let id, Self.booked):
            ShownState(
                "Stripe has made the refund \(ShownText.escaped(id)), and it is booked", "ok")
        case .made(let id, let status):
            ShownState(
                "Stripe has made the refund \(ShownText.escaped(id)), "
                    + "\(ShownText.escaped(status)); its event books it", "ok")
        case .refused(let why):
            ShownState("Stripe has not made the refund: \(ShownText.escaped(why))", "stop")
        case .unknown(let why):
            ShownState(
                "It is not known whether Stripe has made the refund (\(ShownText.escaped(why))): "
                    + "ask again, it is made once", "wait")
        }
    }

    /// For the audit log.
    var noted: String {
        switch self {
        case .made(let id, let status): "made \(id), \(status)"
        case .refused(let why): "refused: \(why)"
        case .unknown(let why): "no answer: \(why)"
        }
    }
}
