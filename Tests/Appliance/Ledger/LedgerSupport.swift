import Foundation
import GRDB
import Testing

@testable import Appliance
@testable import Vocabulary

/// Makes records for the ledger's tests, with everything that does not matter filled in.
enum Given {
    static let usd = Currency("usd")!
    static let eur = Currency("eur")!

    static func event(
        _ kind: PaymentKind, _ object: String, amount: Int64 = 1000, currency: Currency = usd,
        merchant: String = "acct_1", related: String? = nil, fee: Int64 = 0, at: Int64 = 100,
        movement: String? = nil, id: String? = nil, known: Bool = true
    ) -> PaymentEvent {
        let prefix =
            switch kind {
            case .payment: "charge"
            case .disputeWithdrawn, .disputeReinstated: "dispute"
            default: kind.rawValue
            }
        return PaymentEvent(
            eventID: EventID(id ?? "evt_\(prefix)_\(object)"), kind: kind, objectID: object,
            movement: MovementKey(movement ?? "\(prefix):\(object)"), amount: MinorUnits(amount),
            currency: currency, created: Instant(seconds: at), livemode: false, account: nil,
            merchant: MerchantID(merchant), customer: known ? "cus_1" : nil,
            card: known ? "fp" : nil, cardCountry: nil, country: nil, device: nil, outcome: nil,
            balanceTransaction: nil, related: related, fee: MinorUnits(fee))
    }

    static func scored(
        _ event: PaymentEvent, _ verdict: Verdict = .notScored, score: Double? = nil,
        reasons: [VerdictReason] = []
    ) -> LedgerInput {
        .scored(
            ScoredPayment(
                event: event, verdict: verdict, score: score, reasons: reasons, model: nil,
                featuresAsOf: nil))
    }

    static func payment(
        _ charge: String, _ verdict: Verdict = .approve, amount: Int64 = 1000, known: Bool = true,
        id: String? = nil, merchant: String = "acct_1", currency: Currency = usd
    ) -> LedgerInput {
        scored(
            event(
                .payment, charge, amount: amount, currency: currency, merchant: merchant, id: id,
                known: known), verdict, score: 0.5)
    }

    static func review(
        _ charge: String, _ state: ReviewState, by: String = "ada", at: Int64 = 500
    ) -> LedgerInput {
        .review(
            ReviewRecord(
                movement: MovementKey("charge:\(charge)"), state: state, reasons: [], score: nil,
                by: by, at: Instant(seconds: at), note: nil))
    }
}

/// A folder of its own for one test, removed with it.
final class LedgerFolder {
    let path: String
    var file: String { "\(path)/ledger.sqlite" }

    init() throws {
        path = NSTemporaryDirectory() + "ledger-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func open() throws -> SQLiteLedger {
        try SQLiteLedger.open(path: file) { 1_700_000_000_000 }
    }

    /// What the plain `sqlite3` tool, a client that knows nothing of Tillbox, makes of `sql`.
    ///
    /// The tool reads `sql` as its input and goes on after an error, as an attacker would.
    func sqlite3(_ sql: String) throws -> (output: String, errors: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/sqlite3")
        process.arguments = ["-batch", file]
        let (input, output, errors) = (Pipe(), Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        try input.fileHandleForWriting.write(contentsOf: Data((sql + ";\n").utf8))
        try input.fileHandleForWriting.close()
        let read = output.fileHandleForReading.readDataToEndOfFile()
        let failed = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (String(decoding: read, as: UTF8.self), String(decoding: failed, as: UTF8.self))
    }
}

extension SQLiteLedger {
    /// The migrations, run once: parsing them takes most of the time of a short test.
    private static let empty = Result {
        let queue = try SQLiteFile.open(":memory:", readOnly: false, busyTimeoutSeconds: 5)
        try queue.writeWithoutTransaction(SQLiteFile.migrate)
        return queue
    }

    static func inMemory() throws -> SQLiteLedger {
        let queue = try SQLiteFile.open(":memory:", readOnly: false, busyTimeoutSeconds: 5)
        try empty.get().backup(to: queue)
        return try open(queue) { 1_700_000_000_000 }
    }
}

extension LedgerReading {
    /// Balances by name, without the accounts that stand at zero.
    func standing() throws -> [String: Int64] {
        var standing: [String: Int64] = [:]
        for balance in try balances() where balance.balance != .zero {
            standing["\(balance.account) \(balance.currency.code)"] = balance.balance.rawValue
        }
        return standing
    }
}
