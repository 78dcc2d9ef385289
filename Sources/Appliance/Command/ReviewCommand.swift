import AppendLog
import Appliance
import ArgumentParser
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
            let reviews = try await options.withLedger {
                try $0.openReviews(after: TransactionID(after), limit: limit)
            }
            let next = reviews.count == limit ? reviews.last?.payment.rawValue : nil
            guard options.json else { return try printTable(reviews, next) }
            var writer = JSONWriter()
            writer.beginObject()
            writer.key("reviews")
            writer.beginArray()
            for review in reviews { review.encode(into: &writer) }
            writer.endArray()
            writer.member("next", next)
            writer.endObject()
            try Output.standard.line(String(decoding: writer.bytes, as: UTF8.self))
        }

        private func printTable(_ reviews: [Review], _ next: Int64?) throws {
            guard !reviews.isEmpty else { return try Output.standard.line("no review is open") }
            let rows = reviews.map { review in
                [
                    "movement": .text(review.movement.rawValue),
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
                        "movement", "amount", "currency", "merchant", "since", "score", "reasons",
                    ], rows: rows
                ).text())
            if let next { try Output.standard.line("more: --after \(next)") }
        }
    }

    /// `review show`
    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show one review, open or not.")
        @OptionGroup var options: LedgerCommand.Options
        @Argument(help: "The payment: charge:ch_… or ch_….") var id: String

        func validate() throws { try ReviewCommand.check(id) }

        mutating func run() async throws {
            let id = id
            let found = try await options.withLedger {
                try $0.review(of: ReviewName.movement(id))
            }
            guard let found else {
                throw CommandFailure.cannotRun(
                    "\(ReviewRefusal.unknown(id).message); see `tillbox review list`")
            }
            try found.print(asJSON: options.json)
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
            do {
                let request = try ReviewRequest(decision, by: by ?? NSUserName(), note: note)
                let settings = try await data.settings(needsSecrets: false)
                answer = try await ReviewDoor(settings: settings).decide(id, request)
            } catch let refusal as ReviewRefusal {
                if case .badRequest(let what) = refusal {
                    throw CommandFailure(exitCode: CommandFailure.wrongUsage, message: what)
                }
                throw CommandFailure.foundSomething(refusal.message)
            }
            do {
                try tell(answer, decision)
            } catch {
                throw CommandFailure.cannotRun(
                    "\(answer.review.movement) is \(decision.state.rawValue), and that stands; but "
                        + (error.message ?? "the answer could not be written"))
            }
        }

        private func tell(
            _ answer: ReviewAnswer, _ decision: ReviewRequest.Decision
        ) throws(CommandFailure) {
            guard !json else {
                var writer = JSONWriter()
                answer.encode(into: &writer)
                return try Output.standard.line(String(decoding: writer.bytes, as: UTF8.self))
            }
            let review = answer.review
            let amount = "\(review.currency.display(review.amount)) \(review.currency.code)"
            try Output.standard.line(
                "\(review.movement) \(decision.state.rawValue): \(amount) "
                    + (answer.isBooked
                        ? "moved to merchant:\(review.merchant):\(decision.placeName)"
                        : "will move to merchant:\(review.merchant):\(decision.placeName) when the "
                            + "ledger books it"))
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
        when it starts next. Of two decisions the first wins. Exit code 1 if the review is not \
        open.
        """
}

extension ReviewRequest.Decision {
    /// Where the money goes.
    fileprivate var placeName: String { self == .approve ? "payable" : "refund_due" }
}

extension Review {
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

    fileprivate func print(asJSON json: Bool) throws {
        if json {
            var writer = JSONWriter()
            encode(into: &writer)
            return try Output.standard.line(String(decoding: writer.bytes, as: UTF8.self))
        }
        var lines = [
            ("movement", movement.rawValue), ("state", state.rawValue),
            ("amount", "\(currency.display(amount)) \(currency.code)"),
            ("merchant", merchant.rawValue), ("since", effectiveAt.rfc3339),
            ("event", eventID?.rawValue ?? "unknown"), ("score", scoreText),
        ]
        for reason in reasons {
            switch reason {
            case .rule(let name): lines.append(("reason", name))
            case .feature(let name, let value, let contribution):
                lines.append(("reason", "\(name) is \(value) (\(contribution))"))
            }
        }
        if let decision {
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
        for (name, value) in lines {
            let label = name.padding(toLength: 10, withPad: " ", startingAt: 0)
            try Output.standard.line(label + ShownText.escaped(value))
        }
    }
}

/// The way to whoever may write the log: this process, or the daemon that holds the folder.
struct ReviewDoor {
    let settings: Settings

    /// How long another command, which has the folder for a moment, is waited for.
    private static let lockPatience = Duration.seconds(10)

    func decide(_ id: String, _ request: ReviewRequest) async throws -> ReviewAnswer {
        let giveUpAt = ContinuousClock.now + Self.lockPatience
        while true {
            if let answer = try await offline(id, request) { return answer }
            switch await ask(id, request) {
            case .success(let answer): return answer
            case .failure(let failure):
                // The folder may be held by who answers nothing: a command, or a start.
                guard failure.isNoDaemon, ContinuousClock.now < giveUpAt else { throw failure }
            }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    /// Writes the decision where nobody else has the folder.
    ///
    /// - Returns: nil where somebody has it.
    private func offline(_ id: String, _ request: ReviewRequest) async throws -> ReviewAnswer? {
        let view = FolderView(path: settings.dataPath)
        _ = try view.logPath()
        let ledger = try view.ledger()
        do {
            return try await EmbeddedPlane.offline(settings) { plane in
                try await OfflineDecision(
                    decisions: plane.decisions, topic: plane.reader(.paymentReview),
                    ledger: ledger, clock: plane.clock
                ).decide(id, request)
            }
        } catch LogError.locked {
            return nil
        } catch let refusal as StartRefusal {
            throw CommandFailure.cannotRun(refusal.description)
        } catch let error as LogError {
            throw CommandFailure.cannotRun(error.description)
        } catch let error as LedgerError {
            throw CommandFailure.cannotRun(error.description)
        } catch let error as StoreFailure {
            throw CommandFailure.cannotRun("\(error)")
        }
    }

    /// Has the daemon decide.
    private func ask(
        _ id: String, _ request: ReviewRequest
    ) async -> Result<ReviewAnswer, CommandFailure> {
        do {
            let answer = try await ReconcileConnection(
                address: settings.admin, dataPath: settings.dataPath,
                patience: ReconcileConnection.Patience(
                    seconds: ReviewDesk.answerSecondsMax,
                    unanswered: "the decision may have been taken; look with `tillbox review show "
                        + "\(ShellWord.quoted(id)) --data \(ShellWord.quoted(settings.dataPath))`")
            ).send(
                .POST, "/api/v1/reviews/\(Self.escaped(id))/decision", body: request.encoded(),
                refusal: { code, detail in
                    ReviewRefusal.isAnswer(code) ? .foundSomething(detail) : .cannotRun(detail)
                }
            ) { try ReviewAnswer(json: $0) }
            return .success(answer)
        } catch let failure as CommandFailure {
            return .failure(failure)
        } catch {
            return .failure(.cannotRun("\(error)"))
        }
    }

    private static func escaped(_ id: String) -> String {
        id.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? id
    }
}
