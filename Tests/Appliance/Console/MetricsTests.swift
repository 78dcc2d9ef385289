import AppendLog
import CoreMetrics
import Foundation
import Synchronization
import Testing

@testable import Console
@testable import Relay
@testable import Vocabulary

@Suite("/metrics")
struct MetricsTests {
    @Test("names, labels and help are written so that nothing in them breaks a line")
    func escaped() throws {
        var text = PrometheusText()
        text.add(
            "2 a.b-c", .gauge, "back\\slash\nand \"quotes\"",
            [.init(1, [("a b", "x\"y\\z\nü")]), .init(.real(.infinity), [("a b", "")])])
        text.add("nothing", .counter, "left out", [])
        #expect(
            text.text == """
                # HELP _2_a_b_c back\\\\slash\\nand "quotes"
                # TYPE _2_a_b_c gauge
                _2_a_b_c{a_b="x\\"y\\\\z\\nü"} 1
                _2_a_b_c{a_b=""} +Inf

                """)
        #expect(try PrometheusReader(text.text).values.count == 2)
    }

    @Test("whole numbers stay whole; what is no number is said so", arguments: [
        (PrometheusText.Value.whole(.max), "9223372036854775807"),
        (.whole(.min), "-9223372036854775808"), (.real(.nan), "NaN"), (.real(-.infinity), "-Inf"),
        (.real(0.25), "0.25"), (.real(1e21), "1e+21"),
    ])
    func numbers(value: PrometheusText.Value, text: String) {
        var written = PrometheusText()
        written.add("a", .gauge, "b", [.init(value)])
        #expect(written.text.hasSuffix("\na \(text)\n"))
    }

    @Test("what libraries count comes out by name and labels, each series once")
    func registry() throws {
        let registry = MetricsRegistry()
        for _ in 0..<3 {
            Counter(label: "hb.requests", dimensions: [("path", "/a")], factory: registry)
                .increment()
        }
        Counter(label: "hb.requests", dimensions: [("path", "/b")], factory: registry)
            .increment(by: 5)
        let active = Meter(label: "http.active", factory: registry)
        active.increment(by: 3)
        active.decrement()
        Recorder(label: "sizes", factory: registry).record(2.5)
        Recorder(label: "sizes", factory: registry).record(4)
        let timer = Timer(label: "wait", factory: registry)
        for nanoseconds: Int64 in [-1, 500_000, 500_001, 20_000_000_000] {
            timer.recordNanoseconds(nanoseconds)
        }
        let found = try read(registry)
        #expect(found.values["hb_requests_total{path=\"/a\"}"] == 3)
        #expect(found.values["hb_requests_total{path=\"/b\"}"] == 5)
        #expect(found.values["http_active"] == 2)
        #expect(found.values["sizes_sum"] == 6.5 && found.values["sizes_count"] == 2)
        #expect(found.values["wait_seconds_bucket{le=\"0.0005\"}"] == 2)
        #expect(found.values["wait_seconds_bucket{le=\"0.001\"}"] == 3)
        #expect(found.values["wait_seconds_bucket{le=\"10.0\"}"] == 3)
        #expect(found.values["wait_seconds_bucket{le=\"+Inf\"}"] == 4)
        #expect(found.values["wait_seconds_count"] == 4)
        #expect(found.kinds["wait_seconds"] == "histogram" && found.kinds["sizes"] == "summary")
        #expect(found.kinds["hb_requests_total"] == "counter")
        #expect(found.kinds["http_active"] == "gauge")
    }

    @Test("one name has one kind; what is destroyed is gone; a client makes no series without end")
    func bounds() throws {
        let registry = MetricsRegistry()
        Recorder(label: "a", factory: registry).record(1)
        Gauge(label: "a", factory: registry).record(7)
        let gone = Counter(label: "gone", factory: registry)
        gone.increment()
        gone.destroy()
        for index in 0..<MetricsRegistry.seriesCountMax + 10 {
            Counter(label: "many", dimensions: [("n", "\(index)")], factory: registry).increment()
        }
        let found = try read(registry)
        #expect(found.kinds["a"] == "summary" && found.values["a_gauge"] == 7)
        #expect(found.values["gone_total"] == nil)
        // Two of the series are those of `a`.
        #expect(found.values["tillbox_metrics_series_refused_total"] == 12)
        #expect(found.values.count == MetricsRegistry.seriesCountMax + 2)
    }

    @Test("every counter of the daemon stands in exactly one place, with its value")
    func counters() throws {
        let counters = Counters()
        for (index, name) in Counters.Name.allCases.enumerated() { counters.add(name, 1 << index) }
        counters.acknowledged.record(microseconds: 900, count: 2)
        counters.acknowledged.record(microseconds: 30_000_000)
        counters.signatureCodes.add("no\"match", 4)
        counters.add(volume: [try #require(Currency("jpy")): 9_007_199_254_740_993])
        let text = HealthRoutes(
            readiness: Readiness(), counters: counters,
            recordCounts: { [(.webhookReceived, 5)] },
            lags: { [ConsumerLag(group: "validate", topic: "webhook.received", recordCount: 3)] }
        ).metrics(MetricsRegistry(), startedAt: Timestamp(milliseconds: 1_500)).text
        let found = try PrometheusReader(text)
        let own = found.values.filter { key, _ in
            key.hasPrefix("tillbox_") && found.kinds[Self.family(key)] == "counter"
                && Self.family(key) != "tillbox_booked_minor_units_total"
        }
        let bits = own.values.compactMap { Int(exactly: $0) }
            .filter { $0 > 0 && $0 & ($0 - 1) == 0 }
        // 4 is also what the refused signature counts.
        let all: Int = (1 << Counters.Name.allCases.count) - 1
        #expect(bits.reduce(0, +) == all + 4)
        #expect(found.values["tillbox_deliveries_total{outcome=\"admitted\"}"] == 1)
        #expect(found.values["tillbox_answer_duration_seconds_bucket{le=\"0.001\"}"] == 2)
        #expect(found.values["tillbox_answer_duration_seconds_bucket{le=\"10.0\"}"] == 2)
        #expect(found.values["tillbox_answer_duration_seconds_count"] == 3)
        let sum = try #require(found.values["tillbox_answer_duration_seconds_sum"])
        #expect(abs(sum - 30.0018) < 0.3)
        #expect(found.values["tillbox_signatures_refused_total{code=\"no\\\"match\"}"] == 4)
        #expect(
            text.contains("tillbox_booked_minor_units_total{currency=\"jpy\"} 9007199254740993\n"))
        #expect(found.values["tillbox_ready"] == 0, "it has not started yet")
        #expect(found.values["tillbox_log_records{topic=\"webhook.received\"}"] == 5)
        #expect(found.values[
            "tillbox_consumer_lag_records{group=\"validate\",topic=\"webhook.received\"}"] == 3)
        #expect(found.values["process_start_time_seconds"] == 1.5)
        #expect(try #require(found.values["process_cpu_seconds_total"]) > 0)
        #expect(try #require(found.values["process_resident_memory_bytes"]) > 1_000_000)
        #expect(try #require(found.values["process_open_fds"]) > 2)
    }

    @Test("events stand by type and by version once each, with what became of them")
    func shapes() throws {
        let counters = Counters()
        let known = EventShape(apiVersion: "2025-03-31.basil", type: "charge.succeeded")
        let strange = EventShape(apiVersion: "x\"y", type: "NO TYPE")
        counters.shapes.add([
            (known, .understood), (known, .understood), (known, .refused), (strange, .ignored),
            (EventShape(), .refused),
        ])
        let text = HealthRoutes(readiness: Readiness(), counters: counters)
            .metrics(MetricsRegistry(), startedAt: Timestamp(milliseconds: 1)).text
        let values = try PrometheusReader(text).values
        let family = "tillbox_events_by_type_total"
        let expected: [String: Double] = [
            "\(family){type=\"charge.succeeded\",outcome=\"understood\"}": 2,
            "\(family){type=\"charge.succeeded\",outcome=\"refused\"}": 1,
            "\(family){type=\"charge.succeeded\",outcome=\"ignored\"}": 0,
            "\(family){type=\"other\",outcome=\"ignored\"}": 1,
            "\(family){type=\"none\",outcome=\"refused\"}": 1,
            "tillbox_events_by_api_version_total{api_version=\"2025-03-31.basil\","
                + "outcome=\"understood\"}": 2,
            "tillbox_events_by_api_version_total{api_version=\"other\",outcome=\"ignored\"}": 1,
        ]
        for (key, value) in expected { #expect(values[key] == value, "\(key)") }
    }

    @Test("alert rules, dashboard and docs name no family that is not told, and docs name them all")
    func named() throws {
        let counters = Counters()
        counters.signatureCodes.add("expired")
        let shape = EventShape(apiVersion: "2025-03-31.basil", type: "charge.succeeded")
        counters.shapes.add([(shape, .understood)])
        counters.add(volume: [try #require(Currency("usd")): 1])
        counters.drift.begin(DriftGiven.names, DriftGiven.distribution)
        counters.drift.add(DriftGiven.window)
        let reports = [BridgeReport(name: .kafka, state: .running)]
        let text = HealthRoutes(
            readiness: Readiness(), counters: counters,
            recordCounts: { [(.webhookReceived, 5)] },
            lags: { [ConsumerLag(group: "score", topic: "payment.validated", recordCount: 0)] }
        ).metrics(MetricsRegistry(), startedAt: Timestamp(milliseconds: 1), bridges: reports).text
        let told = Set(try PrometheusReader(text).kinds.keys)
        let root = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../..").standardized
        func names(in file: String) throws -> Set<String> {
            let text = try String(contentsOf: root.appending(path: file), encoding: .utf8)
            return Set(
                text.matches(of: #/\b(?:tillbox|process)_[a-z_]*[a-z]/#).map {
                    String($0.0).replacing(#/_(bucket|sum|count)$/#, with: "")
                })
        }
        for file in ["deploy/monitoring/alerts.yaml", "deploy/monitoring/dashboard.json"] {
            let named = try names(in: file)
            #expect(named.count > 5)
            #expect(named.subtracting(told) == [], "\(file)")
        }
        let documented = try String(
            contentsOf: root.appending(path: "docs/METRICS.md"), encoding: .utf8)
        for name in told where name.hasPrefix("tillbox_") {
            #expect(documented.contains("`\(name)`"), "\(name)")
        }
    }

    private static func family(_ key: String) -> String {
        String(key.prefix { $0 != "{" })
    }

    private func read(_ registry: MetricsRegistry) throws -> PrometheusReader {
        var text = PrometheusText()
        registry.write(into: &text)
        return try PrometheusReader(text.text)
    }
}
