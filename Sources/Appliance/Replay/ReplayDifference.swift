/// Something that the original has otherwise than its replay.
package struct ReplayDifference: Hashable, Sendable {
    /// What is compared, a stable word.
    package enum Kind: String, CaseIterable, Sendable {
        /// Records of `payment.validated`.
        case validated
        /// Records of `payment.scored`.
        case verdict
        /// What the daemon itself wrote to `payment.review`.
        case review
        /// A transaction of the ledger: its movement, event, kind, moment and entries.
        case movement
        /// A hash, or a place in the chain. Only the first is listed: all that follow depend on it.
        case chain
        /// What a stage refused.
        case deadLetter = "dead_letter"
    }

    package var kind: Kind
    /// Where: `payment.scored/17`, `transactions 4`.
    package var place: String
    /// A movement or an event.
    package var what: String
    package var original: String
    package var replayed: String

    /// What stands where one side has nothing.
    static let nothing = "nothing"
}

/// All differences counted, the first ones kept.
package struct ReplayDifferences: Hashable, Sendable {
    /// How many differences are kept to be listed.
    static let listedMax = 100

    package private(set) var counts: [ReplayDifference.Kind: Int] = [:]
    package private(set) var listed: [ReplayDifference] = []

    package init() {}

    package var isEmpty: Bool { counts.isEmpty }
    package var count: Int { counts.values.reduce(0, +) }

    mutating func add(_ difference: ReplayDifference) {
        counts[difference.kind, default: 0] += 1
        let isRepeatedChain = difference.kind == .chain && counts[.chain, default: 0] > 1
        if listed.count < Self.listedMax, !isRepeatedChain { listed.append(difference) }
    }

    mutating func merge(_ other: Self) {
        counts.merge(other.counts) { $0 + $1 }
        listed += other.listed.prefix(Self.listedMax - listed.count)
    }
}

/// What a replay has found.
package struct ReplayReport: Hashable, Sendable {
    /// Webhooks that were replayed, and what was compared with the original of each kind.
    package var events = 0
    package var validated = 0
    package var scored = 0
    package var reviews = 0
    package var transactions = 0
    package var deadLetters = 0
    /// Scored records that the original's ledger has not come to: they are not compared.
    package var scoredBeyond = 0
    /// The last hash of the replayed chain, and of the original's at the same transaction.
    package var head: [UInt8] = []
    package var originalHead: [UInt8] = []
    package var differences = ReplayDifferences()

    package var isEqual: Bool { differences.isEmpty }
}

/// Why a replay cannot be made. Each case's description says what to do.
package enum ReplayError: Error, Hashable, Sendable, CustomStringConvertible {
    case noTopic(String)
    case beginningRemoved(topic: String, start: Int64)
    case beyondEnd(to: Int64, end: Int64)
    case placeUnknown(review: Int64)

    package var description: String {
        switch self {
        case .noTopic(let name):
            "there is no topic \(name) here; name a data folder that a daemon has run in"
        case .beginningRemoved(let topic, let start):
            "\(topic) begins at offset \(start): what the features and the ledger were built from "
                + "was removed by log.retention_days, or lies where log/cold does not name it any "
                + "more; put that file back, or replay a backup that still has all"
        case .beyondEnd(let to, let end):
            "webhook.received ends before offset \(end); choose --to below that, not \(to)"
        case .placeUnknown(let review):
            "the ledger does not say when it considered payment.review/\(review): it was written "
                + "by an older tillbox; replay with --to before that decision"
        }
    }
}
