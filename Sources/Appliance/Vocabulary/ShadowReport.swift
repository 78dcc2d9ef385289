/// What another model made of payments beside the live one, as `tillbox model shadow` leaves it in
/// the data folder: `shadow.json`, one JSON document, which the next report replaces as a whole.
package struct ShadowReport: Hashable, Sendable {
    /// Payments of a currency on which the two said these two things.
    package struct Line: Hashable, Sendable {
        package var currency: Currency
        package var live: Verdict
        package var other: Verdict
        package var payments: Int64
        package var amount: MinorUnits

        package init(
            currency: Currency, live: Verdict, other: Verdict, payments: Int64, amount: MinorUnits
        ) {
            self.currency = currency
            self.live = live
            self.other = other
            self.payments = payments
            self.amount = amount
        }
    }

    /// What the two made of the payments, as each comparison of two models tells it.
    package struct Figures: Hashable, Sendable {
        package var payments: Int64
        package var scorings: Int64
        /// Scorings without a vector: both sides send them to a person.
        package var withoutFeatures: Int64
        /// How far the two scores lie apart; nil where no payment has both.
        package var differenceMean: Double?
        package var differenceMax: Double?
        package var lines: [Line]

        package init(
            payments: Int64, scorings: Int64, withoutFeatures: Int64, differenceMean: Double?,
            differenceMax: Double?, lines: [Line]
        ) {
            self.payments = payments
            self.scorings = scorings
            self.withoutFeatures = withoutFeatures
            self.differenceMean = differenceMean
            self.differenceMax = differenceMax
            self.lines = lines
        }

        /// Payments on which both say the same.
        package var agreeing: Int64 {
            lines.reduce(0) { $0 &+ ($1.live == $1.other ? $1.payments : 0) }
        }
    }

    /// A model that judged payments when they came, and how many of the scorings are its.
    package struct LiveModel: Hashable, Sendable {
        package var version: String
        package var scorings: Int64

        package init(version: String, scorings: Int64) {
            self.version = version
            self.scorings = scorings
        }
    }

    /// Where it is kept in a data folder.
    package static let fileName = "shadow.json"
    /// The form that is written and read here; another number is of another release.
    package static let format: Int64 = 1

    package var madeAt: Instant
    /// The other model, and the file that it came from, as it was named.
    package var version: String
    package var file: String
    package var reviewFrom: Double
    package var blockFrom: Double
    /// Of `payment.scored`: the first record that was judged again, and the one behind the last.
    package var records: Range<Int64>
    package var liveModels: [LiveModel]
    package var figures: Figures

    package init(
        madeAt: Instant, version: String, file: String, reviewFrom: Double, blockFrom: Double,
        records: Range<Int64>, liveModels: [LiveModel], figures: Figures
    ) {
        self.madeAt = madeAt
        self.version = version
        self.file = file
        self.reviewFrom = reviewFrom
        self.blockFrom = blockFrom
        self.records = records
        self.liveModels = liveModels
        self.figures = figures
    }
}

// MARK: - As JSON

extension ShadowReport {
    package func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("format", Self.format)
        writer.member("made_at", madeAt.seconds)
        writer.member("version", version)
        writer.member("file", file)
        writer.member("review_from", reviewFrom)
        writer.member("block_from", blockFrom)
        writer.member("first_offset", records.lowerBound)
        writer.member("end_offset", records.upperBound)
        writer.objects("live_models", liveModels) { model, writer in
            writer.member("version", model.version)
            writer.member("scorings", model.scorings)
        }
        figures.encodeMembers(into: &writer)
        writer.endObject()
    }

    /// - Throws: also where the numbers contradict one another, as those of a damaged file may.
    package init(json: JSONValue) throws(RecordCodecError) {
        let (first, end) = (
            try json.requiredInt64("first_offset"), try json.requiredInt64("end_offset")
        )
        guard 0 <= first, first <= end else { throw .field("end_offset") }
        let models = try json.requiredList("live_models") { (model) throws(RecordCodecError) in
            LiveModel(
                version: try model.requiredString("version"),
                scorings: try model.requiredInt64("scorings"))
        }
        self.init(
            madeAt: try json.requiredInstant("made_at"),
            version: try json.requiredString("version"), file: try json.requiredString("file"),
            reviewFrom: try json.requiredDouble("review_from"),
            blockFrom: try json.requiredDouble("block_from"), records: first..<end,
            liveModels: models, figures: try Figures(json: json))
    }
}

extension ShadowReport.Figures {
    /// From `payments` to `verdicts`, as members of an object that says which models they are of.
    package func encodeMembers(into writer: inout JSONWriter) {
        writer.member("payments", payments)
        writer.member("scorings", scorings)
        writer.member("without_features", withoutFeatures)
        writer.member("agreeing", agreeing)
        writer.member("score_difference_mean", differenceMean)
        writer.member("score_difference_max", differenceMax)
        writer.list("verdicts", lines) { $0.encode(into: &$1) }
    }

    fileprivate init(json: JSONValue) throws(RecordCodecError) {
        let lines = try json.requiredList("verdicts", ShadowReport.Line.init(json:))
        self.init(
            payments: try json.requiredInt64("payments"),
            scorings: try json.requiredInt64("scorings"),
            withoutFeatures: try json.requiredInt64("without_features"),
            differenceMean: try json.optionalDouble("score_difference_mean"),
            differenceMax: try json.optionalDouble("score_difference_max"), lines: lines)
        guard payments > 0, lines.reduce(0, { $0 &+ $1.payments }) == payments else {
            throw .field("payments")
        }
        guard try json.requiredInt64("agreeing") == agreeing else { throw .field("agreeing") }
    }
}

extension ShadowReport.Line {
    fileprivate func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("currency", currency.code)
        writer.member("live", live.rawValue)
        writer.member("other", other.rawValue)
        writer.member("payments", payments)
        writer.member("minor_units", amount.rawValue)
        writer.endObject()
    }

    fileprivate init(json: JSONValue) throws(RecordCodecError) {
        self.init(
            currency: try json.requiredCurrency("currency"),
            live: try json.requiredWord("live"), other: try json.requiredWord("other"),
            payments: try json.requiredInt64("payments"),
            amount: MinorUnits(try json.requiredInt64("minor_units")))
        guard payments > 0 else { throw .field("payments") }
    }
}
