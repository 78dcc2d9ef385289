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
    package var by: String
    /// Why.
    var note: String

    /// Bytes of a note at most.
    static let noteBytesMax = 2_000

    /// - Throws: a sentence's worth of what is missing or too much.
    package init(_ decision: Decision, by: String, note: String) throws(ReviewRefusal) {
        let name = PersonName.trimmed(by)
        (self.decision, self.by, self.note) = (decision, name, note)
        guard PersonName.isUsable(name), !ReservedNames.isMachine(name) else {
            throw .badRequest(
                "\(PersonName.Refusal.unusable), and none "
                    + "of those that no person has (\(ReservedNames.machineWords))")
        }
        guard
            note.unicodeScalars.contains(where: {
                !$0.properties.isWhitespace && !ShownText.isHidden($0)
            }), note.utf8.count <= Self.noteBytesMax
        else {
            throw .badRequest("note must say why, in at most \(Self.noteBytesMax) bytes")
        }
        guard
            !note.unicodeScalars.contains(where: {
                $0.properties.generalCategory == .control && !"\n\t".unicodeScalars.contains($0)
            })
        else { throw .badRequest("note must not have control characters") }
    }

    /// The decline of what nobody has decided in time, which no person can ask for.
    init(expiredAfterSeconds seconds: Int64) {
        (decision, by) = (.decline, ReservedNames.expiry)
        note = "nobody decided within \(seconds / 3_600) h"
    }
}

/// Why a review is not decided as asked.
package enum ReviewRefusal: Error, Hashable, Sendable {
    case badRequest(String)
    /// The ledger has no such payment, or it was never under review.
    case unknown(String)
    /// A person has decided, or there is nothing left to decide.
    case closed(Review)
    /// Somebody is deciding, and nothing of it is written; ask again.
    case beingTaken(MovementKey, by: String)
    /// Somebody's decision is written, and the ledger books it next.
    case beingDecided(MovementKey, by: String)
    /// The ledger has not come to what was decided before; ask again.
    case ledgerBehind

    /// A stable word for programs.
    package var code: String {
        switch self {
        case .badRequest: "review_request_bad"
        case .unknown: "review_unknown"
        case .closed: "review_closed"
        case .beingTaken: "review_being_taken"
        case .beingDecided: "review_being_decided"
        case .ledgerBehind: "review_ledger_behind"
        }
    }

    /// Characters of an id that are said again at most.
    private static let idCountMax = 64

    /// Whether a program that hears this code has its answer: the review is not open.
    package static func isAnswer(_ code: String?) -> Bool {
        ["review_unknown", "review_closed", "review_being_decided"].contains(code)
    }

    /// For the person who asked.
    package var message: String {
        switch self {
        case .badRequest(let what): what
        case .unknown(let id):
            "no payment \(ShownText.escaped(String(id.prefix(Self.idCountMax)))) is, or ever was, "
                + "under review"
        case .closed(let review): "\(review.movement) is not open: \(review.closedBecause)"
        case .beingTaken(let movement, let by):
            "\(ShownText.escaped(by)) is deciding \(movement), and nothing is written yet; ask "
                + "again in a moment"
        case .beingDecided(let movement, let by):
            "\(movement) is not open: \(ShownText.escaped(by)) has just decided it, "
                + "which the ledger books next"
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
            let name = decision.by.isEmpty ? "somebody" : ShownText.escaped(decision.by)
            let note = decision.note.map { ": \(ShownText.escaped($0))" } ?? ""
            return "\(name) \(state.rawValue) it at \(decision.at.rfc3339)\(note)"
        }
    }
}
