package import AppendLog
package import Logging
package import Vocabulary

/// How the ledger step begins over the embedded log, beside which a ledger may have been put back
/// from an older or a newer backup.
package struct LedgerStart: Sendable {
    package let log: Log
    package let topics: Topics
    package let standstills: Standstills
    package let logger: Logger

    package init(
        log: Log, topics: Topics, standstills: Standstills = Standstills(), logger: Logger
    ) {
        self.standstills = standstills
        self.log = log
        self.topics = topics
        self.logger = logger
    }

    /// The flow of the ledger step, where the ledger and the log agree.
    ///
    /// - Throws: `LedgerAheadOfLog`, `LedgerDiffers`.
    package func flow(for desk: inout LedgerDesk<some RebookingLedger>) async throws -> LogFlow {
        try await catchUp(&desk, from: try positions(of: desk.ledger))
        desk.forget()
        return try LogFlow(
            log: log, topics: topics, step: .ledger(), rewind: try positions(of: desk.ledger),
            standstills: standstills, logger: logger)
    }

    private func positions(of ledger: some LedgerBooks) throws -> [TopicID: Offset] {
        var positions: [TopicID: Offset] = [:]
        for id in LedgerStep.inputs {
            let (topic, stored) = (
                topics[id], try ledger.position(topic: id.rawValue, partition: 0)
            )
            let next = max(stored.map(Offset.init) ?? topic.start, topic.start)
            guard next <= topic.highWatermark else {
                throw LedgerAheadOfLog(topic: id, ledger: next, log: topic.highWatermark)
            }
            positions[id] = next
        }
        return positions
    }

    /// Books what `ledger.posted` has and an older ledger lacks, before anybody can decide
    /// anything. What was published keeps its time, so that ledger, log and copies go on to say the
    /// same.
    private func catchUp(
        _ desk: inout LedgerDesk<some RebookingLedger>, from positions: [TopicID: Offset]
    ) async throws {
        let rows = try PublishedRows(topics)
        let lacksRow = try rows.lastTransaction.map { try desk.lacksRow($0) } ?? false
        if try lacksRow || rows.lastReviewChange.map({ try desk.lacksReviewChange($0) }) ?? false {
            try desk.ledger.rebook(by: rows)
        }
        guard lacksRow, let published = rows.lastTransaction else { return }
        var flow = try LogFlow(
            log: log, topics: topics, step: .ledger([.paymentScored]), rewind: positions,
            standstills: standstills, logger: logger)
        while try desk.lacksRow(published) {
            guard flow.hasRecords else { throw LedgerDiffers(id: published) }
            _ = try await desk.turn(&flow)
        }
    }
}

/// The ledger knows more of the log than the log itself: one of the two was put back from a backup.
struct LedgerAheadOfLog: Error, CustomStringConvertible {
    var topic: TopicID
    var ledger: Offset
    var log: Offset

    var description: String {
        "the ledger has booked \(topic.rawValue) up to offset \(ledger.rawValue), but the log ends "
            + "at \(log.rawValue). \(FolderRemedy.restore)"
    }
}
