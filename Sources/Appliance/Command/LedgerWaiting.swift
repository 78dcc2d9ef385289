import Appliance
import ArgumentParser
import Foundation
import Terminal
import Vocabulary

extension LedgerCommand {
    /// `ledger waiting`
    struct Waiting: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List refunds that were told and are not booked, and what they wait for.")
        @OptionGroup var options: Options

        private static let columns = [
            "movement", "charge", "account", "amount", "currency", "since", "age", "why",
            "waits_for",
        ]
        /// Programs get the exact numbers and the event too.
        private static let furtherColumns = ["minor_units", "age_seconds", "event"]

        mutating func run() async throws {
            let waiting = try await options.withLedger { try $0.waiting() }
            let now = Int64(Date().timeIntervalSince1970)
            let rows = waiting.map { Self.row($0, now: now) }
            try Table(columns: Self.columns + (options.json ? Self.furtherColumns : []), rows: rows)
                .print(asJSON: options.json, named: "waiting")
        }

        private static func row(
            _ movement: WaitingMovement, now: Int64
        ) -> [String: Table.Cell] {
            let since = Date(timeIntervalSince1970: Double(movement.since.seconds))
            let seconds = max(0, now - movement.since.seconds)
            return [
                "movement": .text(movement.key.rawValue), "charge": .text(movement.charge),
                "account": movement.account.map { .text($0) } ?? .none,
                "minor_units": .number(movement.amount.rawValue),
                "amount": .text(movement.currency.display(movement.amount)),
                "currency": .text(movement.currency.code),
                "since": .text(since.formatted(.iso8601)), "age_seconds": .number(seconds),
                "age": .text(age(seconds)), "event": .text(movement.eventID.rawValue),
                "why": .text(movement.reason), "waits_for": .text(movement.waitsFor),
            ]
        }

        /// In the largest unit that fits: `3 d`, `5 h`, `12 min`.
        private static func age(_ seconds: Int64) -> String {
            if seconds >= 86_400 { return "\(seconds / 86_400) d" }
            return seconds >= 3600 ? "\(seconds / 3600) h" : "\(seconds / 60) min"
        }
    }
}
