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
    /// Who says it, see ``Notice``.
    package var kind: String

    package init(state: State, sentence: String, since: Instant, kind: String = "") {
        self.state = state
        self.sentence = sentence
        self.since = since
        self.kind = kind
    }

    /// By which a book knows it again.
    var subject: String { Notice(kind: kind, sentence: sentence).subject }
}

/// What somebody was told and is not over, as it is kept over a restart.
package struct ToldAlert: Hashable, Sendable {
    var sentence: String
    var since: Instant
    var toldAt: Instant
}

/// Which sentences somebody was told of, so that each is told once and not at every look.
///
///     noticed ──lasts afterSeconds──▶ told ──gone for afterSeconds──▶ over, told
///        └──gone before──▶ forgotten    └──still there after againSeconds──▶ told again
///
/// Two sentences of one kind that differ in figures alone are one: most name how much or how long.
package struct AlertBook: Sendable {
    private struct Entry {
        var notice: Notice
        var since: Instant
        var seenAt: Instant
        /// nil until it was told.
        var toldAt: Instant?
        /// Whether it was told before the start, and nobody has said it since.
        var isFormer = false
    }

    /// A start takes some time to notice what lasts, such as a target that does not answer: what it
    /// has not noticed before that is not over.
    private static let settlingSeconds: Int64 = 60

    let afterSeconds: Int64
    let againSeconds: Int64
    /// By their subjects.
    private var entries: [String: Entry] = [:]

    package init(afterSeconds: Int64, againSeconds: Int64) {
        self.afterSeconds = afterSeconds
        self.againSeconds = againSeconds
    }

    /// Takes over what was told before the start. A moment that is still to come, of a clock that
    /// was ahead, says nothing: that is told again.
    package mutating func restore(_ told: [ToldAlert], at now: Instant) {
        for (number, alert) in told.enumerated() where alert.toldAt <= now {
            let notice = Notice(kind: "former \(number)", sentence: alert.sentence)
            entries[notice.subject] = Entry(
                notice: notice, since: alert.since, seenAt: now, toldAt: alert.toldAt,
                isFormer: true)
        }
    }

    /// What was told and is not over.
    package var told: [ToldAlert] {
        entries.values.compactMap { entry in
            entry.toldAt.map {
                ToldAlert(sentence: entry.notice.sentence, since: entry.since, toldAt: $0)
            }
        }.sorted { ($0.sentence, $0.since) < ($1.sentence, $1.since) }
    }

    /// Takes one look.
    ///
    /// - Returns: what is to be told now, by its sentence. It counts as told only once it is handed
    ///   to ``noteTold(_:at:)``: what could not be told is due at the next look.
    package mutating func look(_ notices: [Notice], at now: Instant) -> [Alert] {
        for notice in notices {
            let key = notice.subject
            let known = entries[key]
            var entry = known ?? takeFormer(alike: notice)
                ?? Entry(notice: notice, since: now, seenAt: now, toldAt: nil)
            (entry.notice, entry.seenAt, entry.isFormer) = (notice, now, false)
            entries[key] = entry
        }
        var alerts: [Alert] = []
        let seen = Set(notices.map(\.subject))
        for (key, entry) in entries {
            if !seen.contains(key) {
                let patience =
                    entry.isFormer ? max(afterSeconds, Self.settlingSeconds) : afterSeconds
                guard now.seconds - entry.seenAt.seconds >= patience else { continue }
                if entry.toldAt == nil {
                    entries[key] = nil
                } else {
                    alerts.append(Self.alert(.over, entry))
                }
            } else if isDue(entry, at: now) {
                alerts.append(Self.alert(.raised, entry))
            }
        }
        return alerts.sorted { ($0.sentence, $0.kind) < ($1.sentence, $1.kind) }
    }

    /// Who says a sentence has another name after each start, so that what was told before it is
    /// known again by the sentence alone.
    private mutating func takeFormer(alike notice: Notice) -> Entry? {
        let pattern = notice.pattern
        let alike = entries.filter { $0.value.isFormer && $0.value.notice.pattern == pattern }
        return alike.keys.min().flatMap { entries.removeValue(forKey: $0) }
    }

    private static func alert(_ state: Alert.State, _ entry: Entry) -> Alert {
        Alert(
            state: state, sentence: entry.notice.sentence, since: entry.since,
            kind: entry.notice.kind)
    }

    private func isDue(_ entry: Entry, at now: Instant) -> Bool {
        guard let told = entry.toldAt else {
            return now.seconds - entry.since.seconds >= afterSeconds
        }
        return now.seconds - told.seconds >= againSeconds
    }

    package mutating func noteTold(_ alerts: [Alert], at now: Instant) {
        for alert in alerts {
            switch alert.state {
            case .over: entries[alert.subject] = nil
            case .raised: entries[alert.subject]?.toldAt = now
            }
        }
    }
}
