import Appliance
import Hummingbird
import HTTPTypes
import Vocabulary

/// The model and its thresholds, `/settings/model?review&block&of`, and its card.
extension SettingsPages {
    struct Model {
        struct Row {
            var state: ShownState
            var actualCount, otherCount, change: String
            var actual, other: ShownAmount
        }

        /// Payments of one currency.
        struct Group { var rows: [Row] }

        var version, place, hash, trained: String
        var hasCard: Bool
        var features: [String]
        var review, block, ownReview, ownBlock: String
        var limits: [ShownAmount]
        var hasLimits: Bool
        /// What was asked for, in the form.
        var triedReview, triedBlock: String
        var spans: [SettingsOption]
        var groups: [Group]
        var isEmpty: Bool
        var answer: String
        /// Whether the tried thresholds could be set: a model's own may only be lowered.
        var isSettable: Bool
        /// nil of a model that does not say what it learned from.
        var drift: DriftView?
        var shadow: ShadowView
    }

    private var own: SettingsParts.Model {
        guard let model = parts.model else {
            preconditionFailure("the settings of a model without one")
        }
        return model
    }

    func addModel(to routes: inout AdminRoutes) {
        pages.page(&routes, .get, "/settings/model", .viewer) { try model($0) }
        pages.page(&routes, .get, "/settings/model/card", .viewer) { asked in
            guard own.path == nil else {
                throw Problem(
                    .notFound, "this model is a file of your own; its card is with who trained it")
            }
            return respond(
                "settingsCard", .model, asked, ModelCardView(ModelCard.text))
        }
    }

    private func model(_ asked: PageRequest) throws -> Response {
        try asked.request.checkParameters(["review", "block", "of"])
        let (now, usual) = (own.verdicts.thresholds, own.schema.thresholds)
        let span = try asked.request.word("of", as: ThresholdForecast.Span.self) ?? .day
        do {
            let tried = try ModelSchema.Thresholds.checked(
                review: try Self.threshold(asked, "review") ?? now.review,
                block: try Self.threshold(asked, "block") ?? now.block)
            let found = try ThresholdForecast.payments(
                of: span, in: pages.parts.topic(.paymentScored), now: pages.parts.now)
            var view = view(tried, span, ThresholdForecast(found.payments, tried))
            if found.isCut { view.answer += " The day has more; these are the first of it." }
            view.isSettable = tried.review <= usual.review && tried.block <= usual.block
            return respond("settingsModel", .model, asked, view)
        } catch is ModelError {
            let problem = Problem(
                .badRequest, "both lie above 0 and up to 1, and review is not above block")
            return respond(
                "settingsModel", .model, asked, view(now, span, nil), Told(problem: problem))
        } catch let problem as Problem {
            return respond(
                "settingsModel", .model, asked, view(now, span, nil), Told(problem: problem))
        }
    }

    /// - Throws: 400 for what is no number such as `0.35`.
    private static func threshold(
        _ asked: PageRequest, _ name: String
    ) throws(Problem) -> Double? {
        guard let text = asked.query(name) else { return nil }
        guard text.wholeMatch(of: /[01](\.[0-9]{1,6})?/) != nil, let number = Double(text) else {
            throw Problem(.badRequest, "\(name) must be a number from 0 to 1, such as 0.35")
        }
        return number
    }

    private func view(
        _ tried: ModelSchema.Thresholds, _ span: ThresholdForecast.Span,
        _ forecast: ThresholdForecast?
    ) -> Model {
        let (schema, now) = (own.schema, own.verdicts.thresholds)
        let limits = own.verdicts.amountLimits.sorted { $0.key.code < $1.key.code }
            .map { ShownAmount($0.value, $0.key) }
        return Model(
            version: ShownText.escaped(schema.version),
            place: own.path.map(ShownText.escaped) ?? "built in",
            hash: schema.modelHash, trained: schema.trainingDataHash,
            hasCard: own.path == nil, features: schema.features,
            review: "\(now.review)", block: "\(now.block)",
            ownReview: "\(schema.thresholds.review)", ownBlock: "\(schema.thresholds.block)",
            limits: limits, hasLimits: !limits.isEmpty, triedReview: "\(tried.review)",
            triedBlock: "\(tried.block)",
            spans: ThresholdForecast.Span.allCases.map {
                SettingsOption(
                    value: $0.rawValue, label: Self.words(of: $0), isChosen: $0 == span)
            }, groups: forecast.map(Self.groups) ?? [], isEmpty: (forecast?.count ?? 0) == 0,
            answer: forecast.map { Self.answer(to: $0, span) } ?? "", isSettable: false,
            drift: DriftView(pages.parts.counters.drift.readings),
            shadow: ShadowView(own.shadow(), besides: schema.version))
    }

    private static func words(of span: ThresholdForecast.Span) -> String {
        switch span {
        case .day: "the last whole UTC day"
        case .last: "the last \(ShownAmount.grouped(ThresholdForecast.lastMax)) scored records"
        }
    }

    private static func answer(
        to forecast: ThresholdForecast, _ span: ThresholdForecast.Span
    ) -> String {
        guard forecast.count > 0 else { return "" }
        let all = ShownNumber.count(forecast.count, "payment")
        let changed =
            forecast.changedCount == 0
            ? "None of \(all)" : "\(ShownAmount.grouped(forecast.changedCount)) of \(all)"
        let unscored =
            forecast.unscoredCount == 0
            ? ""
            : " \(ShownNumber.count(forecast.unscoredCount, "payment")) had no score, and would "
                + "have kept the verdict."
        return "\(changed) of \(words(of: span)) would have got another verdict.\(unscored)"
    }

    private static func groups(_ forecast: ThresholdForecast) -> [Model.Group] {
        forecast.lines.sorted { $0.key.code < $1.key.code }.map { currency, line in
            Model.Group(
                rows: [Verdict.approve, .manualReview, .block].map { verdict in
                    let actual = line.actual[verdict] ?? .init()
                    let other = line.other[verdict] ?? .init()
                    return Model.Row(
                        state: ShownState(verdict),
                        actualCount: ShownAmount.grouped(actual.count),
                        otherCount: ShownAmount.grouped(other.count),
                        change: signed(other.count - actual.count),
                        actual: ShownAmount(actual.amount, currency),
                        other: ShownAmount(other.amount, currency))
                })
        }
    }

    private static func signed(_ count: Int64) -> String {
        (count > 0 ? "+" : "") + ShownAmount.grouped(count)
    }
}

/// The card of the built-in model, read from its markdown: headings, paragraphs, lists and tables.
struct ModelCardView {
    struct Table {
        /// Empty for a table that has none.
        var heads: [String]
        var lines: [Line]
        var hasHeads: Bool
    }

    struct Line { var cells: [String] }

    /// One of the four; the others are absent.
    struct Block {
        var heading: String?
        var subheading: String?
        var text: String?
        var table: Table?
        var list: List?
    }

    struct List { var items: [String] }

    private(set) var cardName = ""
    private(set) var blocks: [Block] = []

    init(_ markdown: String) {
        var paragraph: [Substring] = []
        let lines: [Substring] = markdown.split(
            separator: "\n", omittingEmptySubsequences: false)
        for line in lines + [""] {
            guard line.isEmpty || line.hasPrefix("#") else {
                paragraph.append(line)
                continue
            }
            if !paragraph.isEmpty { blocks.append(Self.block(of: paragraph)) }
            paragraph = []
            let words = Self.plain(line.drop { $0 == "#" }.drop { $0 == " " })
            switch line.prefix(while: { $0 == "#" }).count {
            case 0: break
            case 1: cardName = words
            case 2: blocks.append(Block(heading: words))
            default: blocks.append(Block(subheading: words))
            }
        }
    }

    private static func block(of lines: [Substring]) -> Block {
        if lines[0].hasPrefix("|") {
            let rows = lines.map { line in
                line.split(separator: "|", omittingEmptySubsequences: false).dropFirst().dropLast()
                    .map { plain(Substring(String($0).trimmed)) }
            }
            return Block(
                table: Table(
                    heads: rows[0], lines: rows.dropFirst(2).map { Line(cells: $0) },
                    hasHeads: !rows[0].allSatisfy(\.isEmpty)))
        }
        guard lines[0].hasPrefix("- ") else {
            return Block(text: plain(Substring(lines.joined(separator: " "))))
        }
        var items: [String] = []
        for line in lines {
            if line.hasPrefix("- ") {
                items.append(plain(line.dropFirst(2)))
            } else if let last = items.popLast() {
                items.append(last + " " + plain(Substring(String(line).trimmed)))
            }
        }
        return Block(list: List(items: items))
    }

    /// Without the signs that set words apart.
    private static func plain(_ text: Substring) -> String {
        ShownText.escaped(String(text).replacing("`", with: "").replacing("**", with: ""))
    }
}
