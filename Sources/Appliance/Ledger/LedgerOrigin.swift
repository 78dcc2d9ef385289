/// What a ledger's positions are positions in, as its table `logs` has it.
///
/// A box notes the identity of its log, 32 hexadecimal digits. The roles of the profile cloud note
/// the topics that they read:
///
///     kafka/TURN/CLUSTER/PREFIX
///
/// `TURN` counts from 1: topics that were moved to another cluster are noted once more, and the
/// last turn holds, since a row of `logs` stays. `CLUSTER` is the id that the Kafka cluster tells
/// of itself, empty where it tells none; `PREFIX` is in front of every topic's name.
package enum LedgerOrigin: Hashable, Sendable {
    /// A bridge copies a box's ledger.
    case box(log: String)
    /// The roles of the profile cloud book.
    case roles(KafkaOrigin, turn: Int)

    private static let kafka = "kafka"

    /// - Parameter note: a row of `logs`.
    package init(note: String) {
        let parts = note.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == Self.kafka, let turn = Int(parts[1]),
            let origin = KafkaOrigin(text: String(parts[2]))
        else {
            self = .box(log: note)
            return
        }
        self = .roles(origin, turn: turn)
    }

    package var note: String {
        switch self {
        case .box(let log): log
        case .roles(let origin, let turn): "\(Self.kafka)/\(turn)/\(origin.text)"
        }
    }

    /// What holds of all that is noted; nil where nothing is.
    package static func standing(of notes: [String]) -> LedgerOrigin? {
        let origins = notes.map { LedgerOrigin(note: $0) }
        // Whatever else is noted, a box's own copy is nobody's to book into.
        if let box = origins.first(where: { if case .box = $0 { true } else { false } }) {
            return box
        }
        return origins.max { $0.turn < $1.turn }
    }

    private var turn: Int { if case .roles(_, let turn) = self { turn } else { 0 } }
}

/// Topics of a Kafka cluster.
package struct KafkaOrigin: Hashable, Sendable {
    /// Empty where the broker tells no id of its cluster.
    package var cluster: String
    /// In front of every topic's name; without a slash, as topics' names are.
    package var prefix: String

    package init(cluster: String, prefix: String) {
        self.cluster = cluster
        self.prefix = prefix
    }

    /// - Parameter text: `CLUSTER/PREFIX`; nil for what has no slash.
    package init?(text: String) {
        guard let slash = text.lastIndex(of: "/") else { return nil }
        self.init(
            cluster: String(text[..<slash]), prefix: String(text[text.index(after: slash)...]))
    }

    package var text: String { "\(cluster)/\(prefix)" }

    /// Whether they are the same topics, as far as both are known.
    package func agrees(with other: KafkaOrigin) -> Bool {
        prefix == other.prefix
            && (cluster == other.cluster || cluster.isEmpty || other.cluster.isEmpty)
    }
}

extension KafkaOrigin: CustomStringConvertible {
    package var description: String {
        let names = prefix.isEmpty ? "the topics without a prefix" : "the topics `\(prefix)…`"
        let place =
            cluster.isEmpty ? "a Kafka cluster that tells no id" : "Kafka cluster \(cluster)"
        return "\(names) of \(place)"
    }
}
