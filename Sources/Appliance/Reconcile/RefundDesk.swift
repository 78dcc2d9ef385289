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

    /// Whether a key is that of the same refund, of whatever amount: what was made meanwhile by
    /// others lessens it.
    func isKey(_ key: String) -> Bool {
        let prefix = "tillbox-decline-\(charge)-"
        guard key.hasPrefix(prefix) else { return false }
        let parts = key.dropFirst(prefix.count).split(
            separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        return Int64(parts[0]) != nil && (parts.count > 1 ? String(parts[1]) : "") == behind
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
/// makes the same refund by hand meanwhile, the charge's refunds tell. What others have given back
/// that the order's amount does not leave out yet is left out before it is asked for.
package actor RefundDesk {
    private let stripe: any StripePosting
    private let patience: StripePatience
    private let sleep: @Sendable (Duration) async throws -> Void
    private var running: [RefundOrder: Task<(RefundOutcome, MinorUnits), Never>] = [:]

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
    /// - Returns: what became of it, and the amount, which is below the order's where others have
    ///   given some of it back.
    package func refund(
        _ refund: RefundOrder, beside given: Set<String> = []
    ) async -> (outcome: RefundOutcome, amount: MinorUnits) {
        if let task = running[refund] { return await task.value }
        let task = Task { await settle(refund, given) }
        running[refund] = task
        let outcome = await task.value
        running[refund] = nil
        return outcome
    }

    private func settle(
        _ order: RefundOrder, _ given: Set<String>
    ) async -> (RefundOutcome, MinorUnits) {
        var refund = order
        switch await look(for: order, given, attemptsMax: 2) {
        case .told(let outcome, let amount): return (outcome, amount ?? order.amount)
        case .none(let others):
            refund.amount = order.amount &+ -others.reduce(.zero) { $0 &+ $1.amount }
            guard refund.amount > .zero else {
                let names = others.map(\.id).joined(separator: ", ")
                return (.refused("all of it was given back by \(names)"), .zero)
            }
        }
        let (answer, isMadeAlready) = await ask(refund)
        guard isMadeAlready, case .refused(let words) = answer else {
            return (answer, refund.amount)
        }
        switch await look(for: order, given, attemptsMax: 1) {
        case .told(.made(let id, let status), let amount):
            return (.made(id: id, status: status), amount ?? refund.amount)
        case .told:
            return (.unknown("\(words) Its refunds cannot be read"), refund.amount)
        case .none: return (answer, refund.amount)
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
        /// It is made, and how much it gives back; or whether it is cannot be told, and why.
        case told(RefundOutcome, MinorUnits?)
        /// - Parameter others: what was given back and the order's amount does not leave out.
        case none(others: [Refund])
    }

    /// One of a charge's refunds, as far as it tells whether it is the one that is wanted.
    private struct Refund: Sendable {
        var id, status: String
        var amount: MinorUnits
        /// Its key, where it was made from here.
        var key: String?
        /// It has succeeded and moved no money: until API version 2025-03-31 Stripe lists what an
        /// authorisation has released, such as by a capture of a part, as a refund.
        var isRelease: Bool

        init(_ json: JSONValue) throws(RecordCodecError) {
            id = try json.requiredString("id")
            status = try json.optionalString("status") ?? "unknown"
            amount = MinorUnits(try json.requiredInt64("amount"))
            key = json["metadata"]?[RefundOrder.keyName]?.string
            isRelease = status == "succeeded" && json["balance_transaction"]?.isNull == true
        }

        var outcome: RefundOutcome { .made(id: id, status: status) }
    }

    /// Looks for an order among the charge's refunds: the one with its key, else one that gives
    /// money back, is not among `given`, and was asked for from here, or is of the same amount.
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
            return .told(Self.outcome(error), nil)
        }
        let others = page.items.filter {
            !$0.outcome.hasFailed && !$0.isRelease && !given.contains($0.id)
        }
        let own = page.items.first { $0.key == order.idempotencyKey }
            ?? others.first { $0.key.map(order.isKey) ?? false }
        if let found = own ?? others.first(where: { $0.amount == order.amount }) {
            return .told(found.outcome, found.amount)
        }
        return page.hasMore
            ? .told(
                .unknown("it has made more refunds of the charge than are looked through"), nil)
            : .none(others: others)
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
