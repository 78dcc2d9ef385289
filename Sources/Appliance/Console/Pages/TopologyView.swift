import Appliance
import Relay
import Vocabulary

/// The pipeline as it is drawn: twice, wide and tall, from the same numbers. An arrow is a topic; a
/// box is a stage, and leads to what it writes.
struct TopologyView {
    struct Stage {
        var name, second, detail, href: String
        /// Paths within a square of 16.
        var icon: String
        // In the wide drawing: the box's left edge, the middle, the icon's left edge.
        var x, middle, iconX: Int
        // In the tall one: the box's upper edge, the icon's, and the baselines of its two lines.
        var y, iconY, nameY, secondY: Int
    }

    struct Tube {
        var topic, href, rate, lag: String
        var isBehind: Bool
        var x, width, middle, from, to: Int
        var y, textY, flowFrom, flowTo: Int
        /// Where what waits stands, before the reader.
        var waitX, waitWidth: Int
    }

    struct Bridge {
        /// Its name for scripts.
        var key: String
        var name, lag: String
        var y, textY, middle: Int
    }

    var stages: [Stage]
    var tubes: [Tube]
    var bridges: [Bridge]
    var hasBridges: Bool
    var duplicates, refused, letters, reviews: String
    /// Whether something has stopped, or waits for a person: a way that nothing took has no colour.
    var hasLetters, hasReviews: Bool
    /// Where dead letters are listed.
    var lettersHref: String
    var approved: String
    var flagged: String

    /// Records of lag that fill a tube.
    private static let tubeFull: Int64 = 2_000
    /// From this lag on a tube is drawn as one that waits.
    private static let behindMin: Int64 = 1_000
    private static let step = 171
    private static let tallStep = 92

    init(_ seen: LiveFigures) {
        stages = Self.stages()
        let topics: [TopicID] = [
            .webhookReceived, .paymentValidated, .paymentFeatures, .paymentScored, .ledgerPosted,
        ]
        tubes = topics.enumerated().map { place, id in
            Self.tube(id, place, seen.stage(id), lag: seen.lag(of: id))
        }
        bridges = seen.bridges.prefix(4).enumerated().map { place, report in
            let y = 95 + place * 38
            return Bridge(
                key: "bridge \(report.name.rawValue)", name: report.name.rawValue.sentence,
                lag: "lag \(ShownAmount.grouped(report.lag))", y: y, textY: y + 19, middle: y + 15)
        }
        hasBridges = !bridges.isEmpty
        func count(_ name: Counters.Name) -> String { seen.words(name) }
        duplicates = count(.duplicates)
        refused = count(.signatureRefused)
        lettersHref = Self.lettersHref
        letters = ShownAmount.grouped(seen.letterCount)
        hasLetters = seen.letterCount > 0
        hasReviews = (seen.money?.openReviewCount ?? 0) > 0
        reviews = seen.money.map {
            ShownAmount.grouped(Int64($0.openReviewCount)) + ($0.hasFurtherReviews ? "+" : "")
        } ?? "–"
        let through = seen.payments(of: .approve)
        let scored = PaymentTally.flagged.reduce(through) { $0 + seen.payments(of: $1) }
        approved = scored == 0 ? "–" : ShownNumber.share(Double(through) / Double(scored))
        flagged = OverviewView.flaggedWords(seen)
    }

    static let lettersHref = "/log/letters"

    /// Texts by the places that they stand in, beside the topics' own.
    var values: [(String, String)] {
        [
            ("duplicates", duplicates), ("refused", refused), ("dead letters", letters),
            ("held", reviews), ("approved", approved), ("flagged", flagged),
        ] + bridges.map { ($0.key, $0.lag) }
    }

    private static func tube(
        _ id: TopicID, _ place: Int, _ stage: LiveFigures.Stage, lag: Int64
    ) -> Tube {
        let x = 225 + place * step
        let width = place == 4 ? 83 : 119
        let waits = Int(min(lag, tubeFull) * Int64(width - 4) / tubeFull)
        let y = 140 + place * tallStep
        return Tube(
            topic: id.rawValue, href: "/log/\(id.rawValue)", rate: ShownRate.words(stage.rate),
            lag: ShownAmount.grouped(lag), isBehind: lag >= behindMin, x: x, width: width,
            middle: x + width / 2, from: x + 5, to: x + width - 5, y: y, textY: y + 24,
            flowFrom: y + 4, flowTo: y + 36, waitX: x + width - 2 - waits, waitWidth: waits)
    }

    private static func stages() -> [Stage] {
        drawn.enumerated().map { place, words in
            let middle = 28 + place * step
            let y = place * tallStep
            return Stage(
                name: words.name, second: words.second, detail: words.detail, href: words.href,
                icon: words.icon, x: middle - 20, middle: middle, iconX: middle - 9, y: y,
                iconY: y + 12, nameY: y + 19, secondY: y + 36)
        }
    }

    private typealias Words = (
        name: String, second: String, detail: String, href: String, icon: String
    )

    private static let drawn: [Words] = [
        (
            "Stripe", "webhooks",
            "Stripe: sends signed webhooks, and again for up to three days until it gets a 200.",
            "/log/webhook.received", #"<path d="M3 5h10M3 8h10M3 11h6"/>"#
        ),
        (
            "Gate", "signature, id",
            "Gate: checks the signature over the raw bytes, then the event id; answers 200 only "
                + "when the event is stored for good.",
            "/log/webhook.received",
            #"<rect x="3.5" y="7" width="9" height="6.5" rx="1.25"/>"#
                + #"<path d="M5.5 7V5a2.5 2.5 0 0 1 5 0v2"/>"#
        ),
        (
            "Validate", "one shape",
            "Validate: reads ten years of Stripe’s shapes into one canonical payment. What it "
                + "cannot understand becomes a dead letter with a reason.",
            "/log/payment.validated", #"<path d="M3 8.5 6.5 12 13 4.5"/>"#
        ),
        (
            "Features", "eight numbers",
            "Features: eight numbers per payment from this customer’s history, in log order.",
            "/log/payment.features", #"<path d="M3 13V8.5M6.33 13V5M9.67 13V9.5M13 13V3"/>"#
        ),
        (
            "Score", "one model",
            "Score: the model’s probability of fraud, and its reasons. Between two thresholds a "
                + "person decides.",
            "/log/payment.scored", #"<path d="M2.5 11.5a5.5 5.5 0 1 1 11 0M8 11l2.75-4"/>"#
        ),
        (
            "Ledger", "sums to zero",
            "Ledger: two or more entries that sum to zero; one movement is booked once, for ever.",
            "/ledger",
            #"<path d="M2.5 3.5h11M8 3.5v9.5M4.5 6.5h1.5M4.5 9.5h1.5M10 6.5h1.5M10 9.5h1.5"/>"#
        ),
    ]
}
