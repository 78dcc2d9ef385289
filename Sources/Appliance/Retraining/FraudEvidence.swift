import AppendLog
package import Vocabulary

/// What people and banks said of payments by a moment: disputes, early fraud warnings, decisions.
///
/// A value fed with the log's own records, in any order and however often: what it says depends on
/// which of them it has seen only, so that the same log gives the same labels. What happened after
/// `asOf` is not taken in, so that no label knows more than one could have known then.
package struct FraudEvidence {
    /// What is said of one charge.
    private struct Case {
        var disputes: [String: Dispute] = [:]
        var warnedAt: Instant?
        var decision: (isDeclined: Bool, at: Instant)?
    }

    private struct Dispute {
        var openedAt: Instant
        var toldAt: Instant
        var isFraud: Bool
        /// When it ended in the merchant's favour, or without becoming a dispute.
        var wonAt: Instant?
    }

    /// The last moment that counts.
    package let asOf: Instant
    /// By the charge's id, else by the intent's.
    private var cases: [String: Case] = [:]
    private let document = JSONDocument()

    package init(asOf: Instant) { self.asOf = asOf }

    // MARK: Taking in

    /// Takes in a record of `webhook.received`: `radar.early_fraud_warning.created` and `.updated`,
    /// `charge.dispute.…`; everything else is passed over.
    package mutating func add(webhook value: some Collection<UInt8>) {
        guard let root = try? document.parse(value), let type = root["type"],
            let created = root["created"]?.int64.flatMap(Instant.init(named:)), created <= asOf,
            let object = root["data"]?["object"], let subject = Self.subject(of: object)
        else { return }
        if Self.isWarning(type) {
            let known = cases[subject, default: Case()].warnedAt
            cases[subject, default: Case()].warnedAt = known.map { min($0, created) } ?? created
        } else if Self.isDispute(type), let id = object["id"]?.string {
            add(object, id: id, of: subject, at: created)
        }
    }

    /// Takes in a record of `payment.review`. Only what people decided counts: the ledger's own
    /// openings and closings, and what expired undecided, say nothing of fraud.
    package mutating func add(review value: some Collection<UInt8>) {
        guard let review = try? ReviewRecord(value, using: document), review.at <= asOf,
            review.by != PostingRules.scoringActor, review.by != ReviewExpiry.actor,
            review.state == .approved || review.state == .declined,
            let charge = Self.charge(of: review.movement)
        else { return }
        // The first decision stands; the ledger refuses another.
        if let known = cases[charge]?.decision, known.at <= review.at { return }
        cases[charge, default: Case()].decision = (review.state == .declined, review.at)
    }

    private mutating func add(
        _ object: JSONValue, id: String, of subject: String, at created: Instant
    ) {
        let status = object["status"]?.string ?? ""
        let isWon = status == "won" || status == "warning_closed"
        var told = Dispute(
            openedAt: created, toldAt: created,
            isFraud: object["reason"]?.isString("fraudulent") == true,
            wonAt: isWon ? created : nil)
        if let known = cases[subject]?.disputes[id] {
            let isNewer = created >= known.toldAt
            told = Dispute(
                openedAt: min(known.openedAt, created), toldAt: max(known.toldAt, created),
                isFraud: isNewer ? told.isFraud : known.isFraud,
                // An ending stands, whichever of two events of one second comes first.
                wonAt: known.wonAt.map { at in told.wonAt.map { min($0, at) } ?? at }
                    ?? told.wonAt)
        }
        cases[subject, default: Case()].disputes[id] = told
    }

    private static func isWarning(_ type: JSONValue) -> Bool {
        type.isString("radar.early_fraud_warning.created")
            || type.isString("radar.early_fraud_warning.updated")
    }

    private static func isDispute(_ type: JSONValue) -> Bool {
        type.isString("charge.dispute.created") || type.isString("charge.dispute.updated")
            || type.isString("charge.dispute.closed")
            || type.isString("charge.dispute.funds_withdrawn")
            || type.isString("charge.dispute.funds_reinstated")
    }

    /// The charge that a dispute or a warning is about, an id or the object; else the intent.
    private static func subject(of object: JSONValue) -> String? {
        id(object["charge"]) ?? id(object["payment_intent"])
    }

    private static func id(_ value: JSONValue?) -> String? {
        value?.string ?? value?["id"]?.string
    }

    private static func charge(of movement: MovementKey) -> String? {
        let key = movement.rawValue
        return key.hasPrefix("charge:") ? String(key.dropFirst("charge:".count)) : nil
    }

    // MARK: Labels

    /// What is known of a payment; nil where nothing is.
    package func label(of event: PaymentEvent) -> FraudLabel? {
        let known = Self.charge(of: event.movement).flatMap { cases[$0] } ?? cases[event.objectID]
        return known.flatMap(Self.label)
    }

    /// What weighs more comes first: the bank's last word before its first, and both before a
    /// person's who saw the payment before either.
    private static func label(of known: Case) -> FraudLabel? {
        let frauds = known.disputes.values.filter(\.isFraud)
        if let standing = frauds.filter({ $0.wonAt == nil }).map(\.openedAt).min() {
            return FraudLabel(isFraud: true, source: .dispute, at: standing)
        }
        if let won = frauds.compactMap(\.wonAt).max() {
            return FraudLabel(isFraud: false, source: .disputeWon, at: won)
        }
        if let warned = known.warnedAt {
            return FraudLabel(isFraud: true, source: .earlyFraudWarning, at: warned)
        }
        return known.decision.map { decision in
            FraudLabel(
                isFraud: decision.isDeclined,
                source: decision.isDeclined ? .reviewDeclined : .reviewApproved, at: decision.at)
        }
    }
}

/// Whether a payment was fraud, who says so, and since when it is known.
package struct FraudLabel: Hashable, Sendable {
    package enum Source: String, CaseIterable, Sendable {
        /// A dispute with the reason `fraudulent`, standing or lost.
        case dispute
        /// Such disputes were won, or were inquiries that ended as such.
        case disputeWon = "dispute_won"
        /// `radar.early_fraud_warning`: the card's issuer told the network of fraud.
        case earlyFraudWarning = "early_fraud_warning"
        case reviewDeclined = "review_declined"
        case reviewApproved = "review_approved"
        /// Nobody said anything, for as long as a dispute may take.
        case none
    }

    package var isFraud: Bool
    package var source: Source
    /// Nil of `none`.
    package var at: Instant?
}

/// When a payment that nobody complained of counts as honest.
package struct LabelMaturity: Hashable, Sendable {
    /// Card networks give cardholders 120 days for a dispute of fraud (Visa Core Rules, dispute
    /// condition 10.4; Mastercard Chargeback Guide, reason 4837).
    package static let standardDays = 120
    /// Two years: longer than any network allows.
    package static let daysMax = 730

    package let days: Int
    package init(days: Int = standardDays) { self.days = days }

    /// From then on a silence counts.
    package func instant(of created: Instant) -> Instant {
        Instant(seconds: created.seconds + Int64(days) * 86_400)
    }

    /// A payment's label as of a moment: what is known, else honest once it is mature, else nil.
    package func label(
        of event: PaymentEvent, by evidence: FraudEvidence
    ) -> (label: FraudLabel?, isMature: Bool) {
        let isMature = instant(of: event.created) <= evidence.asOf
        if let known = evidence.label(of: event) { return (known, isMature) }
        return (
            isMature ? FraudLabel(isFraud: false, source: .none, at: nil) : nil, isMature
        )
    }
}

extension FraudEvidence {
    /// Takes in what a log holds.
    ///
    /// - Parameter progress: records read, and of how many.
    /// - Throws: `StoreFailure`.
    package mutating func read(
        webhooks: TopicReader, reviews: TopicReader, progress: (Int64, Int64) -> Void = { _, _ in }
    ) throws(StoreFailure) {
        let total = webhooks.end.rawValue + reviews.end.rawValue
        var done: Int64 = 0
        for (topic, isReview) in [(webhooks, false), (reviews, true)] {
            var next = topic.start
            let end = topic.end
            while next < end {
                let records = try topic.read(
                    from: next, byteCountMax: TopicReader.scanByteCount)
                guard let last = records.last else { break }
                for stored in records {
                    let value = stored.record.value ?? []
                    if isReview { add(review: value) } else { add(webhook: value) }
                }
                next = last.offset.advanced(by: 1)
                progress(done + next.rawValue, total)
            }
            done += end.rawValue
        }
    }
}
