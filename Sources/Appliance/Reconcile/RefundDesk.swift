package import Vocabulary

/// The door by which something is made at Stripe. It asks once, like ``StripeTransport``.
package protocol StripePosting: Sendable {
    /// - Parameters:
    ///   - form: the body's fields, in their order.
    ///   - key: Stripe answers the same key with what it made for the first request, for at least
    ///     24 hours (https://docs.stripe.com/api/idempotent_requests).
    /// - Throws: whatever kept an answer from coming.
    func post(
        _ path: String, _ form: [(String, String)], idempotencyKey key: String,
        of account: StripeAccount
    ) async throws -> StripeAnswer
}

/// A refund of a declined payment.
package struct RefundOrder: Hashable, Sendable {
    /// `ch_…`
    package var charge: String
    /// What is to be given back, above zero.
    package var amount: MinorUnits
    package var currency: Currency
    /// Whose charge it is: the platform's own, or a connected account's.
    package var account: StripeAccount
    /// Which earlier attempt it comes after, whose outcome is known and which gave nothing back;
    /// empty for the first.
    package var behind: String

    package init(
        charge: String, amount: MinorUnits, currency: Currency, account: StripeAccount,
        behind: String = ""
    ) {
        self.charge = charge
        self.amount = amount
        self.currency = currency
        self.account = account
        self.behind = behind
    }

    /// The same refund asked for twice is made once. One behind an attempt that has failed is
    /// another: Stripe would answer that one's key with what became of it.
    package var idempotencyKey: String {
        "tillbox-decline-\(charge)-\(amount.rawValue)" + (behind.isEmpty ? "" : "-\(behind)")
    }

    /// The body's fields.
    package var form: [(String, String)] {
        [("charge", charge), ("amount", "\(amount.rawValue)")]
    }
}

/// What became of a refund that Stripe was asked for.
package enum RefundOutcome: Hashable, Sendable {
    /// Stripe has made it; its event books it. `status` is Stripe's word.
    case made(id: String, status: String)
    /// Stripe has not, and says why.
    case refused(String)
    /// Nobody knows: no answer came. Asking again makes no second one.
    case unknown(String)

    /// Whether Stripe has told that nothing is given back, so that the next is another refund.
    package var hasFailed: Bool {
        switch self {
        case .made(_, let status): ["failed", "canceled"].contains(status)
        case .refused: true
        case .unknown: false
        }
    }
}

/// Makes refunds at Stripe for payments that people have declined, when they say so. It books
/// nothing, which Stripe's event does, and keeps nothing of what has ended.
///
///     request A                         request B, of the same payment
///     asked: claim it                   claimed: is told what becomes of A
///     POST /v1/refunds, key K
///     (no answer: again, key K)         later: POST again, key K: the same refund
///     (it has failed: known)            later: POST, key K-re_1: another one
package actor RefundDesk {
    private let stripe: any StripePosting
    private let patience: StripePatience
    private let sleep: @Sendable (Duration) async throws -> Void
    private var running: [RefundOrder: Task<RefundOutcome, Never>] = [:]

    private static let path = "/v1/refunds"

    /// - Parameter patience: a person waits for the answer.
    package init(
        stripe: any StripePosting,
        patience: StripePatience = StripePatience(
            attemptsMax: 3, waitMillisecondsMax: 2_000, retryAfterSecondsMax: 5),
        sleep: @escaping @Sendable (Duration) async throws -> Void = {
            try await Task.sleep(for: $0)
        }
    ) {
        self.stripe = stripe
        self.patience = patience
        self.sleep = sleep
    }

    /// Asks Stripe, and again with the same key where no answer came.
    package func refund(_ refund: RefundOrder) async -> RefundOutcome {
        if let task = running[refund] { return await task.value }
        let task = Task { await ask(refund) }
        running[refund] = task
        let outcome = await task.value
        running[refund] = nil
        return outcome
    }

    /// - Parameter attempt: from 1 on.
    private func ask(_ refund: RefundOrder, attempt: Int = 1) async -> RefundOutcome {
        let (outcome, retryAfter) = await once(refund)
        guard case .unknown = outcome, attempt < patience.attemptsMax else { return outcome }
        let wait = patience.wait(after: attempt, retryAfter: retryAfter, random: 1)
        guard (try? await sleep(wait)) != nil else { return outcome }
        return await ask(refund, attempt: attempt + 1)
    }

    private func once(_ refund: RefundOrder) async -> (RefundOutcome, retryAfter: String?) {
        let answer: StripeAnswer
        do {
            answer = try await stripe.post(
                Self.path, refund.form, idempotencyKey: refund.idempotencyKey, of: refund.account)
        } catch {
            return (.unknown("\(error)"), nil)
        }
        let document = JSONDocument(bytesMax: max(answer.body.count, 1))
        return withExtendedLifetime(document) {
            (Self.outcome(answer, try? document.parse(answer.body)), answer.retryAfter)
        }
    }

    private static func outcome(_ answer: StripeAnswer, _ body: JSONValue?) -> RefundOutcome {
        switch answer.status {
        case 200:
            guard let id = body?["id"]?.string else { return .unknown("an answer without an id") }
            return .made(id: id, status: body?["status"]?.string ?? "unknown")
        // 409: a request with the same key is still being worked on.
        case 409, 429, 500...599: return .unknown("status \(answer.status)")
        case 401: return .refused("it does not know the API key")
        case 403: return .refused("the API key may not make refunds; give it write permission")
        default:
            let message = body?["error"]?["message"]?.string ?? "status \(answer.status)"
            return .refused(String(message.prefix(300)))
        }
    }
}
