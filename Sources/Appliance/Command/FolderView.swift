import AppendLog
import Appliance
import Daemon
import Foundation
import Logging
import Reconcile
import Relay
import Synchronization
import Terminal
import Vocabulary
import Warehouse

/// The topics of a log that another process writes, as they were when it was looked at last.
private final class LookedAtTopics: Sendable {
    private let readers: Mutex<[TopicID: TopicReader]>

    init(_ readers: [TopicID: TopicReader]) { self.readers = Mutex(readers) }

    subscript(topic: TopicID) -> TopicReader? { readers.withLock { $0[topic] } }

    func replace(by newer: [TopicID: TopicReader]) { readers.withLock { $0 = newer } }
}

/// A data folder as a command that only looks finds it, also while the daemon runs. What is not
/// there, or is something else, is said before anything is opened.
struct FolderView {
    let path: String

    /// Opens the log without taking its lock.
    ///
    /// - Parameter withCold: whether it goes on in the cold folders where its own segments begin;
    ///   files there are opened only when they are read.
    func log(withCold: Bool = true) throws(CommandFailure) -> ReadOnlyLog {
        let place = try logPath()
        do throws(LogError) {
            return try Log.openReadOnly(at: place, withCold: withCold)
        } catch {
            throw .cannotRun(error.description)
        }
    }

    /// Verifies every batch, those in cold folders too. Where a file there is away or damaged, the
    /// log's own segments are verified all the same.
    ///
    /// - Returns: what is damaged in the log's own folder, what is wrong with cold files, and how
    ///   many records were read.
    /// - Throws: `LogError`, `CommandFailure`
    func verifiedLog() throws -> (faults: [String], ofCold: String?, recordCount: Int) {
        var found: (faults: [String], ofCold: String?, recordCount: Int) = ([], nil, 0)
        for topic in try log().topics {
            let report: VerificationReport?
            do throws(LogError) {
                report = try topic.verify()
            } catch {
                guard error.isOfColdFile else { throw error }
                found.ofCold = found.ofCold ?? error.description
                report = try log(withCold: false).topic(topic.name)?.verify()
            }
            found.recordCount += report?.recordCount ?? 0
            if let corruption = report?.corruption { found.faults.append("\(corruption)") }
        }
        return found
    }

    /// The log as a bridge's comparison reads it: as it is now, and as it is later where a target
    /// has more by then.
    func relaySource() throws(CommandFailure) -> RelaySource {
        let log = try log()
        guard let identity = log.identity else {
            throw .cannotRun(
                "the log in \(path) has no identity yet; start the daemon once, which gives it one")
        }
        let topics = LookedAtTopics(try readers(of: log))
        return RelaySource(log: identity.description) { id in
            guard let reader = topics[id] else { preconditionFailure("\(id) was not opened") }
            return FollowedTopic(reader) { _ in .success(()) }
        } renew: {
            // What cannot be read any more is told of by who reads the records.
            if let log = try? self.log(), let readers = try? readers(of: log) {
                topics.replace(by: readers)
            }
        }
    }

    /// What an export reads of the folder.
    func warehouse(
        _ settings: Settings, _ livemode: Bool
    ) throws(CommandFailure) -> WarehouseSource {
        let log = try log()
        let topics = try readers(of: log)
        let ledger = try ledger()
        return settings.warehouse(
            of: log.identity?.description ?? path, livemode: livemode, ledger: ledger,
            statement: StatementStore(of: ledger),
            logger: Logger(label: "tillbox") { _ in SwiftLogNoOpLogHandler() }
        ) { id in
            guard let reader = topics[id] else { preconditionFailure("\(id) was not opened") }
            return reader
        }
    }

    /// The topics of the log as it is now. Those that are derived are looked at before what they
    /// were derived from, but for `payment.scored`, which stands behind its vectors.
    func topics() throws(CommandFailure) -> [TopicID: TopicReader] { try readers(of: try log()) }

    private func readers(
        of log: ReadOnlyLog
    ) throws(CommandFailure) -> [TopicID: TopicReader] {
        var readers: [TopicID: TopicReader] = [:]
        for id in TopicID.allCases {
            guard let name = try? TopicName(id.rawValue), let topic = log.topic(name) else {
                throw .cannotRun(
                    "the log in \(path) has no \(id.rawValue) yet; start the daemon once")
            }
            readers[id] = TopicReader(topic)
        }
        return readers
    }

    /// What explains the amounts of this folder. The log is opened when a record is asked for
    /// first, behind the first look at the ledger; a folder without one is explained by its ledger
    /// alone.
    ///
    /// - Parameter endpoints: those whose secrets are known.
    func explainer(endpoints: [WebhookEndpoint]) throws(CommandFailure) -> Explainer {
        let ledger = try ledger()
        let hasLog = FileManager.default.fileExists(atPath: "\(path)/log")
        var opened: ReadOnlyLog?
        return Explainer(
            ledger: ledger, statement: StatementStore(of: ledger),
            topic: { id in
                guard hasLog else { return nil }
                let log = try opened ?? self.log()
                opened = log
                return log.topic(try TopicName(id.rawValue)).map { TopicReader($0) }
            }, endpoints: endpoints)
    }

    /// `payment.review` as it is now; nil where the log has none yet.
    func reviewTopic() throws -> TopicReader? {
        let name = try TopicName(TopicID.paymentReview.rawValue)
        return try log().topic(name).map { TopicReader($0) }
    }

    /// Where the log is.
    func logPath() throws(CommandFailure) -> String {
        let log = "\(path)/log"
        try check(log, "log")
        // Other programs have folders of that name too (/var/log).
        let names = (try? FileManager.default.contentsOfDirectory(atPath: log)) ?? []
        let ours = TopicID.allCases.map { "\($0.rawValue)-0" } + ["__cursors-0"]
        guard ours.contains(where: names.contains) else {
            throw .cannotRun("\(log) is no Tillbox log; name the data folder with --data")
        }
        return log
    }

    /// Opens the ledger for reading.
    func ledger() throws(CommandFailure) -> SQLiteLedgerReader {
        let place = try ledgerPath()
        do throws(LedgerError) {
            return try SQLiteLedgerReader.open(path: place)
        } catch {
            throw .cannotRun(error.description)
        }
    }

    /// Where the ledger is.
    func ledgerPath() throws(CommandFailure) -> String {
        let ledger = "\(path)/ledger.sqlite"
        try check(ledger, "ledger")
        return ledger
    }

    /// The ledger where there is one: a folder whose daemon never came so far has none.
    func ledgerIfThere() throws(CommandFailure) -> SQLiteLedgerReader? {
        FileManager.default.fileExists(atPath: "\(path)/ledger.sqlite") ? try ledger() : nil
    }

    /// What people decided and the ledger has still to book; nothing where there is no log.
    func waitingDecisions(of ledger: any LedgerReading) throws -> WaitingDecisions {
        let id = TopicID.paymentReview.rawValue
        guard FileManager.default.fileExists(atPath: "\(path)/log") else {
            return WaitingDecisions()
        }
        // The position first: what is booked meanwhile is then no longer open.
        let next = try ledger.position(topic: id)
        guard let topic = try log().topic(try TopicName(id)) else { return WaitingDecisions() }
        do {
            return try WaitingDecisions(in: TopicReader(topic), from: next)
        } catch {
            throw CommandFailure.cannotRun(error)
        }
    }

    private func check(_ part: String, _ name: String) throws(CommandFailure) {
        let files = FileManager.default
        guard files.fileExists(atPath: path) else {
            throw .cannotRun("there is no folder \(path); name the data folder with --data")
        }
        var isFolder: ObjCBool = false
        _ = files.fileExists(atPath: path, isDirectory: &isFolder)
        guard isFolder.boolValue else {
            throw .cannotRun("\(path) is no folder; name the data folder with --data")
        }
        guard files.fileExists(atPath: part) else {
            // A folder that may not be entered shows nothing of what is in it.
            throw access(path, X_OK) == 0
                ? .cannotRun("there is no \(name) in \(path); name the data folder with --data")
                : .cannotRun("\(path) may not be entered; run this as the daemon's user")
        }
        guard access(part, R_OK) == 0 else {
            throw .cannotRun("\(part) may not be read; run this as the daemon's user")
        }
    }
}

extension CommandFailure {
    /// What keeps a command from working in a data folder, as the command's failure: its start is
    /// refused, or the log, the ledger or a store fail. Any other error stays as it is.
    static func ofFolder(_ error: any Error) -> any Error {
        switch error {
        case is StartRefusal, is LogError, is LedgerError, is StoreFailure:
            return cannotRun(error)
        default: return error
        }
    }
}
