import AppendLog
import Relay
import Synchronization
import Vocabulary

/// How many records of a topic a consumer group has not read yet.
package struct ConsumerLag: Hashable, Sendable {
    package var group: String
    package var topic: String
    package var recordCount: Int64

    package init(group: String, topic: String, recordCount: Int64) {
        (self.group, self.topic, self.recordCount) = (group, topic, recordCount)
    }
}

extension Counters.Name {
    /// Where `GET /metrics` has it: a family, and which of its series it is.
    private var place: (family: String, label: (name: String, value: String)?) {
        switch self {
        case .admitted: ("deliveries", ("outcome", "admitted"))
        case .duplicates: ("deliveries", ("outcome", "duplicate"))
        case .conflicts: ("deliveries", ("outcome", "conflict"))
        case .signatureRefused: ("deliveries", ("outcome", "signature_refused"))
        case .bodyTooLarge: ("deliveries", ("outcome", "too_large"))
        case .unavailable: ("deliveries", ("outcome", "unavailable"))
        case .requestsTimedOut: ("requests_refused", ("reason", "timed_out"))
        case .requestsMalformed: ("requests_refused", ("reason", "malformed"))
        case .memoryRefused: ("requests_refused", ("reason", "memory"))
        case .adminRequestsRefused: ("requests_refused", ("reason", "admin_guard"))
        case .connectionsRefused: ("connections_ended", ("reason", "refused"))
        case .connectionsEvicted: ("connections_ended", ("reason", "evicted"))
        case .connectionsIdled: ("connections_ended", ("reason", "idle"))
        case .validated: ("events", ("outcome", "validated"))
        case .ignored: ("events", ("outcome", "ignored"))
        case .deadLetters: ("dead_letters", nil)
        case .redriven: ("dead_letters_redriven", nil)
        case .scored: ("scorings", ("kind", "first"))
        case .rescored: ("scorings", ("kind", "again"))
        case .repeated: ("scorings", ("kind", "repeated"))
        case .notScored: ("scorings", ("kind", "not_scored"))
        case .approved: ("verdicts", ("verdict", "approve"))
        case .flagged: ("verdicts", ("verdict", "manual_review"))
        case .blocked: ("verdicts", ("verdict", "block"))
        case .reviewsOpened: ("reviews_opened", nil)
        case .booked: ("postings", ("outcome", "booked"))
        case .paymentsBooked: ("payments_booked", nil)
        case .alreadyBooked: ("postings", ("outcome", "already_booked"))
        case .postingsRefused: ("postings", ("outcome", "refused"))
        case .eventsBackfilled: ("events_backfilled", nil)
        case .eventsNearExpiry: ("events_near_expiry", nil)
        case .reconciliationBreaks: ("reconciliation_breaks", nil)
        case .chargesFetched: ("charges_fetched", nil)
        case .clockJumps: ("clock_jumps", nil)
        }
    }

    /// What a family counts, since the process started.
    private static let families: [(name: String, help: String)] = [
        ("deliveries", "Webhooks by what became of them at the gate."),
        ("requests_refused", "Requests that no route saw, by reason."),
        ("connections_ended", "Connections that were not let in or were ended, by reason."),
        ("events", "Events of the log by what the validation made of them."),
        ("dead_letters", "Records that failed and were put aside."),
        ("dead_letters_redriven", "Dead letters that were sent back through the pipeline."),
        ("scorings", "Events at scoring: the first of a movement, one that said more, or nothing."),
        ("verdicts", "Payments by the verdict of their first scoring, each once."),
        ("reviews_opened", "Payments that a person has to decide about."),
        ("postings", "Movements at the ledger, by what became of them."),
        ("payments_booked", "Payments at the ledger, each once however often its money moves."),
        ("events_backfilled", "Events that never arrived and were fetched from Stripe."),
        ("events_near_expiry", "Events that were fetched shortly before Stripe forgets them."),
        ("reconciliation_breaks", "Differences to Stripe's settlements that runs have found."),
        ("charges_fetched", "Charges that were asked for because an event did not tell enough."),
        ("clock_jumps", "Times when the machine's clock did not agree with Stripe's."),
    ]

    fileprivate static func write(_ counters: Counters, into text: inout PrometheusText) {
        for (family, help) in families {
            let samples = allCases.filter { $0.place.family == family }.map { name in
                PrometheusText.Sample(
                    .whole(Int64(counters[name])), name.place.label.map { [$0] } ?? [])
            }
            text.add("tillbox_\(family)_total", .counter, help, samples)
        }
    }
}

extension HealthRoutes {
    /// Upper bounds of latencies, in microseconds.
    private static let bounds: [UInt64] = [
        500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
        2_500_000, 5_000_000, 10_000_000,
    ]

    /// All numbers of this process, as they are now.
    func metrics(
        _ registry: MetricsRegistry, startedAt: Timestamp, bridges reports: [BridgeReport] = []
    ) -> PrometheusText {
        var text = PrometheusText()
        text.add(
            "tillbox_build_info", .gauge, "The release that runs.",
            [.init(1, [("version", Release.version)])])
        let reasons = readiness.current
        text.add(
            "tillbox_ready", .gauge, "Whether /readyz says ready.",
            [.init(reasons.isEmpty ? 1 : 0)])
        text.add(
            "tillbox_warnings", .gauge, "Sentences of /readyz that somebody should read.",
            [.init(.whole(Int64(readiness.warnings.count + counters.standstills.warnings.count)))])
        Counters.Name.write(counters, into: &text)
        writeTallies(into: &text)
        Self.write(counters.drift.readings, into: &text)
        write(
            counters.acknowledged, "tillbox_answer_duration_seconds",
            "From a delivery's arrival to its answer, where that is 200.", into: &text)
        write(
            counters.endToEnd, "tillbox_booking_duration_seconds",
            "From a record's arrival at the gate to its commit in the ledger.", into: &text)
        writeLog(into: &text)
        write(reports, into: &text)
        text.add(
            "tillbox_log_lines_lost_total", .counter, "Lines of its log that found no reader.",
            [.init(.whole(Int64(logLinesLost())))])
        ProcessFigures.current().write(startedAt: startedAt.milliseconds, into: &text)
        registry.write(into: &text)
        return text
    }

    private func writeTallies(into text: inout PrometheusText) {
        func samples(_ name: String, _ counts: [String: Int]) -> [PrometheusText.Sample] {
            counts.sorted { $0.key < $1.key }.map {
                .init(.whole(Int64($0.value)), [(name, $0.key)])
            }
        }
        text.add(
            "tillbox_signatures_refused_total", .counter, "Deliveries refused, by reason.",
            samples("code", counters.signatureCodes.all))
        writeShapes(
            "tillbox_events_by_type_total", "type", counters.shapes.byType, into: &text)
        writeShapes(
            "tillbox_events_by_api_version_total", "api_version", counters.shapes.byVersion,
            into: &text)
        text.add(
            "tillbox_booked_minor_units_total", .counter,
            "Payments booked, in the smallest unit of each currency.",
            counters.volume.sorted { $0.key.code < $1.key.code }.map {
                .init(.whole($0.value), [("currency", $0.key.code)])
            })
        text.add(
            "tillbox_refunds_waiting", .gauge, "Refunds that were told and cannot be booked yet.",
            [.init(.whole(Int64(counters.waiting.load(ordering: .relaxed))))])
    }

    /// What the model sees and says, in the bins of its training; nothing of a model that does not
    /// tell them.
    private static func write(_ readings: [ModelDrift.Reading], into text: inout PrometheusText) {
        guard !readings.isEmpty else { return }
        func samples(
            _ counts: (ModelDrift.Reading) -> [Int]
        ) -> [PrometheusText.Sample] {
            readings.flatMap { reading -> [PrometheusText.Sample] in
                let bounds = reading.bins.edges.map { "\($0)" } + ["+Inf"]
                return zip(bounds, counts(reading)).map { bound, count in
                    PrometheusText.Sample(
                        .whole(Int64(count)), [("of", reading.name), ("below", bound)])
                }
            }
        }
        text.add(
            "tillbox_model_values_total", .counter,
            "Payments by what the model saw of them and by its score, in the bins of training.",
            samples(\.counts))
        text.add(
            "tillbox_model_training_values", .gauge, "Payments of the training data, in the same.",
            samples(\.bins.counts))
        text.add(
            "tillbox_model_drift", .gauge,
            "Population stability index of the last 10,000 payments against training.",
            readings.compactMap { reading in
                reading.stabilityIndex.map {
                    PrometheusText.Sample(.real($0), [("of", reading.name)])
                }
            })
    }

    /// Events of the log by one of their labels, and by what the validation made of them.
    private func writeShapes(
        _ name: String, _ label: String, _ tallies: [String: ShapeCounters.Tally],
        into text: inout PrometheusText
    ) {
        let samples = tallies.sorted { $0.key < $1.key }.flatMap { word, tally in
            [
                ("understood", tally.events - tally.ignored - tally.refused),
                ("ignored", tally.ignored), ("refused", tally.refused),
            ].map { outcome, count in
                PrometheusText.Sample(
                    .whole(Int64(count)), [(label, word), ("outcome", outcome)])
            }
        }
        text.add(
            name, .counter, "Events of the log by \(label), and by what became of them.", samples)
    }

    private func write(
        _ histogram: ConcurrentHistogram, _ name: String, _ help: String,
        into text: inout PrometheusText
    ) {
        let values = histogram.snapshot
        let count = Int64(values.count)
        text.add(
            name, .histogram, help,
            PrometheusText.histogram(
                buckets: Self.bounds.map {
                    (upTo: Double($0) / 1e6, count: Int64(values.count(upTo: $0)))
                }, sum: count == 0 ? 0 : values.mean * Double(count) / 1e6, count: count))
    }

    private func writeLog(into text: inout PrometheusText) {
        text.add(
            "tillbox_log_records", .gauge, "Records that the log holds.",
            recordCounts().map { .init(.whole($0.count), [("topic", $0.topic.rawValue)]) })
        text.add(
            "tillbox_consumer_lag_records", .gauge, "Records that a group has not read yet.",
            lags().map {
                .init(.whole($0.recordCount), [("group", $0.group), ("topic", $0.topic)])
            })
    }

    private func write(_ reports: [BridgeReport], into text: inout PrometheusText) {
        func samples(
            _ value: (BridgeReport) -> PrometheusText.Value
        ) -> [PrometheusText.Sample] {
            reports.map { .init(value($0), [("bridge", $0.name.rawValue)]) }
        }
        text.add(
            "tillbox_bridge_up", .gauge, "Whether a bridge copies, or has nothing to copy.",
            samples { $0.state == .running ? 1 : 0 })
        text.add(
            "tillbox_bridge_lag_records", .gauge, "Records that a bridge has not copied yet.",
            samples { .whole($0.lag) })
        text.add(
            "tillbox_bridge_records_total", .counter, "Records copied.",
            samples { .whole($0.deliveredCount) })
        text.add(
            "tillbox_bridge_failures", .gauge, "Failures in a row.",
            samples { .whole(Int64($0.failureCount)) })
    }
}
