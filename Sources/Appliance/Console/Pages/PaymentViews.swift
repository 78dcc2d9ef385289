import AppendLog
import Appliance
import Vocabulary

/// A page of the list of payments, with the filters that it was asked with.
struct PaymentsView {
    struct Choice {
        var value, words: String
        var isChosen: Bool
    }

    struct Row {
        var href, name, customer, card: String
        var moment: ShownMoment
        var amount: ShownAmount
        var state: ShownState
        var place: String
        var score: String
    }

    var q, currency, from, to: String
    /// Milliseconds since 1970, as asked.
    var seenFrom: String?
    var verdicts, places: [Choice]
    var rows: [Row]
    var isEmpty: Bool
    var isFiltered: Bool
    var next: String?
    /// Records that are not in the index yet, in words; nil for none.
    var behind: String?

    init(_ page: PaymentPage, fields: [String: String], next: String?, behind: String?) {
        func field(_ name: String) -> String { ShownText.escaped(fields[name] ?? "") }
        (q, currency, from, to) = (field("q"), field("currency"), field("from"), field("to"))
        verdicts = Self.choices(
            [Verdict.approve, .manualReview, .block].map { ($0.rawValue, ShownState($0).words) },
            fields["verdict"])
        places = Self.choices(
            MoneyPlace.allCases.map { ($0.rawValue, $0.words) }, fields["place"])
        seenFrom = fields["seen_from"].map(ShownText.escaped)
        rows = page.rows.compactMap(Row.init)
        isEmpty = rows.isEmpty
        isFiltered = fields.keys.contains { $0 != "after" && $0 != "limit" }
        self.next = next
        self.behind = behind
    }

    /// Every word, and where an address names several at once, these together.
    private static func choices(
        _ all: [(value: String, words: String)], _ chosen: String?
    ) -> [Choice] {
        let single = all.map {
            Choice(value: $0.value, words: $0.words, isChosen: $0.value == chosen)
        }
        guard let chosen, chosen.contains(",") else { return single }
        let names = chosen.split(separator: ",")
        let several = single.filter { names.contains($0.value[...]) }
        let choice = Choice(
            value: several.map(\.value).joined(separator: ","),
            words: several.map(\.words).joined(separator: ", "), isChosen: true)
        return [choice] + single
    }
}

extension PaymentsView.Row {
    /// - Returns: nil for a payment of which only its webhook is known yet.
    init?(_ row: PaymentRow) {
        guard let told = row.told else { return nil }
        let brand = row.brand.map { "\(ShownText.escaped($0).sentence) " } ?? ""
        self.init(
            href: "/payments/\(PathText.escaped(row.charge))", name: ShownText.escaped(row.charge),
            customer: ShownText.escaped(told.customer ?? ""),
            card: row.lastFour.map { "\(brand)•••• \(ShownText.escaped($0))" } ?? "",
            moment: ShownMoment(told.created),
            amount: ShownAmount(MinorUnits(told.amount), told.currency), state: row.shownState,
            place: row.place.words, score: row.score.map { ShownNumber.decimal($0, 2) } ?? "")
    }
}

extension PaymentRow {
    /// What a person decided, else what the model said.
    var shownState: ShownState {
        if told?.isFailed == true { return ShownState("Failed", dot: "o") }
        switch review {
        case .approved where verdict == .approve:
            // Its review was released: a better informed event was scored lower.
            return ShownState(.approve)
        case .approved: return ShownState("Approved by a person", "ok")
        case .declined: return ShownState("Declined")
        case .expired: return ShownState("Expired")
        case .opened, nil: return verdict.map { ShownState($0) } ?? ShownState("Not scored yet")
        }
    }
}

extension PaymentRow {
    /// `Visa •••• 4242`, as it was told; nil where no card was.
    var card: String? { lastFour.map { "\(brand?.sentence ?? "Card") •••• \($0)" } }
}

extension MoneyPlace {
    var words: String {
        switch self {
        case .payable: "Payable"
        case .held: "Held"
        case .blocked: "Blocked"
        case .refundDue: "Refund due"
        case .reversed: "Came back"
        case .failed: "Nothing moved"
        case .unbooked: "Not booked"
        }
    }
}

/// One payment from its first webhook to what is true of it now.
struct StoryView {
    struct Step {
        var moment: ShownMoment
        /// From the first record: `+2 ms`; nil for the first itself.
        var since: String?
        var words, href, record: String
        var dot: String
        var isStop: Bool
        /// A person or the model has decided here.
        var isTurn: Bool
        var isGone: Bool
        /// The timeline around it.
        var zoom: String
    }

    struct Feature {
        var words, value, usual: String
    }

    var timeline: TimelineView
    var name: String
    /// Not `amount`, which the transactions below have of their own.
    var paid: ShownAmount?
    var states: [ShownState]
    var facts: [CaseView.Fact]
    var steps: [Step]
    var count: String
    var score: String?
    var reasons: [String]
    var features: [Feature]
    var hasFeatures: Bool
    var usual: String
    var trail: [TrailView]
    var hasTrail: Bool
    var review: String?
    var reviewHref: String

    /// - Parameters:
    ///   - zoom: how long the timeline's window is, and `at` where it begins: see ``TimelineView``.
    init(_ story: PaymentStory, zoom: String?, at: Int64?) {
        let row = story.row
        let path = "/payments/\(PathText.escaped(row.charge))"
        let happened = StoryMoment.all(of: story)
        timeline = TimelineView(
            happened.map { TimelineView.Event(at: $0.at, words: $0.words, dot: $0.dot) },
            path: path, zoom: zoom, at: at)
        name = ShownText.escaped(row.charge)
        paid = row.told.map { ShownAmount(MinorUnits($0.amount), $0.currency) }
        states = [row.shownState, ShownState(row.place.words)]
        if let told = row.told {
            if row.refunded > 0 {
                states.append(
                    ShownState(row.refunded >= told.amount ? "Refunded" : "Refunded in part"))
            }
            if row.disputed > 0 { states.append(ShownState("Disputed", "stop")) }
        }
        if row.letterCount > 0 {
            states.append(ShownState(ShownNumber.count(row.letterCount, "dead letter"), "stop"))
        }
        facts = Self.facts(story)
        steps = Self.steps(happened, path)
        count = ShownNumber.count(Int64(story.steps.count), "record")
        let scored = story.scored?.payment
        score = scored?.score.map { ShownNumber.decimal($0, 2) }
        let hasUsual = Self.hasUsual(story)
        reasons = scored?.reasons.map {
            $0.words(amount: scored?.event.amount, hasUsual: hasUsual).sentence
        } ?? []
        features = (story.usual?.lines ?? []).map { Self.feature($0, hasUsual) }
        hasFeatures = !features.isEmpty
        usual = Self.usualWords(story.usual?.count ?? 0)
        trail = story.transactions.map { TrailView($0) }
        hasTrail = !trail.isEmpty
        review = story.review.map { $0.state == .open ? "Waits for a person" : $0.closing }
        reviewHref = CaseView.path(of: MovementKey("charge:\(row.charge)"))
    }

    /// Over what the usual is computed, or how many payments there must be before there is one.
    static func usualWords(_ count: Int) -> String {
        let words = ShownNumber.count(Int64(count), "earlier payment")
        guard count < UsualRange.countMin else { return "mean and two deviations over \(words)" }
        return "known from \(UsualRange.countMin) earlier payments on; "
            + (count == 0 ? "this is the first" : "there \(count == 1 ? "is" : "are") \(count)")
    }

    private static func facts(_ story: PaymentStory) -> [CaseView.Fact] {
        let (row, event) = (story.row, story.event)
        func fact(_ name: String, _ value: String?, isID: Bool = false) -> CaseView.Fact? {
            value.map {
                CaseView.Fact(name: name, value: ShownText.escaped($0), href: nil, isID: isID)
            }
        }
        let hasFailed = row.told?.isFailed == true
        return [
            fact("Customer", row.told?.customer, isID: true), fact("Card", row.card),
            fact("Card from", event?.cardCountry), fact("Billed in", event?.country),
            fact("Device", event?.device.map { String($0.prefix(16)) }, isID: true),
            fact("Merchant", row.told?.merchant),
            fact("Stripe account", row.told.map { $0.account ?? "the platform’s own" }),
            fact(
                hasFailed ? "Attempted" : "Paid",
                row.told.map { ShownMoment($0.created).words }),
            fact("Failed with", hasFailed ? event?.outcome : nil, isID: true),
        ].compactMap { $0 }
    }

    private static func steps(_ happened: [StoryMoment], _ path: String) -> [Step] {
        let first = happened.first?.at ?? 0
        return happened.enumerated().map { place, moment in
            let distance = max(0, moment.at - first)
            // The window begins a little before what it is about.
            let begin = max(0, distance - 5_000)
            return Step(
                moment: ShownMoment(Timestamp(milliseconds: moment.at)),
                since: place == 0 ? nil : "+" + ShownAge.words(milliseconds: distance),
                words: moment.words, href: moment.href, record: moment.record, dot: moment.dot,
                isStop: moment.dot == "stop", isTurn: moment.isTurn && moment.dot != "stop",
                isGone: moment.isGone, zoom: "\(path)?zoom=1m&at=\(begin)#when")
        }
    }

    /// Whether any amount is usual for the customer: not before so many payments. Of more than
    /// those some may have been in another currency, so that it is not known.
    private static func hasUsual(_ story: PaymentStory) -> Bool? {
        guard let usual = story.usual else { return nil }
        return usual.count < UsualRange.countMin ? false : nil
    }

    private static func feature(_ line: FeatureUsual.Line, _ hasUsual: Bool?) -> Feature {
        let usual = line.usual.map { usual in
            "\(ShownNumber.decimal(usual.mean, 2)) ± "
                + ShownNumber.decimal(usual.high - usual.mean, 2)
        }
        return Feature(
            words: FeatureWords.words(line.name, line.value, hasUsual: hasUsual).sentence,
            value: ShownNumber.decimal(line.value, 2), usual: usual ?? "–")
    }
}

extension TrailStep {
    /// What happened in plain words, and the colour of its dot.
    var shown: (words: String, dot: String) {
        let plain = ShownText.escaped(word)
        switch topic {
        case .webhookReceived: return ("Webhook received: \(plain)", "")
        case .paymentValidated:
            return ("Read as \(plain.replacing("_", with: " "))", "")
        case .paymentFeatures: return ("Features from the customer’s history", "")
        case .paymentScored:
            let verdict = Verdict(rawValue: word).map { ShownState($0) }
            return ("Scored: \(verdict?.words.lowercased() ?? plain)", verdict?.dot ?? "")
        case .paymentReview:
            switch ReviewState(rawValue: word) {
            case .opened: return ("Held: a person must look", "wait")
            case .approved: return ("Approved by a person", "ok")
            case .declined: return ("Declined", "")
            case .expired, nil: return ("Review \(plain)", "")
            }
        case .ledgerPosted:
            return ("Booked: \(plain.replacing("_", with: " "))", "")
        case .deadLetter:
            return word == "redrive" ? ("Redriven", "") : ("Dead letter: \(plain)", "stop")
        }
    }
}

extension ShownAge {
    /// `2 ms`, and from a second on in its unit.
    static func words(milliseconds: Int64) -> String {
        milliseconds < 1_000 ? "\(max(0, milliseconds)) ms" : words(seconds: milliseconds / 1_000)
    }
}
