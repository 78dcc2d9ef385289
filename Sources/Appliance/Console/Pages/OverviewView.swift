import AppendLog
import Appliance
import Vocabulary

/// The page's numbers, as the template names them.
struct OverviewView {
    enum Tone { case ok, wait, stop, mute }

    struct Proof {
        var name, value, second: String
        var tone: Tone
        var href: String?
        var isOK: Bool
        var isStop: Bool
        var isWait: Bool

        init(_ name: String, _ value: String, _ second: String, _ tone: Tone, _ href: String?) {
            (self.name, self.value, self.second, self.tone) = (name, value, second, tone)
            self.href = href
            (isOK, isStop, isWait) = (tone == .ok, tone == .stop, tone == .wait)
        }
    }

    struct Answer {
        var words, second, tone: String
        var isRight: Bool

        /// - Parameter isEmpty: nothing is booked yet.
        init(_ proofs: [Proof], _ warnings: [String], isEmpty: Bool) {
            let wrong = proofs.filter(\.isStop)
            isRight = wrong.isEmpty && warnings.isEmpty
            if let first = wrong.first {
                (words, tone) = ("Not right: \(first.name.lowercased())", "is-stop")
                second = "\(first.value), \(first.second)."
            } else if !warnings.isEmpty {
                (words, tone) = ("The money is right; something needs a look", "is-wait")
                second = "Every booking balances. What to look at stands below."
            } else if isEmpty {
                (words, tone) = ("Ready for the first payment", "grey")
                second = "Nothing is booked yet. What Stripe sends appears here as it is processed."
            } else {
                (words, tone) = ("The money is right", "")
                second = "Every booking balances, in every currency."
            }
        }
    }

    struct Stage {
        var topic, href, writer, reader, count, lag, tone: String
        /// For scripts: the count as a plain number.
        var records: Int64
    }

    struct Figure { var name, value, second: String }

    struct Payment {
        var moment: ShownMoment
        var name, href: String
        var amount: ShownAmount
        var state: ShownState
        var score: String

        init(_ scored: ScoredPayment, at: Timestamp) {
            let event = scored.event
            moment = ShownMoment(at)
            name = ShownText.escaped(event.objectID)
            href = AccountPath.explain(event.movement.rawValue)
            amount = ShownAmount(event.amount, event.currency)
            state =
                event.kind == .paymentFailed
                ? ShownState("Failed", dot: "o") : ShownState(scored.verdict)
            score = scored.score.map { ShownNumber.decimal($0, 2) } ?? ""
        }
    }

    var answer: Answer
    var proofs: [Proof]
    var warnings: [String]
    var stages: [Stage]
    var topology: TopologyView
    var figures: [Figure]
    var feed: [Payment]
    var hasFeed: Bool
}
