import AppendLog
import Appliance
import Relay
import Vocabulary

/// The overview's words and numbers, all of them from one look at the pipeline: the page has them
/// as it is asked, and open pages are told them once a second (``ShownFigures``).
struct OverviewView {
    enum Tone: String { case ok, wait, stop, mute }

    struct Proof {
        /// Its name for scripts.
        var key: String
        var name, value, second: String
        var href: String?
        var isStop: Bool
        /// Whether it is right as far as it goes, and too old to rely on.
        var isOld: Bool
        /// A class of its own.
        var tone: String

        init(
            _ key: String, _ name: String, _ value: String, _ second: String, _ tone: Tone,
            _ href: String?, isOld: Bool = false
        ) {
            (self.key, self.name, self.value, self.second) = (key, name, value, second)
            (self.href, self.tone) = (href, tone.rawValue)
            isStop = tone == .stop
            self.isOld = isOld
        }
    }

    struct Answer {
        /// `is-right`, `is-stop`, `is-wait`, or `grey` where it is not known or nothing is to know.
        var words, second, tone: String

        init(_ figures: LiveFigures, _ proofs: [Proof], _ warnings: [String]) {
            if let first = proofs.first(where: \.isStop) {
                (words, tone) = ("Not right: \(first.name.lowercased())", "is-stop")
                second = "\(first.value), \(first.second)."
                return
            }
            guard let money = figures.money else {
                (words, tone) = ("Not known yet", "grey")
                second = "The ledger was not asked yet."
                return
            }
            if figures.at - money.checkedAt > OverviewView.moneyAgeMax {
                let moment = ShownMoment(Timestamp(milliseconds: money.checkedAt))
                (words, tone) = ("Unknown since \(moment.clock)", "grey")
                second = "The ledger cannot be asked. What is booked stays booked."
            } else if !warnings.isEmpty {
                (words, tone) = ("The money is right; something needs a look", "is-wait")
                second = "Every booking balances. What to look at stands below."
            } else if money.trial.isEmpty {
                (words, tone) = ("Ready for the first payment", "grey")
                second = "Nothing is booked yet. What Stripe sends appears here as it is processed."
            } else if let old = proofs.first(where: \.isOld) {
                (words, tone) = ("The money is right; something needs a look", "is-wait")
                second = "\(old.name): \(old.second)."
            } else {
                (words, tone) = ("The money is right", "is-right")
                second = "Every booking balances, in every currency."
            }
        }
    }

    struct Stage {
        var topic, href, writer, reader, count, lag, rate: String
    }

    struct Figure {
        var key, name, value, second: String
        var href: String?
    }

    /// What was paid in one currency since the start, and what all accounts sum to.
    struct Volume {
        var code, key, href: String
        var amount: ShownAmount
        /// nil where the ledger has none of the currency.
        var sum: ShownAmount?
        var isZero: Bool
    }

    var answer: Answer
    var checked: String
    var proofs: [Proof]
    var warnings: [String]
    var stages: [Stage]
    var topology: TopologyView
    var figures: [Figure]
    var volumes: [Volume]
    var hasVolumes: Bool
    var charts: [OverviewChart]
    var hasCharts: Bool
    /// Since when, or of what, figures are.
    var since: String
    /// Where the records of the pipeline are.
    var place: String
    /// What the page is made of: where this changes, an open page asks for it as a whole.
    var shape: String
    var feed: [Payment] = []
    var hasFeed = false

    init(_ seen: LiveFigures, _ history: [LiveHistory.Bucket]) {
        let warnings = seen.reasons + seen.warnings
        proofs = Self.proofs(seen)
        answer = Answer(seen, proofs, warnings)
        checked = "\(ShownMoment(Timestamp(milliseconds: seen.at)).clock) UTC"
        self.warnings = warnings.map(ShownText.escaped)
        stages = Self.stages(seen)
        topology = TopologyView(seen)
        figures = Self.figures(seen)
        volumes = Self.volumes(seen)
        hasVolumes = !volumes.isEmpty
        charts = seen.afar == nil ? [.throughput(history), .latency(history, seen)] : []
        hasCharts = !charts.isEmpty
        since = seen.afar.map { afar in
            "of all that the topics hold"
                + (afar.behind.map { "; \($0) still to be counted" } ?? "")
        } ?? "since the daemon’s start"
        place = seen.afar == nil ? "a durable log on this disk" : "a topic at Kafka"
        let ways = [topology.hasLetters ? "letters" : "", topology.hasReviews ? "reviews" : ""]
        shape = (volumes.map(\.code) + seen.bridges.map(\.name.rawValue) + ways + self.warnings)
            .joined(separator: "\n")
    }

    private static func stages(_ seen: LiveFigures) -> [Stage] {
        let readings: [(TopicID, String, String)] = [
            (.webhookReceived, "Gate", "Validate"), (.paymentValidated, "Validate", "Score"),
            (.paymentFeatures, "Features", "Bridges"), (.paymentScored, "Score", "Ledger"),
            (.ledgerPosted, "Ledger", "Bridges"), (.paymentReview, "People", "Ledger"),
            (.deadLetter, "Any stage", "People"),
        ]
        return readings.map { id, writer, reader in
            let stage = seen.stage(id)
            return Stage(
                topic: id.rawValue, href: "/log/\(id.rawValue)", writer: writer, reader: reader,
                count: ShownAmount.grouped(stage.count),
                lag: ShownAmount.grouped(seen.lag(of: id)), rate: ShownRate.words(stage.rate))
        }
    }

    private static func figures(_ seen: LiveFigures) -> [Figure] {
        func count(_ name: Counters.Name) -> String { seen.words(name) }
        let flagged = PaymentTally.flagged.reduce(0) { $0 + seen.payments(of: $1) }
        let booked = seen.tally?.bookedCount ?? seen.count(.paymentsBooked)
        let isOwn = seen.afar == nil
        let figures = [
            Figure(
                key: "booked", name: "Transactions processed", value: ShownAmount.grouped(booked),
                second: isOwn
                    ? "\(ShownRate.words(seen.rate(.paymentsBooked))) now" : "payments booked",
                href: seen.tally?.path([PaymentTally.bookedFilter])),
            Figure(
                key: "fraud", name: "Fraud flagged", value: ShownAmount.grouped(flagged),
                second: flaggedWords(seen),
                href: seen.tally?.path([PaymentTally.flaggedFilter])),
        ]
        // Whoever takes webhooks counts it for itself.
        guard isOwn else { return figures }
        return figures + [
            Figure(
                key: "blocked twice", name: "Duplicates blocked", value: count(.duplicates),
                second: "answered, none stored twice")
        ]
    }

    /// `3 to review · 1 blocked`
    static func flaggedWords(_ seen: LiveFigures) -> String {
        "\(ShownAmount.grouped(seen.payments(of: .manualReview))) to review · "
            + "\(ShownAmount.grouped(seen.payments(of: .block))) blocked"
    }

    private static func volumes(_ seen: LiveFigures) -> [Volume] {
        let trial = seen.money?.trial ?? [:]
        let volume = seen.tally?.volume ?? seen.volume
        let currencies = Set(volume.keys).union(trial.keys)
        return currencies.sorted { $0.code < $1.code }.map { currency in
            let sum = trial[currency]
            return Volume(
                code: currency.code.uppercased(), key: currency.code,
                href: seen.tally?.path([("currency", currency.code), PaymentTally.bookedFilter])
                    ?? "/payments?currency=\(currency.code)",
                amount: ShownAmount(MinorUnits(volume[currency] ?? 0), currency),
                sum: sum.map { ShownAmount(MinorUnits($0), currency) }, isZero: sum == 0)
        }
    }
}

/// Rates a second.
enum ShownRate {
    /// `12.4/s`, from a hundred on without decimals.
    static func words(_ rate: Double) -> String {
        "\(ShownNumber.decimal(rate, rate < 100 ? 1 : 0))/s"
    }
}

extension OverviewView {
    /// A line of the list of single payments, which fees, refunds and payouts are not.
    struct Payment {
        /// By which a page knows which is the newer one: where it lies in `payment.scored`, or,
        /// where that has several partitions, when its webhook came, in milliseconds since 1970.
        var order: Int64
        var moment: ShownMoment
        var name, href: String
        var amount: ShownAmount
        var state: ShownState
        var score: String

        /// As the index has it.
        ///
        /// - Returns: nil for what is in no list yet.
        init?(_ row: PaymentRow) {
            guard let told = row.told else { return nil }
            order = told.firstSeen
            moment = ShownMoment(Timestamp(milliseconds: told.firstSeen))
            name = ShownText.escaped(row.charge)
            href = AccountPath.explain(row.movement)
            amount = ShownAmount(MinorUnits(told.amount), told.currency)
            state = told.isFailed
                ? ShownState("Failed", dot: "o")
                : row.verdict.map { ShownState($0) } ?? ShownState("Not scored yet")
            score = row.score.map { ShownNumber.decimal($0, 2) } ?? ""
        }

        /// - Parameter partition: of the record; nil where its topic has one.
        /// - Returns: nil for another movement than a payment, or an attempt that failed.
        init?(_ scored: ScoredPayment, at stored: StoredRecord, _ partition: Int32? = nil) {
            guard [.payment, .paymentFailed].contains(scored.event.kind) else { return nil }
            let event = scored.event
            order = partition == nil
                ? stored.offset.rawValue : stored.record.timestamp.milliseconds
            moment = ShownMoment(stored.record.timestamp)
            name = ShownText.escaped(event.objectID)
            href = AccountPath.explain(event.movement.rawValue)
            amount = ShownAmount(event.amount, event.currency)
            state =
                event.kind == .paymentFailed
                ? ShownState("Failed", dot: "o") : ShownState(scored.verdict)
            score = scored.score.map { ShownNumber.decimal($0, 2) } ?? ""
        }

        func encode(into writer: inout JSONWriter) {
            writer.beginObject()
            writer.member("order", order)
            writer.member("iso", moment.iso)
            writer.member("clock", moment.clock)
            writer.member("name", name)
            writer.member("href", href)
            writer.member("whole", amount.whole)
            writer.member("fraction", amount.fraction)
            writer.member("code", amount.code)
            writer.member("tone", "st \(state.tone)" + (state.tinted ? " tint" : ""))
            writer.member("dot", "dot \(state.dot)")
            writer.member("verdict", state.words)
            writer.member("score", score)
            writer.endObject()
        }
    }
}
