import AppendLog
package import Appliance
package import Bridges
import Synchronization
package import Vocabulary

/// Ties the ledger in Postgres to the topics that it is booked from: its positions are offsets in
/// those of one cluster behind one prefix, and in any others they would pass over records, or book
/// somebody else's.
///
///     noted ─▶ these: held                      nothing noted ─▶ empty, or a role starts: noted
///        ├───▶ others: refused                      └─▶ a command: passed
///        └───▶ a box's log (a bridge): refused
package final class LedgerTie: Sendable {
    private let configuration: KafkaConfiguration
    private let names: KafkaNames
    /// Neither a process's topics nor its ledger become others.
    private let isHeld = Atomic(false)

    package init(_ configuration: KafkaConfiguration, names: KafkaNames) {
        self.configuration = configuration
        self.names = names
    }

    /// For what one command asks Kafka; a role asks again.
    private static let patience = Duration.seconds(5)

    private func own() throws(KafkaError) -> KafkaOrigin {
        let cluster = try KafkaAdmin(configuration).clusterID(within: Self.patience)
        return KafkaOrigin(cluster: cluster ?? "", prefix: names.prefix)
    }

    /// - Parameter notes: what the ledger has noted.
    /// - Throws: `LedgerNotOwn`; `KafkaError`, where the cluster had to be asked.
    package func compare(_ notes: [String]) throws {
        guard !notes.isEmpty else { return }
        _ = try own().holds(notes)
    }

    /// Compares until it holds, and notes the topics where nothing is noted. Blocks.
    ///
    /// - Throws: `LedgerNotOwn`; `LedgerError`; `KafkaError`.
    package func hold(_ ledger: PostgresLedger) throws {
        guard !isHeld.load(ordering: .relaxed) else { return }
        try note(in: ledger, ifEmpty: false)
        isHeld.store(true, ordering: .relaxed)
    }

    /// Notes the topics in a ledger that was never used. One that was, and has nothing noted, is
    /// left to the role that books into it. Blocks.
    ///
    /// - Throws: `LedgerNotOwn`; `LedgerError`; `KafkaError`.
    package func noteInEmpty(_ ledger: PostgresLedger) throws {
        try note(in: ledger, ifEmpty: true)
    }

    private func note(in ledger: PostgresLedger, ifEmpty onlyEmpty: Bool) throws {
        let own = try own()
        // Most find it noted, and write nothing.
        if try own.holds(ledger.point().logs) { return }
        var refusal: LedgerNotOwn?
        try ledger.adopt { notes, isEmpty in
            do throws(LedgerNotOwn) {
                guard try !own.holds(notes), isEmpty || !onlyEmpty else { return nil }
                return LedgerOrigin.roles(own, turn: 1).note
            } catch {
                refusal = error
                return nil
            }
        }
        if let refusal { throw refusal }
    }

    /// Takes the topics to be those of the ledger, moved here from another cluster or to another
    /// prefix. Blocks.
    ///
    /// - Parameters:
    ///   - former: what the ledger has noted, as `CLUSTER/PREFIX`.
    ///   - partitions: of every topic.
    /// - Throws: `LedgerNotOwn`, also where a topic ends before the ledger's place in it;
    ///   `LedgerError`; `KafkaError`.
    package func move(_ ledger: PostgresLedger, from former: String, partitions: Int32) throws {
        let own = try own()
        let standing = LedgerOrigin.standing(of: try ledger.point().logs)
        guard case .roles(let noted, let turn) = standing, noted.text == former else {
            // Said once more of what is done.
            if case .roles(own, _) = standing { return }
            throw LedgerNotOwn.notMoved(named: former, standing)
        }
        if noted == own { return }
        try requirePlaces(of: ledger, partitions)
        let note = LedgerOrigin.roles(own, turn: turn + 1).note
        try ledger.adopt { notes, _ in
            LedgerOrigin.standing(of: notes) == standing ? note : nil
        }
        // Where somebody else was quicker, that one is compared with.
        try compare(ledger.point().logs)
    }

    /// What was moved record by record is as long as what the ledger has read of it.
    private func requirePlaces(of ledger: PostgresLedger, _ partitions: Int32) throws {
        let reader = try KafkaReader(configuration, group: names.group(LedgerStep.name))
        for topic in LedgerStep.inputs {
            for number in 0..<partitions {
                guard
                    let read = try ledger.position(topic: topic.rawValue, partition: number),
                    read > 0
                else { continue }
                let partition = KafkaPartition(names.topic(topic), number)
                let end = try reader.ends(of: partition, within: Self.patience).stableEnd
                guard end >= Offset(read) else {
                    throw LedgerNotOwn.tooShort(
                        partition: "\(partition)", end: end.rawValue, read: read)
                }
            }
        }
    }
}

extension KafkaOrigin {
    /// - Returns: whether a ledger with these notes is booked from here; false where nothing is
    ///   noted.
    fileprivate func holds(_ notes: [String]) throws(LedgerNotOwn) -> Bool {
        switch LedgerOrigin.standing(of: notes) {
        case nil: return false
        case .box(let log): throw .copyOfBox(log: log)
        case .roles(let noted, _):
            guard agrees(with: noted) else { throw .otherTopics(noted: noted, own: self) }
            return true
        }
    }
}

/// The ledger in Postgres is booked from something else than these settings name.
package enum LedgerNotOwn: Error, Hashable, Sendable {
    case otherTopics(noted: KafkaOrigin, own: KafkaOrigin)
    case copyOfBox(log: String)
    /// It is said to be moved from where it is not booked from.
    case notMoved(named: String, LedgerOrigin?)
    /// A moved topic ends before the ledger's place in it.
    case tooShort(partition: String, end: Int64, read: Int64)
}

extension LedgerNotOwn: CustomStringConvertible {
    package var description: String {
        switch self {
        case .otherTopics(let noted, let own):
            "the ledger in Postgres is booked from \(noted), and these settings name \(own): "
                + "give each of them a database of its own (TILLBOX_POSTGRES_URL); only where "
                + "those very topics were moved, each record at its offset, say so once: "
                + "`tillbox cloud prepare --moved-from \(noted.text)`"
        case .copyOfBox(let log):
            "the ledger in Postgres is a copy that the bridge of a box fills from its log \(log): "
                + "give the roles of the profile cloud a database of their own "
                + "(TILLBOX_POSTGRES_URL)"
        case .notMoved(let named, let standing):
            switch standing {
            case nil:
                "the ledger in Postgres has nothing noted to be moved from \(named): start the "
                    + "ledger role, or run `tillbox cloud prepare` without --moved-from"
            case .box(let log): "\(LedgerNotOwn.copyOfBox(log: log))"
            case .roles(let noted, _):
                "the ledger in Postgres is booked from \(noted) and not from \(named): name it as "
                    + "`--moved-from \(noted.text)`"
            }
        case .tooShort(let partition, let end, let read):
            "\(partition) ends at \(end), and the ledger has read it up to \(read): these are not "
                + "its records, each at its offset, so book these topics anew into a database of "
                + "their own (TILLBOX_POSTGRES_URL)"
        }
    }
}
