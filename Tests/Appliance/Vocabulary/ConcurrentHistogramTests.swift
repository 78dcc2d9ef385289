import Testing

@testable import Appliance
@testable import Vocabulary

@Suite("Concurrent histogram")
struct ConcurrentHistogramTests {
    @Test(
        "counts any duration, however long or negative",
        arguments: [Int64.min, -1, 0, 1, 31, 32, (1 << 40) - 1, 1 << 40, .max])
    func anyDuration(microseconds: Int64) {
        let histogram = ConcurrentHistogram()
        histogram.record(microseconds: microseconds)
        #expect(histogram.count == 1)
        let edge = histogram.quantiles([0.5])[0]
        let counted = max(1, min(microseconds, (1 << 40) - 1))
        #expect(edge >= counted && Double(edge) <= Double(counted) * 129 / 128 + 1)
    }
}
