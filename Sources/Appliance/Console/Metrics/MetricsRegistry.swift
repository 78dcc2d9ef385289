package import CoreMetrics
import Synchronization

/// Where the libraries' own metrics go, such as those of the HTTP server: the back end of
/// swift-metrics for Prometheus.
///
/// A label becomes a name (`http.server.request.duration` is
/// `http_server_request_duration_seconds`): counters end in `_total`, timers in `_seconds`.
package final class MetricsRegistry: MetricsFactory {
    /// The registry of this process, which swift-metrics has from the first use on.
    package static let process: MetricsRegistry = {
        let registry = MetricsRegistry()
        MetricsSystem.bootstrap(registry)
        return registry
    }()

    /// Series that are kept; what a client invents (a method, say) makes no more of them.
    package static let seriesCountMax = 2_000

    /// Upper bounds of a timer's buckets, in seconds.
    static let bounds = [
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
    ]

    private struct Family {
        var kind: PrometheusText.Kind
        /// By labels, as text.
        var series: [String: any MetricsSeries] = [:]
    }

    private struct State {
        var families: [String: Family] = [:]
        var seriesCount = 0
        var refusedCount: Int64 = 0
    }

    private let state = Mutex(State())

    package init() {}

    package func makeCounter(
        label: String, dimensions: [(String, String)]
    ) -> any CounterHandler {
        series(CounterSeries.self, label, "_total", dimensions)
    }

    package func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        aggregate
            ? series(SummarySeries.self, label, "", dimensions)
            : series(GaugeSeries.self, label, "", dimensions)
    }

    package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        series(GaugeSeries.self, label, "", dimensions)
    }

    package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        series(TimerSeries.self, label, "_seconds", dimensions)
    }

    package func destroyCounter(_ handler: any CounterHandler) { remove(handler) }
    package func destroyRecorder(_ handler: any RecorderHandler) { remove(handler) }
    package func destroyMeter(_ handler: any MeterHandler) { remove(handler) }
    package func destroyTimer(_ handler: any TimerHandler) { remove(handler) }

    /// The series of that name and these labels, which exists once. Beyond the bound it is one that
    /// nobody sees.
    private func series<Series: MetricsSeries>(
        _: Series.Type, _ label: String, _ suffix: String, _ dimensions: [(String, String)]
    ) -> Series {
        var name = PrometheusText.name(label)
        if !name.hasSuffix(suffix) { name += suffix }
        let key = dimensions.map { "\($0.0)=\($0.1)" }.joined(separator: "\u{0}")
        return state.withLock { state in
            // A name has one kind: another one gets a name of its own.
            while let kind = state.families[name]?.kind, kind != Series.kind {
                name += "_\(Series.kind.rawValue)"
            }
            if let known = state.families[name]?.series[key] as? Series { return known }
            let made = Series(labels: dimensions.map { (name: $0.0, value: $0.1) })
            guard state.seriesCount < Self.seriesCountMax else {
                state.refusedCount += 1
                return made
            }
            state.seriesCount += 1
            state.families[name, default: Family(kind: Series.kind)].series[key] = made
            return made
        }
    }

    private func remove(_ handler: AnyObject) {
        state.withLock { state in
            for (name, family) in state.families {
                guard let key = family.series.first(where: { $0.value === handler })?.key
                else { continue }
                state.families[name]?.series[key] = nil
                state.seriesCount -= 1
                return
            }
        }
    }

    /// Adds all families, by name.
    package func write(into text: inout PrometheusText) {
        let (families, refused) = state.withLock { ($0.families, $0.refusedCount) }
        for (name, family) in families.sorted(by: { $0.key < $1.key }) {
            let samples = family.series.sorted { $0.key < $1.key }.flatMap { $0.value.samples }
            text.add(name, family.kind, "See the library that measures it.", samples)
        }
        text.add(
            "tillbox_metrics_series_refused_total", .counter,
            "Series of libraries beyond the \(Self.seriesCountMax) that are kept.",
            [.init(.whole(refused))])
    }
}

/// The numbers of one set of labels.
private protocol MetricsSeries: AnyObject, Sendable {
    static var kind: PrometheusText.Kind { get }
    init(labels: [(name: String, value: String)])
    var samples: [PrometheusText.Sample] { get }
}

private final class CounterSeries: MetricsSeries, CounterHandler {
    static let kind = PrometheusText.Kind.counter
    private let labels: [(name: String, value: String)]
    private let value = Atomic<Int64>(0)

    init(labels: [(name: String, value: String)]) { self.labels = labels }

    func increment(by amount: Int64) { value.wrappingAdd(amount, ordering: .relaxed) }
    func reset() { value.store(0, ordering: .relaxed) }

    var samples: [PrometheusText.Sample] {
        [.init(.whole(value.load(ordering: .relaxed)), labels)]
    }
}

private final class GaugeSeries: MetricsSeries, RecorderHandler, MeterHandler {
    static let kind = PrometheusText.Kind.gauge
    private let labels: [(name: String, value: String)]
    private let value = Mutex(0.0)

    init(labels: [(name: String, value: String)]) { self.labels = labels }

    func record(_ value: Int64) { record(Double(value)) }
    func record(_ value: Double) { set(value) }
    func set(_ value: Int64) { set(Double(value)) }
    func set(_ value: Double) { self.value.withLock { $0 = value } }
    func increment(by amount: Double) { value.withLock { $0 += amount } }
    func decrement(by amount: Double) { value.withLock { $0 -= amount } }

    var samples: [PrometheusText.Sample] { [.init(.real(value.withLock { $0 }), labels)] }
}

private final class SummarySeries: MetricsSeries, RecorderHandler {
    static let kind = PrometheusText.Kind.summary
    private let labels: [(name: String, value: String)]
    private let state = Mutex((count: Int64(0), sum: 0.0))

    init(labels: [(name: String, value: String)]) { self.labels = labels }

    func record(_ value: Int64) { record(Double(value)) }
    func record(_ value: Double) {
        state.withLock { $0 = ($0.count + 1, $0.sum + value) }
    }

    var samples: [PrometheusText.Sample] {
        let (count, sum) = state.withLock { $0 }
        var samples: [PrometheusText.Sample] = [
            .init(.real(sum), labels), .init(.whole(count), labels),
        ]
        (samples[0].suffix, samples[1].suffix) = ("_sum", "_count")
        return samples
    }
}

private final class TimerSeries: MetricsSeries, TimerHandler {
    static let kind = PrometheusText.Kind.histogram
    private let labels: [(name: String, value: String)]
    /// Of each bound those values that no smaller one takes in; the last is of all larger ones.
    private let state = Mutex(
        (counts: [Int64](repeating: 0, count: MetricsRegistry.bounds.count + 1), sum: 0.0))

    init(labels: [(name: String, value: String)]) { self.labels = labels }

    func recordNanoseconds(_ duration: Int64) {
        let seconds = Double(max(0, duration)) / 1e9
        let bucket =
            MetricsRegistry.bounds.firstIndex { seconds <= $0 } ?? MetricsRegistry.bounds.count
        state.withLock { state in
            state.counts[bucket] += 1
            state.sum += seconds
        }
    }

    var samples: [PrometheusText.Sample] {
        let (counts, sum) = state.withLock { $0 }
        var total: Int64 = 0
        let buckets = zip(MetricsRegistry.bounds, counts).map { bound, count in
            total += count
            return (upTo: bound, count: total)
        }
        return PrometheusText.histogram(
            buckets: buckets, sum: sum, count: counts.reduce(0, +), labels)
    }
}
