package import AppendLog
package import Vocabulary

/// How a bridge stands, for people and programs.
package struct BridgeReport: Sendable {
    package struct Place: Hashable, Sendable {
        package var topic: TopicID
        /// What is copied next.
        package var next: Offset
        /// The topic's end in the local log.
        package var end: Offset

        package init(topic: TopicID, next: Offset, end: Offset) {
            self.topic = topic
            self.next = next
            self.end = end
        }

        package var lag: Int64 { max(0, next.distance(to: end)) }
    }

    package var name: BridgeName
    package var state: BridgeLife.State
    package var failureCount: Int
    /// Whether the call that is under way waits for the target; `lastError` says why.
    package var isWaiting = false
    package var lastError: String?
    package var lastErrorAt: Instant?
    /// Since when the target takes what there is: an error before it is over. nil until it has
    /// taken something, or there was nothing to take.
    package var workingSince: Instant?
    /// Records copied since the daemon started.
    package var deliveredCount: Int64
    /// Records a second of late.
    package var rate: Double
    /// When a record was copied last; nil before the first.
    package var lastDelivery: Instant?
    /// By topic. Until the target was asked, the local log's own note.
    package var places: [Place]

    package init(
        name: BridgeName, state: BridgeLife.State, failureCount: Int = 0,
        lastError: String? = nil, lastErrorAt: Instant? = nil, workingSince: Instant? = nil,
        deliveredCount: Int64 = 0, rate: Double = 0,
        lastDelivery: Instant? = nil, places: [Place] = []
    ) {
        self.name = name
        self.state = state
        self.failureCount = failureCount
        self.lastError = lastError
        self.lastErrorAt = lastErrorAt
        self.workingSince = workingSince
        self.deliveredCount = deliveredCount
        self.rate = rate
        self.lastDelivery = lastDelivery
        self.places = places
    }

    /// Records of the local log that are not copied yet.
    package var lag: Int64 { places.reduce(0) { $0 + $1.lag } }

    private var behind: String { Counted.words(lag, "record") }

    /// What somebody should look at; nil while it works, or only starts, or a person has paused it.
    package var warning: String? {
        switch state {
        case .starting where isWaiting, .running where isWaiting:
            "the bridge \(name.rawValue) is behind by \(behind) and waits for its target: "
                + (lastError ?? "it does not answer")
        case .starting, .paused: nil
        // It may be connected each time, and fail each time at what it is to take.
        case .running where workingSince != nil || failureCount == 0: nil
        case .running, .backingOff, .circuitOpen:
            "the bridge \(name.rawValue) is behind by \(behind) and tries again: "
                + (lastError ?? "its target does not answer")
        case .stopped(let sentence):
            "the bridge \(name.rawValue) has stopped, behind by \(behind): \(sentence)"
        }
    }

    /// What readiness tells of it.
    package func encodeShort(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("name", name.rawValue)
        writer.member("state", state.word)
        writer.member("lag", lag)
        writer.endObject()
    }

    package func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("name", name.rawValue)
        writer.member("state", state.word)
        writer.member("lag", lag)
        writer.member("rate", (rate * 10).rounded() / 10)
        writer.member("delivered", deliveredCount)
        writer.member("last_delivery", lastDelivery?.seconds)
        writer.member("failures", Int64(failureCount))
        writer.member("waiting", isWaiting)
        writer.member("last_error", lastError)
        writer.member("last_error_at", lastErrorAt?.seconds)
        writer.member("working_since", workingSince?.seconds)
        if case .paused(let pause) = state {
            writer.member("paused_by", pause.by)
            writer.member("paused_at", pause.at.seconds)
        }
        writer.key("topics")
        writer.beginArray()
        for place in places {
            writer.beginObject()
            writer.member("topic", place.topic.rawValue)
            writer.member("next", place.next.rawValue)
            writer.member("end", place.end.rawValue)
            writer.member("lag", place.lag)
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
    }
}

/// What a target has, beside what the local log says it should have.
package struct BridgeVerification: Sendable {
    package struct Part: Hashable, Sendable {
        /// A topic or a table.
        package var name: String
        /// Records or rows of each side, up to the position.
        package var localCount: Int64
        package var targetCount: Int64
        /// A sum or hash over them, equal where the two are.
        package var localDigest: String
        package var targetDigest: String

        package init(
            name: String, localCount: Int64, targetCount: Int64, localDigest: String,
            targetDigest: String
        ) {
            self.name = name
            self.localCount = localCount
            self.targetCount = targetCount
            self.localDigest = localDigest
            self.targetDigest = targetDigest
        }

        package var agrees: Bool {
            localCount == targetCount && localDigest == targetDigest
        }
    }

    package var parts: [Part]
    /// In one sentence; nil where both sides agree.
    package var firstDifference: String?

    package init(parts: [Part] = [], firstDifference: String? = nil) {
        self.parts = parts
        self.firstDifference = firstDifference
    }

    package var agrees: Bool { firstDifference == nil && parts.allSatisfy(\.agrees) }

    package func encode(name: BridgeName, into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("name", name.rawValue)
        writer.member("agrees", agrees)
        writer.member("first_difference", firstDifference)
        writer.key("parts")
        writer.beginArray()
        for part in parts {
            writer.beginObject()
            writer.member("name", part.name)
            writer.member("local", part.localCount)
            writer.member("target", part.targetCount)
            writer.member("local_digest", part.localDigest)
            writer.member("target_digest", part.targetDigest)
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
    }
}
