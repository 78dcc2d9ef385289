import Appliance
import Hummingbird
import Vocabulary

/// `/ledger/verify`, where a verification is begun and watched, and `/ledger/export`, from where
/// the ledger is taken along.
struct LedgerCheckPages: Sendable {
    let pages: ConsolePages

    private var parts: ConsoleParts { pages.parts }
    private static let path = "/ledger/verify"

    func add(to routes: inout AdminRoutes) {
        pages.page(&routes, .get, Self.path, .viewer) { show($0) }
        pages.page(&routes, .post, Self.path, .reviewer) { try begin($0) }
        pages.page(&routes, .get, "/ledger/export", .viewer) { try export($0) }
    }

    // MARK: Verify

    private func show(_ asked: PageRequest) -> Response {
        let shell = pages.shell("Verify the ledger", .ledger, asked)
        let view = LedgerCheckView(
            parts.check?.state, now: parts.now, mayBegin: asked.role >= .reviewer,
            token: shell.token)
        return ConsolePages.html("verify", shell, view)
    }

    private func begin(_ asked: PageRequest) throws -> Response {
        guard let check = parts.check, let caller = asked.context.caller else {
            throw Problem(
                .notFound, "the ledger is not verified from here; run `tillbox ledger verify`")
        }
        guard check.begin(by: caller.name) else {
            throw Problem(
                .conflict, "the ledger is being verified already; its page shows how far it is",
                code: "verification_running")
        }
        return ConsolePages.sent(to: Self.path)
    }

    // MARK: Export

    private struct ExportView {
        struct Format { var value, words, second: String }

        var sections: [SectionLink]
        var from, to: String
        var formats: [Format]
    }

    /// The form, or where a format is chosen, the way to the file.
    private func export(_ asked: PageRequest) throws -> Response {
        let filter = try TransactionFilter(asked)
        if let format = asked.query("format") {
            let fields = ["from", "to"].filter { !filter.value($0).isEmpty }
                .map { "&\($0)=\(PathText.escaped(filter.value($0)))" }
            return ConsolePages.sent(
                to: "/api/v1/ledger/export?format=\(PathText.escaped(format))"
                    + fields.joined())
        }
        let view = ExportView(
            sections: LedgerSection.links(at: .export), from: filter.from?.dayText ?? "",
            to: filter.to?.dayText ?? "",
            formats: [
                .init(value: "csv", words: "CSV", second: "an entry a line, for a spreadsheet"),
                .init(value: "json", words: "JSON", second: "a transaction a line, for a program"),
                .init(
                    value: "beancount", words: "beancount",
                    second: "for plain-text bookkeeping, every account opened"),
            ])
        return ConsolePages.html("export", pages.shell("Export", .ledger, asked), view)
    }
}

/// How a verification stands, or how the last one ended.
struct LedgerCheckView {
    struct Running {
        var step, by, age: String
        var checked, total: Int64
    }

    struct Ended {
        var words, second: String
        var tone: String
        var isRight: Bool
        var head: String?
        var by: String
        var at: ShownMoment
    }

    var sections: [SectionLink]
    var running: Running?
    var ended: Ended?
    var isNever: Bool
    /// Whether the page has a button that begins one.
    var mayBegin: Bool
    var needsRole: Bool
    var token: String

    /// - Parameters:
    ///   - state: nil where the daemon verifies no ledger.
    ///   - mayBegin: by the role of who asks.
    init(_ state: LedgerCheck.State?, now: Instant, mayBegin: Bool, token: String) {
        sections = LedgerSection.links(at: .verify)
        running = state?.running.map { running in
            Running(
                step: Self.step(running), by: ShownText.escaped(running.by),
                age: ShownAge.words(from: running.begun, to: now), checked: running.checked,
                total: max(1, running.total))
        }
        ended = state?.ended.map(Ended.init)
        isNever = running == nil && ended == nil
        self.mayBegin = mayBegin && state != nil && running == nil
        needsRole = !mayBegin
        self.token = token
    }

    /// The chain first, and then what the ledger keeps beside it, which tells no progress.
    private static func step(_ running: LedgerCheck.Running) -> String {
        guard running.total > 0 else { return "Step 1 of 2: opening the ledger" }
        let count = "\(ShownAmount.grouped(running.checked)) of "
            + ShownNumber.count(running.total, "transaction")
        return running.checked < running.total
            ? "Step 1 of 2: hashes and sums, \(count)"
            : "Step 2 of 2: balances, rules, and what is kept beside the chain"
    }
}

extension LedgerCheckView.Ended {
    init(_ ended: LedgerCheck.Ended) {
        (by, at) = (ShownText.escaped(ended.by), ShownMoment(ended.at))
        let took = ShownAge.words(from: ended.begun, to: ended.at)
        switch ended.outcome {
        case .success(let found):
            head = String(hex: found.head)
            let count = ShownNumber.count(found.transactions, "transaction") + " with "
                + ShownNumber.count(found.entries, "entry", "entries")
            if let fault = found.fault {
                (isRight, tone) = (false, "is-stop")
                words = "The ledger is not what it was: stop, and restore a backup"
                second = ShownText.escaped("\(fault)") + ". Good up to there: \(count)."
            } else {
                (isRight, tone) = (true, "")
                words = "The whole ledger fits together"
                second = "\(count), each hash, sum and balance computed again in \(took)."
            }
        case .failure(let error):
            (isRight, tone, head) = (false, "is-wait", nil)
            words = "The ledger could not be verified"
            second = ShownText.escaped("\(error)")
        }
    }
}
