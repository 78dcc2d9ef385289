import Appliance
import Reconcile
import Vocabulary

/// The refund that a declined payment is due: how it is made by hand, and what came of asking
/// Stripe for it.
struct RefundView {
    var amount: ShownAmount
    var charge: String
    /// The payment's page in Stripe's dashboard.
    var dashboard: String
    var command: String
    /// What the last request came to; nil where there was none.
    var outcome: ShownState?
    /// Where the form goes that makes it; nil without an API key, or not for this role.
    var action: String?
    var token: String

    /// - Returns: nil where nothing of the payment is left to be refunded.
    init?(_ due: DueRefund, action: String?, _ known: AskedRefund?, token: String) {
        guard due.order.amount > .zero else { return nil }
        var due = due
        due.order.behind = known?.nextBehind() ?? ""
        let order = due.order
        amount = ShownAmount(order.amount, order.currency)
        charge = ShownText.escaped(order.charge)
        dashboard = due.dashboard
        command = ShownText.escaped(due.command)
        outcome = known?.shown
        self.action = action
        self.token = token
    }
}

/// A refund that nobody has made yet.
struct DueRefund {
    var order: RefundOrder
    var livemode: Bool
    var base: String

    /// - Parameters:
    ///   - event: the payment's, which says in which account and mode it was made.
    ///   - base: where Stripe's API is.
    /// - Returns: nil for what is no charge.
    init?(_ review: Review, _ event: PaymentEvent, base: String) {
        let name = review.movement.rawValue
        guard name.hasPrefix("charge:") else { return nil }
        order = RefundOrder(
            charge: String(name.dropFirst("charge:".count)), amount: review.amount,
            currency: review.currency, account: StripeAccount(event.account ?? ""))
        livemode = event.livemode
        self.base = base
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
            + order.form.map { " -d \($0.0)=\($0.1)" }.joined()
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
    var shown: ShownState {
        switch self {
        case .made(let id, let status) where hasFailed:
            ShownState(
                "The refund \(ShownText.escaped(id)) has not gone through at Stripe, "
                    + "\(ShownText.escaped(status)): ask again, it is another one then", "stop")
        case .made(let id, let status):
            ShownState(
                "Stripe has made the refund \(ShownText.escaped(id)), "
                    + "\(ShownText.escaped(status)); its event books it", "ok")
        case .refused(let why):
            ShownState("Stripe has not made the refund: \(ShownText.escaped(why))", "stop")
        case .unknown(let why):
            ShownState(
                "No answer from Stripe (\(ShownText.escaped(why))): ask again, it is made once",
                "wait")
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
