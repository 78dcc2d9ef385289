import Synchronization

/// In which shape an event came: what drifts when Stripe, or the account's settings, change.
package struct EventShape: Hashable, Sendable {
    package var apiVersion: String?
    package var type: String?

    package init(apiVersion: String? = nil, type: String? = nil) {
        self.apiVersion = apiVersion
        self.type = type
    }
}

/// How many events came in which API version and of which type, and how many of them were refused.
///
/// Senders choose both texts, so the labels are bounded: a text that is none of Stripe's making,
/// and every further one above the bound, counts as `other`.
package final class ShapeCounters: Sendable {
    package struct Tally: Hashable, Sendable {
        package var events = 0
        package var ignored = 0
        package var refused = 0

        fileprivate mutating func add(_ count: Int, _ fate: Fate) {
            events += count
            if fate == .ignored { ignored += count }
            if fate == .refused { refused += count }
        }
    }

    /// What became of an event.
    package enum Fate: Sendable {
        case understood, ignored, refused
    }

    /// Labels of each kind, at most.
    package static let labelsMax = 64
    package static let other = "other"
    /// Of an event without an API version.
    package static let none = "none"

    private struct State {
        var byVersion: [String: Tally] = [:]
        var byType: [String: Tally] = [:]

        mutating func add(_ count: Int, _ shape: EventShape, _ fate: Fate) {
            // What is counted already was looked at before, but for the word for no version.
            let version = shape.apiVersion.map { text in
                let isKnown = byVersion[text] != nil && text != ShapeCounters.none
                return isKnown || ShapeCounters.isVersion(text) ? text : ShapeCounters.other
            }
            Self.add(count, fate, version ?? ShapeCounters.none, in: &byVersion)
            let type = shape.type.map {
                byType[$0] != nil || ShapeCounters.isType($0) ? $0 : ShapeCounters.other
            }
            Self.add(count, fate, type ?? ShapeCounters.none, in: &byType)
        }

        private static func add(
            _ count: Int, _ fate: Fate, _ label: String, in tallies: inout [String: Tally]
        ) {
            let isKnown = tallies[label] != nil || tallies.count < ShapeCounters.labelsMax
            tallies[isKnown ? label : ShapeCounters.other, default: Tally()].add(count, fate)
        }
    }
    private let state = Mutex(State())

    package init() {}

    package var byVersion: [String: Tally] { state.withLock { $0.byVersion } }
    package var byType: [String: Tally] { state.withLock { $0.byType } }

    /// Adds a batch, behind one lock.
    package func add(_ events: [(shape: EventShape, fate: Fate)]) {
        guard !events.isEmpty else { return }
        state.withLock { state in
            var place = 0
            while place < events.count {
                let (shape, fate) = events[place]
                let start = place
                // Most of a batch are alike, and counting one needs a look at both labels.
                repeat { place += 1 } while place < events.count && events[place] == (shape, fate)
                state.add(place - start, shape, fate)
            }
        }
    }

    /// `2024-06-20`, `2026-10-28.endive`.
    private static func isVersion(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard (10...32).contains(bytes.count) else { return false }
        for (place, byte) in bytes.prefix(10).enumerated() {
            let isDash = place == 4 || place == 7
            guard isDash ? byte == UInt8(ascii: "-") : (0x30...0x39).contains(byte) else {
                return false
            }
        }
        guard bytes.count > 10 else { return true }
        return bytes[10] == UInt8(ascii: ".")
            && bytes.dropFirst(11).allSatisfy { (0x61...0x7A).contains($0) }
    }

    /// `charge.dispute.funds_withdrawn`, `v2.core.account.updated`,
    /// `account.updated[requirements]`.
    private static func isType(_ text: String) -> Bool {
        (1...80).contains(text.utf8.count)
            && text.utf8.allSatisfy {
                switch $0 {
                case 0x61...0x7A, 0x30...0x39, 0x2E, 0x5F, 0x5B, 0x5D: true
                default: false
                }
            }
    }
}
