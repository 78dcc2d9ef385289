import GRDB

@testable import Appliance
@testable import Daemon
@testable import Vocabulary

extension PipelineFixture {
    /// Books charges 1…count, the folder stopped behind each, with people's decisions: before its
    /// payment, with it, after others, twice, and against one that is payable.
    func book(through count: Int) async throws {
        let decisions: [(after: Int, charge: Int, ReviewState)] = [
            (1, 25, .declined), (5, 24, .approved), (22, 21, .approved), (23, 21, .approved),
            (26, 3, .approved), (28, 4, .declined), (30, 26, .declined),
        ]
        for number in 1...count {
            try await opened { opened in
                _ = try await opened.append(
                    Self.received(
                        Self.charge(number, amount: 100 * number, customer: number % 3),
                        event: "evt_\(number)"), to: .webhookReceived)
                try await process(opened)
                for decision in decisions where decision.after == number {
                    _ = try await opened.append(
                        Self.decision(decision.charge, decision.2), to: .paymentReview)
                }
                try await process(opened)
            }
        }
    }

    /// Changes the stopped ledger's file as somebody with the file would.
    func tamper(_ sql: String) throws {
        var configuration = Configuration()
        configuration.foreignKeysEnabled = false
        let queue = try DatabaseQueue(path: "\(path)/ledger.sqlite", configuration: configuration)
        try queue.writeWithoutTransaction { database in
            let triggers = try String.fetchAll(
                database, sql: "SELECT name FROM sqlite_schema WHERE type = 'trigger'")
            for trigger in triggers { try database.execute(sql: "DROP TRIGGER \(trigger)") }
            try database.execute(sql: sql)
        }
        try queue.close()
    }
}
