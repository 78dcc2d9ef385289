import AppendLog
import Appliance
import Backup
import Relay
import Vocabulary

/// What an overview shows, as of one second.
struct LiveFigures {
    /// A topic of the pipeline and what has come into it.
    struct Stage {
        var topic: TopicID
        /// Records that it holds.
        var count: Int64
        /// Records a second of late.
        var rate: Double
    }

    struct Reader {
        var place: LiveParts.ReaderPlace
        /// When the record came that it reads next, in milliseconds since 1970; nil where it has
        /// read all, or that record is not kept.
        var oldestUnreadAt: Int64?
    }

    /// Counters whose rate is told.
    static let rated: [Counters.Name] = [
        .admitted, .duplicates, .signatureRefused, .validated, .scored, .booked, .deadLetters,
        .paymentsBooked,
    ]

    /// Milliseconds since 1970.
    var at: Int64
    var startedAt: Int64
    /// Why the daemon is not ready; empty where it is.
    var reasons: [String]
    var warnings: [String]
    var stages: [Stage]
    var readers: [Reader]
    var counts: [(name: Counters.Name, count: Int64)]
    /// Of ``rated``, a second.
    var rates: [Double]
    /// Payments booked since the start, in minor units.
    var volume: [Currency: Int64]
    /// Over the last minute.
    var toLedger: LiveHistory.Latency
    var toAnswer: LiveHistory.Latency
    /// The last ten seconds that are over; nil before that.
    var bucket: LiveHistory.Bucket?
    /// It is over since this look.
    var isBucketOver = false
    var bridges: [BridgeReport]
    /// nil until it was looked at once, and where it never could be.
    var money: MoneyCheck?
    /// How far Stripe's clock is ahead of this machine's; nil where that is not known.
    var stripeAheadMilliseconds: Int64?
    /// By how much the clock that dates the runs of reconciliation is ahead of this machine's, in
    /// seconds: a twin's world has its own.
    var runsAheadSeconds: Int64 = 0
    /// Whether Stripe's API can be asked at all.
    var hasStripe: Bool
    /// Dead letters that the log holds, redriven or not.
    var letterCount: Int64
    /// Payments that the feed passed over since the start.
    var paymentsLeftOut: Int64
    /// When the whole ledger was verified last and found sound; nil where that was never noted.
    var verifiedAt: Instant?
    /// Payments since the start, each once; nil without an index of payments.
    var tally: PaymentTally?
    /// The last backup of the data folder; nil where none is known.
    var backup: BackupNote?
    /// What is not of this process, but told from elsewhere; nil where all of it is its own.
    var afar: Afar?

    /// Figures of a pipeline whose parts are other processes.
    struct Afar {
        /// Records that are still to be counted, in words; nil for none.
        var behind: String?
    }

    /// A count in words; `–` where nobody tells it here.
    func words(_ name: Counters.Name) -> String {
        counts.first { $0.name == name }.map { ShownAmount.grouped($0.count) } ?? "–"
    }

    func count(_ name: Counters.Name) -> Int64 {
        counts.first { $0.name == name }?.count ?? 0
    }

    /// Payments of a verdict since the start, each once: by the verdict that stands where there is
    /// an index, else by the first one.
    func payments(of verdict: Verdict) -> Int64 {
        if let tally { return tally.count(verdict) }
        return switch verdict {
        case .approve: count(.approved)
        case .manualReview: count(.flagged)
        case .block: count(.blocked)
        case .notScored: count(.notScored)
        }
    }

    func rate(_ name: Counters.Name) -> Double {
        zip(Self.rated, rates).first { $0.0 == name }?.1 ?? 0
    }

    func stage(_ topic: TopicID) -> Stage {
        stages.first { $0.topic == topic } ?? Stage(topic: topic, count: 0, rate: 0)
    }

    /// Records of a topic that its slowest reader has left.
    func lag(of topic: TopicID) -> Int64 {
        readers.filter { $0.place.topic == topic.rawValue }.map(\.place.lag).max() ?? 0
    }

    // MARK: JSON

    /// - Parameters:
    ///   - history: what else is told of the last hour; nil tells the newest bucket alone.
    ///   - shown: the same as an open overview shows it; nil for none.
    func encode(
        history: [LiveHistory.Bucket]? = nil, shown: ShownFigures? = nil
    ) -> [UInt8] {
        var writer = JSONWriter(capacity: 4_096)
        writer.beginObject()
        writer.member("at", at)
        writer.member("started_at", startedAt)
        writer.member("ready", reasons.isEmpty)
        Self.write("reasons", reasons, into: &writer)
        Self.write("warnings", warnings, into: &writer)
        encodePipeline(into: &writer)
        encodeCounts(into: &writer)
        encodeLatencies(into: &writer)
        writer.key("bridges")
        writer.beginArray()
        for report in bridges { report.encodeShort(into: &writer) }
        writer.endArray()
        writer.key("money")
        if let money { money.encode(into: &writer) } else { writer.null() }
        writer.member("oldest_unread_at", readers.compactMap(\.oldestUnreadAt).min())
        writer.member("stripe_ahead_ms", stripeAheadMilliseconds)
        writer.member("payments_left_out", paymentsLeftOut)
        writer.member("verified_at", verifiedAt?.seconds)
        writer.member("backed_up_at", backup?.moment.seconds)
        writer.key("bucket")
        if let bucket { Self.write(bucket, into: &writer) } else { writer.null() }
        if let history {
            writer.key("history")
            writer.beginArray()
            for bucket in history { Self.write(bucket, into: &writer) }
            writer.endArray()
        }
        if let shown {
            writer.key("shown")
            shown.encode(into: &writer)
        }
        writer.endObject()
        return writer.bytes
    }

    private func encodePipeline(into writer: inout JSONWriter) {
        writer.key("stages")
        writer.beginArray()
        for stage in stages {
            writer.beginObject()
            writer.member("topic", stage.topic.rawValue)
            writer.member("records", stage.count)
            writer.member("rate", stage.rate)
            writer.endObject()
        }
        writer.endArray()
        writer.key("readers")
        writer.beginArray()
        for reader in readers {
            writer.beginObject()
            writer.member("group", reader.place.group)
            writer.member("topic", reader.place.topic)
            writer.member("next", reader.place.next.rawValue)
            writer.member("lag", reader.place.lag)
            writer.member("oldest_unread_at", reader.oldestUnreadAt)
            writer.endObject()
        }
        writer.endArray()
    }

    private func encodeCounts(into writer: inout JSONWriter) {
        writer.key("counters")
        writer.beginObject()
        for (name, count) in counts {
            writer.key(named: name.label)
            writer.int(count)
        }
        writer.endObject()
        writer.key("rates")
        writer.beginObject()
        for (name, rate) in zip(Self.rated, rates) {
            writer.key(named: name.label)
            writer.double(rate)
        }
        writer.endObject()
        writer.key("volume")
        writer.beginArray()
        for (currency, amount) in volume.sorted(by: { $0.key.code < $1.key.code }) {
            writer.beginObject()
            writer.member("currency", currency.code)
            writer.member("amount", amount)
            writer.endObject()
        }
        writer.endArray()
    }

    private func encodeLatencies(into writer: inout JSONWriter) {
        writer.key("latency")
        writer.beginObject()
        writer.key("to_ledger")
        Self.write(toLedger, into: &writer)
        writer.key("to_answer")
        Self.write(toAnswer, into: &writer)
        writer.endObject()
    }

    private static func write(
        _ name: StaticString, _ sentences: [String], into writer: inout JSONWriter
    ) {
        writer.key(name)
        writer.beginArray()
        for sentence in sentences { writer.string(sentence) }
        writer.endArray()
    }

    private static func write(_ latency: LiveHistory.Latency, into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("p50_us", Int64(latency.p50))
        writer.member("p99_us", Int64(latency.p99))
        writer.endObject()
    }

    private static func write(_ bucket: LiveHistory.Bucket, into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("ended_at", bucket.endedAt)
        writer.member("booked", bucket.booked)
        writer.key("to_ledger")
        write(bucket.toLedger, into: &writer)
        writer.endObject()
    }
}
