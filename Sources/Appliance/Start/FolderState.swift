package import AppendLog
import Vocabulary

/// What a data folder holds, part by part, as far as the parts tell of each other. A value: reading
/// it changes nothing, and the comparison needs nothing else.
package struct FolderState: Sendable {
    /// nil for a folder of a release that knew no identity, and for an empty one.
    var identity: LogIdentity?
    /// Topics that are there; the others hold nothing.
    var topics: [TopicID: TopicState] = [:]
    /// How far each topic was known to have come.
    var marks: [TopicID: Mark] = [:]
    /// The offset that each group reads next.
    var cursors: [Cursor] = []
    /// How far each stage has read a topic, as the records that it derived say.
    var derived: [Derivation] = []
    var ledger = LedgerState.found(FoundLedger())
    /// The last transaction in `ledger.posted`.
    var published: Published?
    /// The last change of a review that the ledger has told `payment.review`.
    var reviewed: Int64?
    var gate = SnapshotState.missing
    var features = SnapshotState.missing
    /// What was seen of the log's sealed segments; nil where there is no log yet.
    package var looks: LogLooks?
    /// What is damaged of that which a stage reads first, by topic: where, and how.
    var unreadable: [TopicID: String] = [:]

    struct TopicState: Sendable {
        var start: Offset
        var end: Offset
        /// What its own folder says of where it must begin.
        var begins = KnownBeginning.notNoted
    }

    struct Mark: Sendable {
        var end: Offset
        /// Whether the topic has the same batch there as it had then.
        var holds: Bool
        /// Where it began then; nil in marks of earlier releases.
        var start: Offset?
    }

    struct Cursor: Sendable {
        var group: String
        var topic: TopicID
        var next: Offset
    }

    /// The last record that `producer` derived from `input` into `output`.
    struct Derivation: Sendable {
        var producer: String
        var input: TopicID
        var output: TopicID
        /// nil if there is none.
        var lastSource: Offset?
        /// Whether the source is of the same event; true where either of the two is not there to
        /// ask.
        var isOfSource = true
    }

    struct Published: Sendable {
        var id: Int64
        var hash: String
    }

    enum SnapshotState: Sendable {
        case missing
        /// Something is there that cannot be read whole.
        case damaged
        case found(SnapshotOrigin, checksumInLog: UInt32?)
    }

    enum LedgerState: Sendable {
        case malformed(String)
        /// One that is missing is an empty one.
        case found(FoundLedger)
    }

    struct FoundLedger: Sendable {
        var point = LedgerPoint(positions: [:], places: [:], head: 0, hash: [])
        /// The hash of the transaction that `ledger.posted` ends with; nil if the ledger lacks it.
        var hashOfPublished: String?
        /// What `ledger.posted` says of the last transaction of a ledger that is behind.
        var publishedHashOfHead: String?
        /// The first transaction that `ledger.posted` has, the ledger lacks, and what it has not
        /// read yet does not tell of; nil where it can book them all again.
        var firstLost: Int64?
        /// An event of a review that `payment.review` has and the ledger lacks, and that no webhook
        /// tells of; nil where it can come to all of them again.
        var lostReview: String?
        /// Topics that have another batch before the ledger's position than it has booked.
        var strangers: [TopicID] = []
        /// Whether a person has decided in between: only the ledger knows at which place.
        var hasDecisionsToCome = false
    }
}

extension FolderState {
    func start(_ id: TopicID) -> Offset { topics[id]?.start ?? .zero }
    func end(_ id: TopicID) -> Offset { topics[id]?.end ?? .zero }

    /// Whether `webhook.received` has every webhook from the first one on, as far as anything here
    /// tells. Where that is in doubt, booking it again would lose what was acknowledged.
    var hasEveryWebhook: Bool {
        let id = TopicID.webhookReceived
        guard identity != nil, unreadable[id] == nil,
            let topic = topics[id], topic.start == .zero,
            let mark = marks[id], mark.holds, mark.end <= topic.end,
            cursors.allSatisfy({ $0.topic != id || $0.next <= topic.end }),
            derived.allSatisfy({
                $0.input != id || ($0.isOfSource && $0.lastSource ?? .init(-1) < topic.end)
            })
        else { return false }
        if case .found(let origin, let checksum) = gate,
            !origin.fits(log: identity, start: topic.start, end: topic.end, checksum: checksum)
        {
            return false
        }
        // A ledger that knows more than the log, or otherwise, speaks for a log that is older; one
        // that cannot be read may be the only witness of it.
        guard case .found(let ledger) = ledger else { return false }
        return ledger.agrees(with: self)
    }
}

extension FolderState.FoundLedger {
    /// Whether all that it was booked from stands in the log, and came to the same.
    fileprivate func agrees(with state: FolderState) -> Bool {
        let isPublished =
            hashOfPublished.map { $0 == state.published?.hash }
            ?? publishedHashOfHead.map { $0 == String(hex: point.hash) } ?? true
        return isPublished && strangers.isEmpty && lostReview == nil && firstLost == nil
            && point.logs.allSatisfy { $0 == state.identity?.description }
            && [TopicID.paymentScored, .paymentReview].allSatisfy {
                point.positions[$0.rawValue] ?? 0 <= state.end($0).rawValue
            }
    }
}
