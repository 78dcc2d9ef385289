import AppendLog
import Appliance
import Dispatch
import Foundation
import ServiceLifecycle
import Synchronization
import Terminal
import Vocabulary

/// What the demo says beside its figures: where things are, what to paste, what went wrong. Parts
/// of it become known while the demo runs.
final class DemoNotes: Sendable {
    struct Content: Sendable {
        var about: [String] = []
        var hints: [String] = []
        /// Both, in the order in which they became known.
        var texts: [String] = []
        /// The latest, and how many there were.
        var warning: String?
        var warnings: [String] = []
    }

    /// Warnings that are kept for the end.
    private static let warningCountMax = 20

    private let shown: Mutex<Content>

    init(about: [String]) { shown = Mutex(Content(about: about, texts: about)) }

    var content: Content { shown.withLock { $0 } }

    func add(hint: String) {
        shown.withLock { content in
            content.hints.append(hint)
            content.texts.append(hint)
        }
    }

    func add(about: String) {
        shown.withLock { content in
            content.about.append(about)
            content.texts.append(about)
        }
    }

    func warn(_ line: String) {
        shown.withLock { content in
            content.warning = line
            if content.warnings.count < Self.warningCountMax { content.warnings.append(line) }
        }
    }
}

/// The demo's live view, which ends when its reader has gone: on a terminal a picture redrawn twice
/// a second on the alternate screen, so that what stood there before comes back; elsewhere a line a
/// second.
struct DemoView: Service {
    let counters: Counters
    let feed: DemoFeed
    let notes: DemoNotes
    /// Of the ledger whose sums are shown.
    let ledgerPath: String
    let terminal: Terminal?

    /// Rates are taken over so many looks, so that they can be read.
    private static let rateLookCount = 6
    /// Payments that a look adds to the picture at most: more could not be read.
    private static let paymentsPerLook = 2
    private static let paymentsKept = 200
    private static let queue = DispatchQueue(label: "tillbox.demo")

    func run() async throws {
        if let terminal { await draw(on: terminal) } else { await printLines() }
    }

    private func draw(on terminal: Terminal) async {
        terminal.enter()
        defer { terminal.leave() }
        var looks = [DemoFigures(counters)]
        var payments: [DemoPayment] = []
        while await isGoingOn(after: .milliseconds(500)) {
            looks.append(DemoFigures(counters))
            if looks.count > Self.rateLookCount { looks.removeFirst() }
            payments += feed.take(count: Self.paymentsPerLook)
            if payments.count > Self.paymentsKept { payments.removeFirst(Self.paymentsKept / 2) }
            let content = notes.content
            let screen = DemoScreen(
                now: looks[looks.count - 1], before: looks[0],
                about: content.about, payments: payments,
                sums: await sums(), hints: content.hints, warning: content.warning)
            terminal.show(screen)
        }
    }

    private func printLines() async {
        var before = DemoFigures(counters)
        var shown = 0
        while await isGoingOn(after: .seconds(1)) {
            shown = sayWhatIsNew(after: shown)
            let now = DemoFigures(counters)
            Terminal.write(Self.line(now, since: before) + "\n")
            before = now
        }
        _ = sayWhatIsNew(after: shown)
    }

    /// - Returns: how many texts have been said.
    private func sayWhatIsNew(after shown: Int) -> Int {
        let texts = notes.content.texts
        for text in texts.dropFirst(shown) { Terminal.write(text + "\n") }
        return texts.count
    }

    private func isGoingOn(after interval: Duration) async -> Bool {
        try? await cancelWhenGracefulShutdown { try await Task.sleep(for: interval) }
        return !Task.isShuttingDownGracefully && !Task.isCancelled
            && !Output.standard.noticesGoneReader()
    }

    /// Debits minus credits over all accounts; nil when the ledger cannot be read.
    private func sums() async -> [Currency: Int64]? {
        await withCheckedContinuation { continuation in
            Self.queue.async { [ledgerPath] in
                let ledger = try? SQLiteLedgerReader.open(path: ledgerPath)
                let balances = try? ledger?.balances()
                try? ledger?.close()
                continuation.resume(
                    returning: balances.map { balances in
                        balances.reduce(into: [:]) { sums, balance in
                            sums[balance.currency, default: 0] &+= balance.balance.rawValue
                        }
                    })
            }
        }
    }

    static func line(_ now: DemoFigures, since before: DemoFigures) -> String {
        let volume = now.volume.sorted { $0.key.code < $1.key.code }
            .map { "\(DemoNumber.money($0.value, $0.key)) \($0.key.code)" }
            .joined(separator: ", ")
        let rate = DemoNumber.perSecond(now.rate(.admitted, since: before))
        return [
            "admitted \(now[.admitted]) (\(rate))",
            "duplicates \(now[.duplicates])", "forged \(now[.signatureRefused])",
            "dead letters \(now[.deadLetters])", "judged \(now.judged)",
            "in review \(now[.flagged])", "blocked \(now[.blocked])",
            "transactions \(now[.booked])",
            "to 200 p99 \(DemoNumber.duration(now.acknowledged[1]))",
            "to ledger p99 \(DemoNumber.duration(now.endToEnd[1]))",
            "payments \(volume.isEmpty ? "none" : volume)",
        ].joined(separator: "  ")
    }
}

/// Standard output as a screen.
struct Terminal: Sendable {
    /// nil where standard output is no terminal, or one that cannot place its cursor.
    static func onStandardOutput() -> Terminal? {
        guard isatty(STDOUT_FILENO) == 1 else { return nil }
        let environment = ProcessInfo.processInfo.environment
        guard let kind = environment["TERM"], kind != "dumb" else { return nil }
        return Terminal(hasColour: environment["NO_COLOR"].map(\.isEmpty) ?? true)
    }

    /// Whether colours are wanted (no-color.org).
    let hasColour: Bool

    /// Columns and rows now; 80 × 24 where the terminal does not say.
    var size: (columns: Int, rows: Int) {
        var size = winsize()
        // SAFETY: the call fills the struct that it is handed and keeps no pointer to it.
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0
        else { return (DemoScreen.columnsMin, DemoScreen.rowsMin) }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    /// The alternate screen, without a cursor.
    func enter() { Self.write("\u{1B}[?1049h\u{1B}[?25l\u{1B}[2J") }

    /// What stood there before.
    func leave() { Self.write("\u{1B}[?25h\u{1B}[?1049l") }

    func show(_ screen: DemoScreen) {
        let size = size
        let lines = screen.lines(columns: size.columns, rows: size.rows)
            .map { hasColour ? $0.escaped : $0.plain }
        // No line end after the last one: it would scroll a screen that is full.
        Self.write(
            "\u{1B}[H" + lines.map { $0 + "\u{1B}[K" }.joined(separator: "\r\n") + "\u{1B}[J")
    }

    static func write(_ text: String) {
        // The demo goes on unseen; what it says at its end is checked.
        try? Output.standard.write(Array(text.utf8))
    }
}
