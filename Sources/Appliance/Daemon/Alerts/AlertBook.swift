package import Vocabulary

/// What is told to somebody who does not look: a sentence that a person has to act on, or that it
/// is over.
package struct Alert: Hashable, Sendable {
    package enum State: String, Sendable {
        case raised, over
    }

    package var state: State
    package var sentence: String
    /// When it was noticed first.
    package var since: Instant

    package init(state: State, sentence: String, since: Instant) {
        self.state = state
        self.sentence = sentence
        self.since = since
    }
}

/// Which sentences somebody was told of, so that each is told once and not at every look.
///
///     noticed ──lasts afterSeconds──▶ told ──gone for afterSeconds──▶ over, told
///        └──gone before──▶ forgotten    └──still there after againSeconds──▶ told again
///
/// Two sentences that differ in numbers alone are one: most name how much or how long.
package struct AlertBook: Sendable {
    private struct Entry {
        var sentence: String
        var since: Instant
        var seenAt: Instant
        /// nil until it was told.
        var toldAt: Instant?
    }

    let afterSeconds: Int64
    let againSeconds: Int64
    private var entries: [String: Entry] = [:]

    package init(afterSeconds: Int64, againSeconds: Int64) {
        self.afterSeconds = afterSeconds
        self.againSeconds = againSeconds
    }

    /// Takes one look.
    ///
    /// - Returns: what is to be told now, by its sentence. It counts as told only once it is handed
    ///   to ``noteTold(_:at:)``: what could not be told is due at the next look.
    package mutating func look(_ sentences: [String], at now: Instant) -> [Alert] {
        for sentence in sentences {
            let key = Self.key(sentence)
            var entry = entries[key]
                ?? Entry(sentence: sentence, since: now, seenAt: now, toldAt: nil)
            (entry.sentence, entry.seenAt) = (sentence, now)
            entries[key] = entry
        }
        var alerts: [Alert] = []
        for (key, entry) in entries {
            if entry.seenAt < now {
                guard now.seconds - entry.seenAt.seconds >= afterSeconds else { continue }
                if entry.toldAt == nil {
                    entries[key] = nil
                } else {
                    alerts.append(
                        Alert(state: .over, sentence: entry.sentence, since: entry.since))
                }
            } else if isDue(entry, at: now) {
                alerts.append(Alert(state: .raised, sentence: entry.sentence, since: entry.since))
            }
        }
        return alerts.sorted { $0.sentence < $1.sentence }
    }

    private func isDue(_ entry: Entry, at now: Instant) -> Bool {
        guard let told = entry.toldAt else {
            return now.seconds - entry.since.seconds >= afterSeconds
        }
        return now.seconds - told.seconds >= againSeconds
    }

    package mutating func noteTold(_ alerts: [Alert], at now: Instant) {
        for alert in alerts {
            let key = Self.key(alert.sentence)
            switch alert.state {
            case .over: entries[key] = nil
            case .raised: entries[key]?.toldAt = now
            }
        }
    }

    private static func key(_ sentence: String) -> String {
        String(sentence.filter { !$0.isNumber })
    }
}
