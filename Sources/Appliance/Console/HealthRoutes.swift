import AppendLog
package import Backup
import HTTPTypes
import Hummingbird
import NIOCore
package import Reconcile
package import Relay
import Synchronization
package import Vocabulary

/// Whether the daemon is ready for traffic, and if not, why.
package final class Readiness: Sendable {
    private let reasons: Mutex<[String]>
    /// Each says in one sentence what is wrong, or nil.
    private let watches = Mutex<[@Sendable () -> String?]>([])
    /// The same, of what is asked for at each look, because it comes and goes by itself.
    private let hindrances = Mutex<[@Sendable () -> String?]>([])

    /// Starts out not ready.
    package init() { reasons = Mutex(["starting"]) }

    /// An empty list is ready.
    package func set(_ reasons: [String]) { self.reasons.withLock { $0 = reasons } }

    /// Why the daemon is not ready; empty when it is.
    var current: [String] {
        let all = reasons.withLock { $0 } + hindrances.withLock { $0 }.compactMap { $0() }
        // Two may have found the same.
        return all.indices.filter { !all[..<$0].contains(all[$0]) }.map { all[$0] }
    }

    /// Adds what may keep the daemon from being ready.
    package func require(_ hindrance: @escaping @Sendable () -> String?) {
        hindrances.withLock { $0.append(hindrance) }
    }

    /// Adds what somebody fails with at one of these servers, which a watch may have told of: the
    /// two would be one reason in other words.
    package func require(
        beyond watches: [ServerWatch], _ hindrance: @escaping @Sendable () -> String?
    ) {
        require {
            guard let sentence = hindrance() else { return nil }
            let told = watches.filter { $0.trouble() != nil }.map(\.server)
            let named = ServerWatch.servers.filter { sentence.contains($0) }
            // What names no server has waited for one of those that are told of.
            let isTold = named.isEmpty ? !told.isEmpty : told.contains { named.contains($0) }
            return isTold ? nil : sentence
        }
    }

    /// Adds what an operator should look at although the daemon is ready; asked at each look.
    package func watch(_ warning: @escaping @Sendable () -> String?) {
        watches.withLock { $0.append(warning) }
    }

    /// Why the daemon is not ready, and what to look at although it is; each with who says so.
    package var notices: [Notice] {
        func found(_ kind: String, _ watches: [@Sendable () -> String?]) -> [Notice] {
            watches.enumerated().compactMap { place, watch in
                watch().map { Notice(kind: "\(kind) \(place)", sentence: $0) }
            }
        }
        let all = reasons.withLock { $0 }.map { Notice(kind: "reason", sentence: $0) }
            + found("hindrance", hindrances.withLock { $0 })
            + found("watch", watches.withLock { $0 })
        // Two may have found the same.
        var known: Set<String> = []
        return all.filter { known.insert($0.sentence).inserted }
    }

    var warnings: [String] { watches.withLock { $0 }.compactMap { $0() } }
}

/// Somebody who looks at a server all the while.
package struct ServerWatch: Sendable {
    /// As every sentence about it calls it: `Kafka`.
    package let server: String
    static let servers = ["Kafka", "Redis", "Postgres"]
    /// What is in the way there; nil for nothing.
    package let trouble: @Sendable () -> String?

    package init(_ server: String, trouble: @escaping @Sendable () -> String?) {
        self.server = server
        self.trouble = trouble
    }
}

/// `GET /healthz` (alive), `GET /readyz` (ready, else 503 with the reasons), `GET /metrics` for
/// Prometheus and `GET /api/v1/status` on the admin port.
/// `warnings` of the latter are no reason to send traffic elsewhere, but to look.
package struct HealthRoutes: Sendable {
    package let readiness: Readiness
    package let counters: Counters
    /// Where the last reconciliation is known; nil where there is none.
    package var reconciler: Reconciler?
    /// Copies in other systems; nil where there are none.
    package var bridges: BridgeBoard?
    /// The data folder; nil where there is none.
    package var dataPath: String?
    /// How many records the log holds of each topic; none where there is no log.
    package var recordCounts: @Sendable () -> [(topic: TopicID, count: Int64)] = { [] }
    /// How far each consumer group is behind; none where the log is elsewhere.
    package var lags: @Sendable () -> [ConsumerLag] = { [] }
    /// The last backup of the data folder; nil where none is known.
    package var backup: @Sendable () -> BackupNote? = { nil }
    /// Log lines that found no reader.
    package var logLinesLost: @Sendable () -> Int = { 0 }
    /// Whether every part still turns; a process that does not is to be ended and started again.
    package var isAlive: @Sendable () -> Bool = { true }

    package init(
        readiness: Readiness, counters: Counters, reconciler: Reconciler? = nil,
        bridges: BridgeBoard? = nil, dataPath: String? = nil,
        recordCounts: @escaping @Sendable () -> [(topic: TopicID, count: Int64)] = { [] },
        lags: @escaping @Sendable () -> [ConsumerLag] = { [] },
        backup: @escaping @Sendable () -> BackupNote? = { nil },
        logLinesLost: @escaping @Sendable () -> Int = { 0 },
        isAlive: @escaping @Sendable () -> Bool = { true }
    ) {
        self.isAlive = isAlive
        self.readiness = readiness
        self.counters = counters
        self.reconciler = reconciler
        self.bridges = bridges
        self.dataPath = dataPath
        self.recordCounts = recordCounts
        self.lags = lags
        self.backup = backup
        self.logLinesLost = logLinesLost
    }

    package func routes() -> AdminRoutes {
        var routes = AdminRoutes()
        // First, so that it sees the requests of all routes that are added.
        let registry = MetricsRegistry.process
        routes.router.add(middleware: MetricsMiddleware())
        let (startedAt, started) = (SystemLogClock().now(), ContinuousClock.now)
        routes.get("/healthz", needs: nil) { _, _ in
            let isAlive = isAlive()
            return Response.jsonObject(isAlive ? .ok : .serviceUnavailable) {
                $0.member("status", isAlive ? "alive" : "stuck")
            }
        }
        routes.get("/readyz", needs: nil) { _, _ in
            let reasons = readiness.current
            return Response.jsonObject(reasons.isEmpty ? .ok : .serviceUnavailable) { writer in
                writer.member("status", reasons.isEmpty ? "ready" : "not_ready")
                write(reasons, into: &writer)
                writer.key("bridges")
                writer.beginArray()
                for report in bridges?.reports() ?? [] { report.encodeShort(into: &writer) }
                writer.endArray()
            }
        }
        routes.get("/metrics", needs: nil) { _, _ in
            let metrics = metrics(
                registry, startedAt: startedAt, bridges: bridges?.reports() ?? [])
            return Response(
                status: .ok, headers: [.contentType: PrometheusText.contentType],
                body: ResponseBody(byteBuffer: ByteBuffer(string: metrics.text)))
        }
        routes.get("/api/v1/status", needs: .viewer) { _, _ in
            Response.jsonObject(.ok) { writeStatus(startedAt, started, into: &$0) }
        }
        return routes
    }

    /// - Parameter started: the same moment as `startedAt`, by a clock that nobody sets.
    private func writeStatus(
        _ startedAt: Timestamp, _ started: ContinuousClock.Instant, into writer: inout JSONWriter
    ) {
        let reasons = readiness.current
        writer.member("ready", reasons.isEmpty)
        writer.member("data", dataPath)
        write(reasons, into: &writer)
        // What counts from the start is worth nothing without it.
        writer.member("started_at", startedAt.milliseconds / 1_000)
        writer.member("up_seconds", started.duration(to: .now).components.seconds)
        // The moments of reconciliation are by that clock, which may be a twin's.
        writer.member("stripe_at", reconciler?.now.seconds)
        writeRecordCounts(into: &writer)
        for name in Counters.Name.allCases {
            writer.key(named: name.label)
            writer.int(Int64(counters[name]))
        }
        writer.key("waiting")
        writer.int(Int64(counters.waiting.load(ordering: .relaxed)))
        writer.key("by_api_version")
        Self.write(counters.shapes.byVersion, into: &writer)
        writer.key("by_type")
        Self.write(counters.shapes.byType, into: &writer)
        writer.key("reconciliation")
        writeReconciliation(into: &writer)
        if dataPath != nil { writeBackup(into: &writer) }
        writer.member("log_lines_lost", Int64(logLinesLost()))
        BridgeRoutes.write(bridges?.reports() ?? [], into: &writer)
    }

    /// Why it is not ready, and what to look at although it is.
    private func write(_ reasons: [String], into writer: inout JSONWriter) {
        writer.key("reasons")
        writer.beginArray()
        for reason in reasons { writer.string(reason) }
        writer.endArray()
        writer.key("warnings")
        writer.beginArray()
        for warning in readiness.warnings + counters.standstills.warnings {
            writer.string(warning)
        }
        writer.endArray()
    }

    /// What the log holds, whenever it came: that is not gone after a restart, as counters are.
    private func writeRecordCounts(into writer: inout JSONWriter) {
        writer.key("log")
        writer.beginObject()
        for (topic, count) in recordCounts() {
            writer.key(named: topic.rawValue)
            writer.int(count)
        }
        writer.endObject()
    }

    /// The last run that has ended, in short; null before the first.
    private func writeReconciliation(into writer: inout JSONWriter) {
        let reports = try? reconciler?.reports(before: nil, limit: Self.runCountMax)
        guard let report = reports?.first(where: { $0.run.state.isOver }) else {
            return writer.null()
        }
        report.encodeShort(into: &writer)
    }

    /// The last backup; null where none is known.
    private func writeBackup(into writer: inout JSONWriter) {
        writer.key("backup")
        guard let note = backup() else { return writer.null() }
        writer.beginObject()
        note.encode(into: &writer)
        writer.endObject()
    }

    /// Runs that are looked through for one that has ended: those before it wait or are under way.
    private static let runCountMax = 10

    /// How many events came so, and how many of them were ignored or refused.
    private static func write(
        _ tallies: [String: ShapeCounters.Tally], into writer: inout JSONWriter
    ) {
        writer.beginObject()
        for (label, tally) in tallies.sorted(by: { $0.key < $1.key }) {
            writer.key(named: label)
            writer.beginObject()
            writer.member("events", Int64(tally.events))
            writer.member("ignored", Int64(tally.ignored))
            writer.member("refused", Int64(tally.refused))
            writer.endObject()
        }
        writer.endObject()
    }
}
