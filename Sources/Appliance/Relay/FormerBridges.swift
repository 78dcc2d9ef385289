import AppendLog
import Vocabulary

/// Bridges that the settings do not name any more, while the log still keeps what they had not
/// copied: a place that was noted once holds retention until somebody lets it go.
///
/// Nobody but a person can say whether a bridge comes back, so that none is forgotten by itself.
package struct FormerBridges: Sendable {
    private let listed: [BridgeName]
    private let source: RelaySource
    private let pauses: BridgePauses

    /// - Parameter listed: those that the settings name.
    package init(listed: [BridgeName], source: RelaySource, pauses: BridgePauses) {
        self.listed = listed
        self.source = source
        self.pauses = pauses
    }

    /// Those that the log keeps records for, each with how many it has not copied.
    package var current: [(name: BridgeName, lag: Int64)] {
        BridgeName.allCases.compactMap { name in lag(of: name).map { (name, $0) } }
    }

    /// nil for a bridge that is listed, and for one that the log keeps nothing for.
    private func lag(of name: BridgeName) -> Int64? {
        guard !listed.contains(name) else { return nil }
        let noted = source.noted(name)
        guard !noted.isEmpty else { return nil }
        return noted.reduce(0) { $0 + max(0, $1.value.distance(to: source[$1.key].end)) }
    }

    /// What somebody should decide; nil where there is nothing to decide.
    package func warning(of name: BridgeName) -> String? {
        lag(of: name).map {
            "the bridge \(name.rawValue) is not configured any more, and the log keeps every "
                + "record that it has not copied (\($0) so far): name it in bridges again, or let "
                + "them go with `tillbox bridge forget \(name.rawValue)`"
        }
    }

    /// Lets a bridge's place go: retention waits for it no longer. Durable when it returns.
    package func forget(_ name: BridgeName) async throws(FormerBridgeRefusal) {
        guard !listed.contains(name) else { throw .isConfigured(name) }
        guard lag(of: name) != nil else { throw .isUnknown(name) }
        do throws(RelayFailure) {
            try await source.forget(name)
            try pauses.remove(of: name)
        } catch {
            throw .failed(error)
        }
    }
}

/// Why a bridge's place is not let go.
package enum FormerBridgeRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    case isConfigured(BridgeName)
    case isUnknown(BridgeName)
    case failed(RelayFailure)

    package var description: String {
        switch self {
        case .isConfigured(let name):
            "the bridge \(name.rawValue) is configured; take it out of bridges (TILLBOX_BRIDGES) "
                + "and restart the daemon first, or pause it"
        case .isUnknown(let name): "the log keeps nothing for a bridge \(name.rawValue)"
        case .failed(.passing(let sentence)), .failed(.permanent(let sentence)): sentence
        }
    }
}
