import Testing

@testable import Traffic
@testable import Vocabulary

@Suite("Latency histogram")
struct LatencyHistogramTests {
    @Test("percentiles are within one per cent of the sorted values'")
    func error() {
        var random = TwinRandom(seed: 1)
        var histogram = LatencyHistogram()
        var values: [UInt64] = []
        for _ in 0..<50_000 {
            let value = UInt64(random.logNormal(median: 300_000, sigma: 2))
            values.append(value)
            histogram.record(value)
        }
        values.sort()
        for share in [0.001, 0.01, 0.5, 0.9, 0.99, 0.999, 1] {
            let exact = Double(values[Int((share * 50_000).rounded(.up)) - 1])
            let found = Double(histogram.value(atShare: share))
            #expect(abs(found - exact) <= 0.01 * exact, "\(share): \(found) for \(exact)")
        }
        #expect(histogram.max == values.last)
        #expect(histogram.count == 50_000)
    }

    @Test("small values are exact, the largest ones are bounded, none is zero")
    func edges() {
        var histogram = LatencyHistogram()
        #expect(histogram.value(atShare: 0.5) == 0)
        for value: UInt64 in [1, 2, 255, .max] { histogram.record(value) }
        #expect(histogram.value(atShare: 0.25) == 1)
        #expect(histogram.value(atShare: 0.75) == 255)
        #expect(histogram.value(atShare: 1) <= LatencyHistogram.valueMax)
        #expect(histogram.max == .max)
    }
}
