import AppendLog
import Appliance
import ArgumentParser
import Bridges
import Daemon
import Foundation
import NIOHTTP1
import Terminal
import Vocabulary

/// `tillbox review …`: payments whose money is held until a person decides.
struct ReviewCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "review", abstract: "Look at held payments, and release or decline them.",
        subcommands: [List.self, Show.self, Approve.self, Decline.self])

    /// `review list`
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List open reviews in the order of their payments.")
        @OptionGroup var options: LedgerCommand.Options
        @Option(help: "How many reviews to list at most.") var limit = 100
        @Option(help: "Only reviews of payments behind this transaction.") var after: Int64?

        func validate() throws {
            guard limit > 0 else { throw ValidationError("--limit must be above 0") }
            guard after ?? 0 >= 0 else { throw ValidationError("--after must not be negative") }
        }

        mutating func run() async throws {
            let (limit, after) = (limit, after ?? 0)
            let (reviews, waiting) = try await options.withReviews { ledger, waiting in
                (try ledger.openReviews(after: TransactionID(after), limit: limit), waiting)
            }
            let next = reviews.count == limit ? reviews.last?.payment.rawValue : nil
            guard options.json else { return try printTable(reviews, waiting, next) }
            var writer = JSONWriter()
            writer.beginObject()
            writer.key("reviews")
            writer.beginArray()
            for review in reviews {
                review.encode(into: &writer, waiting: waiting.decision(on: review))
            }
            writer.endArray()
            writer.member("next", next)
            writer.endObject()
            try Output.standard.line(String(decoding: writer.bytes, as: UTF8.self))
        }

        private func printTable(
            _ reviews: [Review], _ waiting: WaitingDecisions, _ next: Int64?
        ) throws {
            guard !reviews.isEmpty else { return try Output.standard.line("no review is open") }
            let rows = reviews.map { review in
                [
                    "movement": .text(review.movement.rawValue),
                    "state": .text(review.stateText(waiting.decision(on: review))),
                    "amount": .amount(review.currency.display(review.amount)),
                    "currency": .text(review.currency.code),
                    "merchant": .text(review.merchant.rawValue),
                    "since": .text(review.effectiveAt.rfc3339), "score": .text(review.scoreText),
                    "reasons": .text(review.reasonsText),
                ] as [String: Table.Cell]
            }
            try Output.standard.line(
                Table(
                    columns: [
                        "movement", "state", "amount", "currency", "merchant", "since", "score",
                        "reasons",
                    ], rows: rows
                ).text())
            if let next { try Output.standard.line("more: --after \(next)") }
        }
    }

    /// `review show`
    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show one review, open or not.",
            discussion: """
                A reason is a feature of the payment with its value and, in parentheses, what it \
                adds to the score (before that is squeezed between 0 and 1); or a rule by its name.
                """)
        @OptionGroup var options: LedgerCommand.Options
        @Argument(help: "The payment: charge:ch_… or ch_….") var id: String

        func validate() throws { try ReviewCommand.check(id) }

        mutating func run() async throws {
            let id = id
            let (found, refunds, waiting) = try await options.withReviews { ledger, waiting in
                let found = try ledger.review(of: ReviewName.movement(id))
                let refunds = try found.map { try ledger.givenRefunds(of: $0.movement) } ?? []
                return (found, refunds, waiting)
            }
            guard let found else {
                throw CommandFailure.cannotRun(ReviewRefusal.unknown(id).sentence(of: id))
            }
            try found.print(
                asJSON: options.json, waiting: waiting.decision(on: found), refunds)
        }
    }

    /// What both decisions take.
    struct DecisionOptions: ParsableArguments {
        @OptionGroup var data: DataOptions
        @Argument(help: "The payment: charge:ch_… or ch_….") var id: String
        @Option(help: "Why: it is kept with the decision.") var note: String
        @Option(help: "Who decides; the user of this machine by default.") var by: String?
        @Flag(help: "Answer with one JSON document.") var json = false

        func validate() throws { try ReviewCommand.check(id) }

        func decide(_ decision: ReviewRequest.Decision) async throws {
            let answer: ReviewAnswer
            let booker: String
            do {
                let request = try ReviewRequest(decision, by: by ?? NSUserName(), note: note)
                let settings = try await data.settings(needsSecrets: false)
                booker = settings.profile == .cloud ? "a role ledger" : "the daemon"
                answer = try await ReviewDoor(settings: settings, namesSomebody: by != nil)
                    .decide(id, request)
            } catch let refusal as ReviewRefusal {
                if case .badRequest(let what) = refusal {
                    throw CommandFailure(exitCode: CommandFailure.wrongUsage, message: what)
                }
                throw CommandFailure.foundSomething(refusal.sentence(of: id))
            }
            do {
                try tell(answer, decision, bookedBy: booker)
            } catch {
                throw CommandFailure.cannotRun(
                    "\(answer.review.movement) is \(decision.state.rawValue), and that stands; but "
                        + (error.message ?? "the answer could not be written"))
            }
        }

        private func tell(
            _ answer: ReviewAnswer, _ decision: ReviewRequest.Decision, bookedBy booker: String
        ) throws(CommandFailure) {
            guard !json else {
                var writer = JSONWriter()
                answer.encode(into: &writer)
                return try Output.standard.line(String(decoding: writer.bytes, as: UTF8.self))
            }
            let review = answer.review
            let amount = "\(review.currency.display(review.amount)) \(review.currency.code)"
            let text =
                "\(review.movement) \(decision.state.rawValue): \(amount) "
                    + (answer.isBooked
                        ? "moved to merchant:\(review.merchant):\(decision.placeName)"
                        : "will move to merchant:\(review.merchant):\(decision.placeName) when the "
                            + "ledger books it, as soon as \(booker) runs; see "
                            + "`tillbox review show \(ShellWord.quoted(id))`")
            try Output.standard.line(PastedCommand.completed(text))
        }
    }

    /// `review approve`
    struct Approve: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Release a held payment to its merchant.",
            discussion: ReviewCommand.discussion)
        @OptionGroup var options: DecisionOptions
        mutating func run() async throws { try await options.decide(.approve) }
    }

    /// `review decline`
    struct Decline: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Set a held payment aside to be refunded; refund it at Stripe.",
            discussion: ReviewCommand.discussion)
        @OptionGroup var options: DecisionOptions
        mutating func run() async throws { try await options.decide(.decline) }
    }

    /// A payment's key has 1 to 255 bytes.
    fileprivate static func check(_ id: String) throws {
        guard (1...255).contains(id.utf8.count) else {
            throw ValidationError(
                "the payment must be named by 1 to 255 bytes: charge:ch_… or ch_…")
        }
    }

    static let discussion = """
        While a daemon runs in the data folder it is asked to; otherwise the decision is booked \
        when it starts next. In the profile cloud the decision is written to Kafka, and a role \
        ledger books it. Of two decisions the first wins, and of two that several processes write \
        at the same moment the decline. Exit codes: 0 decided, 1 the review is not open, 2 wrong \
        usage, 3 cannot run.
        """
}

extension ReviewRequest.Decision {
    /// Where the money goes.
    fileprivate var placeName: String { self == .approve ? "payable" : "refund_due" }
}

extension LedgerCommand.Options {
    /// The ledger, and what people decided that it has still to book. The decisions of the profile
    /// cloud lie at Kafka and are booked by whoever runs there.
    fileprivate func withReviews<Value>(
        _ body: (any LedgerReading, WaitingDecisions) throws -> Value
    ) async throws -> Value {
        let settings = try await data.settings(needsSecrets: false)
        let folder = settings.profile == .cloud ? nil : try await data.folder()
        return try await withLedger { ledger in
            let waiting = try folder?.waitingDecisions(of: ledger)
            return try body(ledger, waiting ?? WaitingDecisions())
        }
    }
}

extension VerdictReason {
    /// A line of `review show`: `failed_attempts_1h is 3 (+2.51): 3 failures within an hour`.
    var line: String {
        switch self {
        case .rule(let name): name
        case .feature(let name, let value, let contribution):
            name + String(format: " is %.4g (%+.2f): ", value, contribution) + words
        }
    }
}

extension Review {
    /// The state, and what it will be once the ledger has booked the decision.
    fileprivate func stateText(_ waiting: ReviewRecord?) -> String {
        guard let waiting else { return state.rawValue }
        return "\(waiting.state.rawValue) by \(ShownText.escaped(waiting.by)), will be booked when "
            + "the daemon runs"
    }

    fileprivate var scoreText: String {
        score.map { String(format: "%.3f", $0) } ?? "none"
    }

    fileprivate var reasonsText: String {
        reasons.map { reason in
            switch reason {
            case .rule(let name): name
            case .feature(let name, _, _): name
            }
        }.joined(separator: ", ")
    }

    fileprivate func print(
        asJSON json: Bool, waiting: ReviewRecord?, _ refunds: [GivenRefund]
    ) throws {
        if json {
            var writer = JSONWriter()
            encode(into: &writer, waiting: waiting, refunds: refunds)
            return try Output.standard.line(String(decoding: writer.bytes, as: UTF8.self))
        }
        var lines = [
            ("movement", movement.rawValue), ("state", stateText(waiting)),
            ("amount", text(of: amount)), ("merchant", merchant.rawValue),
            ("since", effectiveAt.rfc3339), ("event", eventID?.rawValue ?? "unknown"),
            ("score", scoreText),
        ]
        lines += reasons.map { ("reason", $0.line) }
        lines += decided(waiting)
        lines += refunds.map { ("refunded", "\(text(of: $0.amount)) by \($0.id)") }
        if state == .declined || waiting?.state == .declined {
            let left = refunds.left(of: self)
            let due = left > .zero ? "\(text(of: left)) to be made at Stripe" : "nothing is left"
            lines.append(("refund", due))
        }
        for (name, value) in lines {
            let label = name.padding(toLength: 10, withPad: " ", startingAt: 0)
            try Output.standard.line(label + ShownText.escaped(value))
        }
    }

    private func text(of amount: MinorUnits) -> String {
        "\(currency.display(amount)) \(currency.code)"
    }

    /// Who decided, and their note.
    private func decided(_ waiting: ReviewRecord?) -> [(String, String)] {
        var lines: [(String, String)] = []
        if let waiting {
            lines.append(("decided", "by \(waiting.by) at \(waiting.at.rfc3339)"))
            if let note = waiting.note { lines.append(("note", note)) }
        } else if let decision {
            // Earlier releases kept who decided in payment.review alone.
            let isKnown = !decision.by.isEmpty
            lines.append(
                (
                    "decided",
                    isKnown
                        ? "by \(decision.by) at \(decision.at.rfc3339)"
                        : "by somebody; an earlier release kept who and when in payment.review"
                ))
            if let note = decision.note { lines.append(("note", note)) }
        }
        return lines
    }
}
