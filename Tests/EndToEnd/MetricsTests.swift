import Foundation
import TestSupport
import Testing

@Suite("/metrics of the running daemon", .serialized)
struct MetricsEndToEndTests {
    private func number(_ name: String, in text: String) -> Double? {
        text.split(separator: "\n").first { $0.hasPrefix("\(name) ") }
            .flatMap { Double($0.dropFirst(name.count + 1)) }
    }

    @Test("deliveries, refusals, lags and the admin port's own requests are counted")
    func counted() async throws {
        let daemon = try await RunningDaemon()
        #expect(try await daemon.deliver(500) == 0)
        #expect(try daemon.deliver(body: "{}", signedAt: 1) == 400)
        try await daemon.drained("all is booked")
        // A step that has ignored what came last tells of it within a second.
        var text = ""
        let stages = ["validate", "score", "ledger"]
        try await eventually("nothing is unread") {
            text = try daemon.read("/metrics")
            let lags = text.split(separator: "\n").filter {
                $0.hasPrefix("tillbox_consumer_lag_records{")
            }
            return stages.allSatisfy { stage in
                lags.contains { $0.contains("group=\"\(stage)\"") && $0.hasSuffix("\"} 0") }
            }
        }
        let admitted = try daemon.counter("admitted")
        #expect(admitted > 500)
        func count(_ name: String) -> Double? { number(name, in: text) }
        #expect(count("tillbox_deliveries_total{outcome=\"admitted\"}") == Double(admitted))
        #expect(count("tillbox_deliveries_total{outcome=\"signature_refused\"}") == 1)
        let booked = try daemon.counter("booked")
        #expect(count("tillbox_postings_total{outcome=\"booked\"}") == Double(booked))
        #expect(count("tillbox_booking_duration_seconds_count") ?? 0 > 0)
        #expect(count("tillbox_ready") == 1)
        // The second look tells of the first.
        let second = try daemon.read("/metrics")
        let requests = second.split(separator: "\n").filter {
            $0.hasPrefix("http_server_request_duration_seconds_count{")
                && $0.contains("http_route=\"/metrics\"")
        }
        #expect(requests.count == 1)
        #expect(!second.contains("whsec_test"))
        try await daemon.stop()
    }
}
