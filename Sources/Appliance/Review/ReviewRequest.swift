package import Vocabulary

/// What a person wants done with a payment under review.
package struct ReviewRequest: Hashable, Sendable {
    package enum Decision: String, CaseIterable, Sendable {
        case approve, decline

        /// As `payment.review` says it.
        package var state: ReviewState { self == .approve ? .approved : .declined }
    }

    var decision: Decision
    /// Who decides.
    var by: String
    /// Why.
    var note: String

    /// Bytes of a name, and of a note, at most.
    static let nameBytesMax = 128
    static let noteBytesMax = 2_000

    /// - Throws: a sentence's worth of what is missing or too much.
    package init(_ decision: Decision, by: String, note: String) throws(ReviewRefusal) {
        (self.decision, self.by, self.note) = (decision, by, note)
        guard (1...Self.nameBytesMax).contains(by.utf8.count), by != PostingRules.scoringActor
        else {
            throw .badRequest(
                "by must be a name of 1 to \(Self.nameBytesMax) bytes, other than "
                    + PostingRules.scoringActor)
        }
        guard note.contains(where: { !$0.isWhitespace }), note.utf8.count <= Self.noteBytesMax
        else {
            throw .badRequest("note must say why, in at most \(Self.noteBytesMax) bytes")
        }
    }
}

/// Why a review is not decided as asked.
package enum ReviewRefusal: Error, Hashable, Sendable {
    case badRequest(String)
    /// The ledger has no such payment, or it was never under review.
    case unknown(String)
    /// A person has decided, or there is nothing left to decide.
    case closed(Review)
    /// Somebody else's decision is on its way.
    case beingDecided(MovementKey, by: String)
    /// The ledger has not come to what was decided before; ask again.
    case ledgerBehind

    /// A stable word for programs.
    package var code: String {
        switch self {
        case .badRequest: "review_request_bad"
        case .unknown: "review_unknown"
        case .closed: "review_closed"
        case .beingDecided: "review_being_decided"
        case .ledgerBehind: "review_ledger_behind"
        }
    }

    /// Whether a program that hears this code has its answer: the review is not open.
    package static func isAnswer(_ code: String?) -> Bool {
        ["review_unknown", "review_closed", "review_being_decided"].contains(code)
    }

    /// For the person who asked.
    package var message: String {
        switch self {
        case .badRequest(let what): what
        case .unknown(let id): "no payment \(id) is, or ever was, under review"
        case .closed(let review): "\(review.movement) is not open: \(review.closedBecause)"
        case .beingDecided(let movement, let by):
            "\(movement) is not open: \(by) has just decided it, which the ledger books next"
        case .ledgerBehind:
            "the ledger is still booking what came before; ask again in a moment"
        }
    }
}

extension Review {
    fileprivate var closedBecause: String {
        switch state {
        case .open: return "it is"
        case .released: return "a better informed scoring has released its money"
        case .expired: return "the payment was taken back"
        case .approved, .declined:
            guard let decision else { return "it is \(state.rawValue)" }
            // Earlier releases kept who decided in payment.review alone.
            let name = decision.by.isEmpty ? "somebody" : decision.by
            let note = decision.note.map { ": \($0)" } ?? ""
            return "\(name) \(state.rawValue) it at \(decision.at.rfc3339)\(note)"
        }
    }
}
