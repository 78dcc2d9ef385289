import AppendLog
import Appliance
import Console
import Vocabulary

/// What the role `console` of the profile `cloud` serves: the part of the admin API that stands on
/// the ledger alone, and decisions on reviews, which go to Kafka as those of the command line do.
///
/// There is no route for what would be answered from the log, or from an index of it: the index and
/// the pages name a record by its offset in a topic, and a topic has several partitions here. Who
/// asks for it gets 404, never a part of the answer.
struct CloudConsole {
    let ledger: any LedgerReading
    let decisions: any DecisionLog
    let clock: any LogClock
    /// Of the settings: a command may say which daemon it means.
    let dataPath: String

    func add(to routes: inout AdminRoutes) {
        LedgerRoutes(ledger: ledger).add(to: &routes)
        ReviewRoutes(
            desk: ReviewDesk(decisions: decisions, ledger: ledger, clock: clock), ledger: ledger,
            dataPath: DataFolder.canonical(dataPath)
        ).add(to: &routes)
        // Last, since it describes the others.
        OpenAPIRoutes.add(to: &routes)
    }
}
