import Appliance
import Daemon
import Foundation
import NIOHTTP1
import Reconcile
import Terminal
import Twin
import Vocabulary

/// `tillbox bench reconcile`: a whole run over a statement, from a twin in one process into a
/// daemon in another, against a client that only reads the same pages.
///
/// The ledger knows the payments beforehand and none of their fees, as after a day of webhooks: the
/// run books a fee for each row. A second run over the same rows finds everything booked.
struct BenchReconcile {
    let context: BenchContext
    let rowCount: Int

    static let rowCounts = 1_000...1_000_000
    private static let currencies = ["usd", "eur", "jpy", "kwd"]
    private static let peer = "reading the pages alone"

    func run() async throws -> [BenchRow] {
        var rounds: [Round] = []
        for round in 0..<context.rounds {
            context.show("reconciliation", round: round)
            rounds.append(try await measure())
        }
        let rows = "\(Figures.grouped(rowCount)) rows"
        func compared(_ measure: String, _ run: (Round) -> Run) -> [BenchRow] {
            [
                BenchRow(
                    "reconcile", "\(rows), \(measure)", unit: "rows/s",
                    rounds.map { Double(rowCount) / run($0).seconds }, against: Self.peer,
                    rounds.map { Double(rowCount) / $0.pagingSeconds }),
                BenchRow(
                    "reconcile", "\(rows), \(measure), time", unit: "s", better: .lower,
                    rounds.map { run($0).seconds }),
                BenchRow(
                    "reconcile", "\(rows), \(measure), daemon's processor time", unit: "s",
                    better: .lower, rounds.map { run($0).processorSeconds }),
            ]
        }
        return compared("each with a fee to be booked") { $0.booking }
            + compared("all booked before") { $0.again } + [
                BenchRow(
                    "reconcile", "\(rows), daemon's memory before", unit: "MB", better: .lower,
                    rounds.map { $0.memoryBefore / 1e6 }),
                BenchRow(
                    "reconcile", "\(rows), daemon's memory, peak", unit: "MB", better: .lower,
                    rounds.map { $0.memoryPeak / 1e6 }),
            ]
    }

    private struct Run: Sendable {
        var seconds: Double
        var processorSeconds: Double
    }

    private struct Round: Sendable {
        var pagingSeconds: Double
        var booking: Run
        var again: Run
        var memoryBefore: Double
        var memoryPeak: Double
    }

    private func measure() async throws -> Round {
        let folder = try context.makeFolder()
        defer { context.remove(folder) }
        let twin = try await BenchChild(.twin, folder: folder)
        let form =
            "count=\(rowCount)"
            + Self.currencies.map { "&currencies[]=\($0)" }.joined()
        _ = try await BenchRequests(twin, "/twin/bulk", form: form).once()
        let base = "http://127.0.0.1:\(twin.port())"
        let pagingSeconds = try await Self.bookPayments(of: base, in: folder, expecting: rowCount)
        let daemon = try await BenchChild(.whole, folder: folder, stripeBase: base)
        let before = try await daemon.settle()
        let booking = try await reconcile(daemon, folder, books: rowCount)
        let again = try await reconcile(daemon, folder, books: 0)
        let after = try await daemon.read()
        await daemon.stop()
        await twin.stop()
        return Round(
            pagingSeconds: pagingSeconds, booking: booking, again: again,
            memoryBefore: before.memoryBytes, memoryPeak: after.memoryPeakBytes)
    }

    // MARK: The statement

    /// Reads the whole statement, and books its payments in the ledger of a daemon to come.
    ///
    /// - Returns: the seconds that reading and parsing took.
    private static func bookPayments(
        of base: String, in folder: String, expecting rowCount: Int
    ) async throws -> Double {
        let transport = HTTPStripeTransport(base: base, key: TwinSettings().apiKeys[0])
        let ledger = try SQLiteLedger.open(path: try DataFolder(at: folder).ledger) {
            Int64(Date().timeIntervalSince1970 * 1000)
        }
        let document = JSONDocument()
        let path = "/v1/balance_transactions?limit=100"
        var (seconds, count, last) = (0.0, 0, String?.none)
        repeat {
            let start = ContinuousClock.now
            let place = last.map { "&starting_after=\($0)" } ?? ""
            let answer = try await transport.get(path + place, of: .own)
            let page = try Page(answer, using: document)
            seconds += (ContinuousClock.now - start).inSeconds
            _ = try ledger.post(page.payments)
            count += page.payments.count
            last = page.next
        } while last != nil
        try ledger.close()
        guard count == rowCount else {
            throw BenchError.reconciliationDiffers("\(count) rows of \(rowCount) are listed")
        }
        return seconds
    }

    /// A page of the statement: what a client must read of it, as inputs of the ledger.
    private struct Page {
        var payments: [LedgerInput] = []
        /// The last id where there are further pages.
        var next: String?

        init(_ answer: StripeAnswer, using document: JSONDocument) throws {
            let root = try document.parse(answer.body)
            guard answer.status == 200, var rows = root["data"]?.array else {
                throw BenchError.unexpectedAnswer(
                    .twin, status: answer.status, String(decoding: answer.body, as: UTF8.self))
            }
            var last: String?
            while let row = rows.next() {
                let statement = try BalanceTransaction(json: row)
                let charge = row["source"]?.string ?? ""
                payments.append(
                    LedgerBenchmark.payment(
                        of: charge, by: EventID("evt_\(charge)"), statement.amount,
                        statement.currency, at: statement.created, MerchantID("bench")))
                last = row["id"]?.string
            }
            if root["has_more"]?.bool == true { next = last }
        }
    }

    // MARK: The run

    /// One run over everything there is, from the request to its end.
    private func reconcile(
        _ daemon: BenchChild, _ folder: String, books: Int
    ) async throws -> Run {
        try await Self.nextSecond()
        let api = AdminConnection(
            address: Settings.Address(host: "127.0.0.1", port: daemon.port("admin")),
            dataPath: folder)
        let before = try await daemon.read().processorMicroseconds
        let start = ContinuousClock.now
        let id = try await api.send(
            .POST, "/api/v1/reconciliations", body: Array(#"{"from":0}"#.utf8)
        ) { $0["id"]?.string ?? "" }
        var report = RunState()
        while !report.isOver {
            // Rarely, because telling where it stands costs the daemon time too.
            let waited = ContinuousClock.now - start
            try await Task.sleep(for: max(.milliseconds(20), waited / 50))
            report = try await api.send(.GET, "/api/v1/reconciliations/\(id)?limit=1") {
                RunState($0["reconciliation"])
            }
        }
        let seconds = (ContinuousClock.now - start).inSeconds
        let used = try await daemon.read().processorMicroseconds - before
        guard report.isClean, report.transactions == rowCount, report.booked == books else {
            throw BenchError.reconciliationDiffers("\(report)")
        }
        return Run(seconds: seconds, processorSeconds: used / 1e6)
    }

    /// A run reads what was made before the second that it is asked for in.
    private static func nextSecond() async throws {
        let now = Date().timeIntervalSince1970
        try await Task.sleep(for: .milliseconds(Int64((now.rounded(.up) - now) * 1000) + 1))
    }

    private struct RunState: Sendable {
        var isOver = false
        var isClean = false
        var transactions = 0
        var booked = 0
        var failure: String?

        init() {}

        init(_ json: JSONValue?) {
            let state = json?["state"]?.string
            isOver = state == "finished" || state == "failed"
            isClean = json?["clean"]?.bool ?? false
            transactions = Int(json?["transactions"]?.int64 ?? 0)
            failure = json?["failure"]?.string
            guard var currencies = json?["currencies"]?.array else { return }
            while let currency = currencies.next() {
                booked += Int(currency["booked"]?.int64 ?? 0)
            }
        }
    }
}
