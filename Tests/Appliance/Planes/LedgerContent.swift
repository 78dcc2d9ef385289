@testable import Appliance
@testable import Vocabulary

/// What two ledgers of the same events must have in common, however their runs were cut up
/// (contracts §11): everything but numbers, chain, and the order in which money went between held
/// and payable.
struct LedgerContent: Hashable {
    /// By movement and account; what is a merchant's own, held or payable, as one.
    var movements: [String: [String: Int64]] = [:]
    /// By charge and account, where it stands in the end; of charges of which nothing was taken
    /// back.
    var charges: [String: [String: Int64]] = [:]
    var balances: [String: Int64] = [:]
    /// By payment, what the review says.
    var openReviews: [String: ReviewFinding]
    var decided: [String: ReviewDecision]
    var waiting: Set<String>
    var letters: Set<Letter>

    struct Letter: Hashable {
        var stage, reason, event: String
    }

    init(
        _ transactions: [PostedTransaction], openReviews: [String: ReviewFinding],
        decided: [String: ReviewDecision], waiting: Set<String>, letters: Set<Letter>
    ) {
        self.openReviews = openReviews
        self.decided = decided
        self.waiting = waiting
        self.letters = letters
        var reversed: Set<String> = []
        for transaction in transactions {
            let posting = transaction.posting
            let root = Self.root(of: posting.movement.rawValue)
            if posting.kind == .paymentReversed { reversed.insert(posting.eventID.rawValue) }
            for entry in posting.entries {
                let (name, currency) = (entry.account.rawValue, entry.currency.code)
                let amount = entry.amount.rawValue
                movements[root, default: [:]]["\(Self.merged(name)) \(currency)", default: 0]
                    += amount
                charges[root, default: [:]]["\(name) \(currency)", default: 0] += amount
                balances["\(name) \(currency)", default: 0] += amount
            }
        }
        movements = movements.mapValues { $0.filter { $0.value != 0 } }.filter { !$0.value.isEmpty }
        // A reversal takes from where the money stands just then, and so do those behind it.
        charges =
            reversed.isEmpty
            ? charges.filter { $0.key.hasPrefix("charge:") }
                .mapValues { $0.filter { $0.value != 0 } } : [:]
        balances = balances.filter { $0.value != 0 }
    }

    /// `released:charge:ch_1#2` and `capture_grown:charge:ch_1#500` belong to `charge:ch_1`.
    private static func root(of movement: String) -> String {
        var root = movement[...]
        let inner = ["held:", "released:", "capture_grown:", "review_approved:", "review_declined:"]
        for prefix in inner where root.hasPrefix(prefix) { root = root.dropFirst(prefix.count) }
        // Which of two refunds of one size was the release makes no difference to any balance.
        for kind in ["refund_released", "refund_restored"] where root.hasPrefix(kind) {
            return "refund_released"
        }
        return String(root.prefix { $0 != "#" })
    }

    private static func merged(_ account: String) -> String {
        for place in [":held", ":payable"] where account.hasSuffix(place) {
            return String(account.dropLast(place.count)) + ":funds"
        }
        return account
    }

    /// What the two do not agree in.
    func differences(from other: Self) -> [String] {
        var found: [String] = []
        func compare<Value: Equatable>(
            _ what: String, _ left: [String: Value], _ right: [String: Value]
        ) {
            for key in Set(left.keys).union(right.keys).sorted() where left[key] != right[key] {
                let (mine, theirs) = (left[key].map { "\($0)" }, right[key].map { "\($0)" })
                found.append("\(what) \(key): \(mine ?? "none"), not \(theirs ?? "none")")
            }
        }
        compare("movement", movements, other.movements)
        compare("charge", charges, other.charges)
        compare("balance", balances, other.balances)
        compare("decision", decided, other.decided)
        compare("open review", openReviews, other.openReviews)
        if waiting != other.waiting {
            found.append("waiting: \(waiting.symmetricDifference(other.waiting).sorted())")
        }
        if letters != other.letters {
            found.append("letters: \(letters.symmetricDifference(other.letters))")
        }
        return found
    }
}
