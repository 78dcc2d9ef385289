package import Vocabulary

/// The door by which something is made at Stripe while a person waits. It asks once, like
/// ``StripeTransport``.
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

    /// Reads what was made. As `StripeTransport.get`, but less patient.
    func look(_ path: String, of account: StripeAccount) async throws -> StripeAnswer
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

    /// The body's fields. By the last of them the refund is known again, once Stripe has forgotten
    /// the key.
    package var form: [(String, String)] {
        [
            ("charge", charge), ("amount", "\(amount.rawValue)"),
            ("metadata[\(Self.keyName)]", idempotencyKey),
        ]
    }

    /// The member of a refund's metadata that holds its key.
    static let keyName: StaticString = "tillbox_refund"
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
///     GET its refunds: none is it
///     POST /v1/refunds, key K
///     (no answer: again, key K)         later: it is among the refunds
///     (it has failed: known)            later: POST, key K-re_1: another one
///     (refused: it is made already)
///     GET its refunds: which it is
///
/// The key alone makes it one for as long as Stripe keeps the key. Beyond that, and where somebody
/// makes the same refund by hand meanwhile, the charge's refunds tell.
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

    /// Asks Stripe, and again with the same key where no answer came, unless it is made already.
    ///
    /// - Parameter given: the refunds that the order's amount leaves out: none of them is this one.
    package func refund(
        _ refund: RefundOrder, beside given: Set<String> = []
    ) async -> RefundOutcome {
        if let task = running[refund] { return await task.value }
        let task = Task { await settle(refund, given) }
        running[refund] = task
        let outcome = await task.value
        running[refund] = nil
        return outcome
    }

    private func settle(_ refund: RefundOrder, _ given: Set<String>) async -> RefundOutcome {
        switch await look(for: refund, given, attemptsMax: 2) {
        case .told(let outcome): return outcome
        case .none: break
        }
        let (answer, isMadeAlready) = await ask(refund)
        guard isMadeAlready, case .refused(let words) = answer else { return answer }
        switch await look(for: refund, given, attemptsMax: 1) {
        case .told(.made(let id, let status)): return .made(id: id, status: status)
        case .told: return .unknown("\(words) Its refunds cannot be read")
        case .none: return answer
        }
    }

    /// - Parameter attempt: from 1 on.
    private func ask(
        _ refund: RefundOrder, attempt: Int = 1
    ) async -> (RefundOutcome, isMadeAlready: Bool) {
        let (outcome, isMadeAlready, retryAfter) = await once(refund)
        guard case .unknown = outcome, attempt < patience.attemptsMax else {
            return (outcome, isMadeAlready)
        }
        let wait = patience.wait(after: attempt, retryAfter: retryAfter, random: 1)
        guard (try? await sleep(wait)) != nil else { return (outcome, false) }
        return await ask(refund, attempt: attempt + 1)
    }

    private func once(
        _ refund: RefundOrder
    ) async -> (RefundOutcome, isMadeAlready: Bool, retryAfter: String?) {
        let answer: StripeAnswer
        do {
            answer = try await stripe.post(
                Self.path, refund.form, idempotencyKey: refund.idempotencyKey, of: refund.account)
        } catch {
            return (.unknown("\(error)"), false, nil)
        }
        let document = JSONDocument(bytesMax: max(answer.body.count, 1))
        return withExtendedLifetime(document) {
            let body = try? document.parse(answer.body)
            return (
                Self.outcome(answer, body), Self.mayBeMade(body?["error"]), answer.retryAfter
            )
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

    /// Whether Stripe refuses a refund for what it has made before: nothing, or not as much, of the
    /// charge is left; or the key was used by a request with other fields, as that of an earlier
    /// release had them.
    private static func mayBeMade(_ error: JSONValue?) -> Bool {
        error?["code"]?.string == "charge_already_refunded"
            || error?["param"]?.string == "amount"
            || error?["type"]?.string == "idempotency_error"
    }
}

// MARK: - What Stripe has made

extension RefundDesk {
    private struct Reading: StripeTransport {
        let stripe: any StripePosting

        func get(_ path: String, of account: StripeAccount) async throws -> StripeAnswer {
            try await stripe.look(path, of: account)
        }
    }

    private enum Look {
        /// It is made; or whether it is cannot be told, and why.
        case told(RefundOutcome)
        case none
    }

    /// One of a charge's refunds, as far as it tells whether it is the one that is wanted.
    private struct Refund: Sendable {
        var id, status: String
        var amount: Int64
        /// Its key, where it was made from here.
        var key: String?
        /// Whether it has ended without moving money: Stripe's versions before 2025-03-31 tell what
        /// was never captured as a refund without a balance transaction.
        var isRelease: Bool

        init(_ json: JSONValue) throws(RecordCodecError) {
            id = try json.requiredString("id")
            status = try json.optionalString("status") ?? "unknown"
            amount = try json.requiredInt64("amount")
            key = json["metadata"]?[RefundOrder.keyName]?.string
            isRelease = status == "succeeded" && json["balance_transaction"]?.isNull == true
        }

        var outcome: RefundOutcome { .made(id: id, status: status) }
    }

    /// Looks for an order among the charge's refunds: the one with its key, else one of the same
    /// amount that gives it back and is not among `given`. What was never captured is not given
    /// back.
    private func look(
        for order: RefundOrder, _ given: Set<String>, attemptsMax: Int
    ) async -> Look {
        var patience = patience
        patience.attemptsMax = attemptsMax
        let client = StripeClient(
            transport: Reading(stripe: stripe), account: order.account, patience: patience,
            sleep: sleep, random: { 1 })
        let page: StripePage<Refund>
        do throws(StripeError) {
            page = try await client.page(
                Self.path, [("charge", order.charge)], after: nil
            ) { (json) throws(RecordCodecError) in try Refund(json) }
        } catch {
            return .told(Self.outcome(error))
        }
        let own = page.items.first { $0.key == order.idempotencyKey }
        let alike = page.items.first {
            $0.amount == order.amount.rawValue && !$0.outcome.hasFailed && !$0.isRelease
                && !given.contains($0.id)
        }
        if let found = own ?? alike { return .told(found.outcome) }
        return page.hasMore
            ? .told(.unknown("it has made more refunds of the charge than are looked through"))
            : .none
    }

    /// Of an order whose charge's refunds cannot be read.
    private static func outcome(_ error: StripeError) -> RefundOutcome {
        switch error {
        case .unauthorised: .refused("it does not know the API key")
        case .forbidden:
            .refused("the API key may not look for refunds; give it write permission for them")
        case .notFound(let message), .refused(_, let message): .refused(message)
        case .unreachable(let reason, _): .unknown(reason)
        case .unavailable(let status, _): .unknown("status \(status)")
        case .rateLimited: .unknown("status 429")
        case .malformed, .endless, .cancelled: .unknown("\(error)")
        }
    }
}
