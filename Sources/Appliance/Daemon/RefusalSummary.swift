import AppendLog
import Appliance
import Logging
import ServiceLifecycle
import Vocabulary

/// One line a minute that says why deliveries were not booked, when some were not.
///
/// Each refusal has its own line too, but those are rationed and far apart; this one adds them up
/// by reason and says what the most frequent reason usually means.
struct RefusalSummary: Service {
    let counters: Counters
    /// `dead.letter`, whose records name their reason.
    let deadLetters: TopicReader
    /// Seconds between two looks.
    let intervalSeconds: Int
    let logger: Logger

    /// Bytes of dead letters read for one line; of more than that the rest is counted as `others`.
    private static let readByteCountMax = 64 << 20

    private let thread = OwnThread("tillbox.refusals")

    init(
        counters: Counters, deadLetters: TopicReader, intervalSeconds: Int, logger: Logger
    ) {
        self.counters = counters
        self.deadLetters = deadLetters
        self.intervalSeconds = intervalSeconds
        self.logger = logger
    }

    func run() async throws {
        await withTaskExecutorPreference(thread) { await look() }
    }

    private func look() async {
        var before = RefusalReading(counters)
        var letters = deadLetters.end
        while !Task.isShuttingDownGracefully, !Task.isCancelled {
            let began = ContinuousClock.now
            try? await cancelWhenGracefulShutdown {
                try await Task.sleep(for: .seconds(intervalSeconds))
            }
            let now = RefusalReading(counters)
            let end = deadLetters.end
            let report = RefusalReport(
                since: before, now: now, deadLetters: reasons(from: letters, to: end))
            (before, letters) = (now, end)
            guard report.isWorthALine else { continue }
            let seconds = Int(((.now - began) / .seconds(1)).rounded())
            logger.warning(
                "\(report.message)",
                metadata: report.metadata.merging(["seconds": "\(seconds)"]) { $1 })
        }
    }

    private func reasons(from start: Offset, to end: Offset) -> [String: Int] {
        var tally: [String: Int] = [:]
        var (next, byteCount) = (max(start, deadLetters.start), 0)
        while next < end, byteCount < Self.readByteCountMax {
            // What cannot be read now is told by those who must read it.
            guard let records = try? deadLetters.read(from: next, byteCountMax: 1 << 20),
                let last = records.last
            else { break }
            for stored in records where stored.offset < end {
                byteCount += stored.record.value?.count ?? 0
                guard let letter = StoredLetter(stored) else { continue }
                tally[letter.reason, default: 0] += 1
            }
            next = last.offset.advanced(by: 1)
        }
        if next < end { tally[WordTally.others, default: 0] += Int(next.distance(to: end)) }
        return tally
    }
}

/// What the counters said at one moment.
struct RefusalReading {
    var admitted: Int
    var validated: Int
    var booked: Int
    /// Refusals that leave nothing behind, by reason.
    var refused: [String: Int]
    /// Events that move nothing here, by type.
    var ignored: [String: Int]

    init(_ counters: Counters) {
        admitted = counters[.admitted]
        validated = counters[.validated]
        booked = counters[.booked]
        refused = counters.signatureCodes.all
        for (name, word) in Self.watched where counters[name] > 0 { refused[word] = counters[name] }
        ignored = counters.ignoredTypes.all
    }

    /// Counters of refusals whose reason has no tally of its own.
    static let watched: [(Counters.Name, String)] = [
        (.bodyTooLarge, "body_too_large"), (.unavailable, "unavailable"),
        (.requestsTimedOut, "request_timed_out"), (.conflicts, "conflicting_event"),
    ]
}

/// What one interval comes to, in words.
struct RefusalReport {
    var admitted: Int
    var booked: Int
    var refused: [String: Int]
    var deadLetters: [String: Int]
    var ignored: [String: Int]
    /// Whether every event since the start was of a type that moves nothing.
    var isAllIgnored: Bool

    init(since before: RefusalReading, now: RefusalReading, deadLetters: [String: Int]) {
        admitted = now.admitted - before.admitted
        booked = now.booked - before.booked
        refused = Self.difference(now.refused, before.refused)
        ignored = Self.difference(now.ignored, before.ignored)
        self.deadLetters = deadLetters
        // A conflict is a dead letter too, and is told once.
        refused = refused.filter { deadLetters[$0.key] == nil }
        isAllIgnored = now.validated == 0 && !ignored.isEmpty
    }

    private static func difference(_ now: [String: Int], _ before: [String: Int]) -> [String: Int] {
        now.compactMapValues { $0 }.reduce(into: [:]) { out, item in
            let grown = item.value - (before[item.key] ?? 0)
            if grown > 0 { out[item.key] = grown }
        }
    }

    /// Ignored events are nothing to talk about beside others that are booked.
    var isWorthALine: Bool { !refused.isEmpty || !deadLetters.isEmpty || isAllIgnored }

    var message: String {
        guard !refused.isEmpty || !deadLetters.isEmpty else {
            return
                "nothing is booked: no event so far is of a type that moves money; subscribe the "
                + "endpoint to the events that docs/EVENTS.md lists"
        }
        let count = refused.values.reduce(0, +) + deadLetters.values.reduce(0, +)
        let reasons = refused.merging(deadLetters, uniquingKeysWith: +)
        let most = reasons.count > 1 ? mostFrequent.map { ", most often for \($0)" } ?? "" : ""
        let what = Counted.words(count, "delivery was not booked", "deliveries were not booked")
        return "\(what)\(most); \(hint)"
    }

    /// What the most frequent reason usually comes from, or where all of them stand.
    private var hint: String {
        mostFrequent.flatMap { Self.hints[$0] }
            ?? (deadLetters.isEmpty
                ? "the lines before say why"
                : "`tillbox dead-letter list` says of each what was expected")
    }

    /// The reason that stands for most, and of several the first by name.
    private var mostFrequent: String? {
        refused.merging(deadLetters, uniquingKeysWith: +)
            .max { ($0.value, $1.key) < ($1.value, $0.key) }?.key
    }

    /// What a reason usually comes from, and what to do.
    private static let hints = [
        "signature_no_match":
            "webhook.secret is not this endpoint's signing secret, or a proxy changes the body",
        "signature_missing":
            "whoever sends is not Stripe, or a proxy drops the Stripe-Signature header",
        "signature_malformed":
            "whoever sends is not Stripe, or a proxy changes the Stripe-Signature header",
        "signature_too_old":
            "this machine's clock is ahead, or a proxy keeps deliveries back: compare the clock",
        "signature_too_new": "this machine's clock is behind: compare the clock",
        "livemode_mismatch": "the endpoint takes the other mode: see webhook.livemode, then "
            + "`tillbox dead-letter redrive`",
        "body_too_large": "raise webhook.body_bytes_max if they are Stripe's",
        "unavailable": "the lines before say why; Stripe will try again",
        "thin_event_unsupported": "choose snapshot events for the endpoint in Stripe's dashboard",
        "reserved_type": "only this program makes events of that type",
    ]

    var metadata: Logger.Metadata {
        var metadata: Logger.Metadata = ["admitted": "\(admitted)", "booked": "\(booked)"]
        for (key, counts) in [
            ("refused", refused), ("dead_letters", deadLetters), ("ignored", ignored),
        ] where !counts.isEmpty {
            metadata[key] = .dictionary(counts.mapValues { .stringConvertible($0) })
        }
        return metadata
    }
}
