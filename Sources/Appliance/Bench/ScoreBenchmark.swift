import Appliance
import Vocabulary

/// How long scoring takes beside the bare C call, in one run (`tillbox bench score`).
struct ScoreBenchmark: Sendable {
    /// Durations of one kind of call, in nanoseconds.
    struct Latencies: Sendable {
        let p50: Int64
        let p99: Int64
        let p999: Int64

        /// - Parameter samples: at least one, in any order.
        init(samples: [Int64]) {
            precondition(!samples.isEmpty, "no samples")
            let sorted = samples.sorted()
            func at(_ share: Double) -> Int64 {
                sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]
            }
            p50 = at(0.5)
            p99 = at(0.99)
            p999 = at(0.999)
        }
    }

    struct Report: Sendable {
        var bareCall: Latencies
        var oneRow: Latencies
        var rows256: Latencies
        /// Three contributions of one held payment.
        var explanation: Latencies
    }

    let model: FraudModel

    /// Alternates the kinds in `rounds` rounds of `calls`, after a warm-up.
    func run(rounds: Int = 5, calls: Int = 4_000) throws(ModelError) -> Report {
        let vectors = Self.vectors(count: 256)
        var bare: [Int64] = []
        var single: [Int64] = []
        var batched: [Int64] = []
        var explained: [Int64] = []
        for round in 0...rounds {
            let bareSamples = measureBareCalls(vectors[0], calls: calls)
            let singleSamples = try measure(Array(vectors[..<1]), calls: calls)
            let batchSamples = try measure(vectors, calls: max(1, calls / 16))
            let explainSamples = try measureExplanations(vectors[0], calls: max(1, calls / 16))
            guard round > 0 else { continue }
            bare += bareSamples
            single += singleSamples
            batched += batchSamples
            explained += explainSamples
        }
        return Report(
            bareCall: Latencies(samples: bare), oneRow: Latencies(samples: single),
            rows256: Latencies(samples: batched), explanation: Latencies(samples: explained))
    }

    private func measureBareCalls(_ vector: FeatureVector, calls: Int) -> [Int64] {
        let clock = ContinuousClock()
        return model.withBareCall(on: vector) { call in
            (0..<calls).map { _ in
                let start = clock.now
                precondition(call(), "the bare call failed")
                return (clock.now - start).nanoseconds
            }
        }
    }

    private func measure(_ vectors: [FeatureVector], calls: Int) throws(ModelError) -> [Int64] {
        let clock = ContinuousClock()
        var samples: [Int64] = []
        samples.reserveCapacity(calls)
        for _ in 0..<calls {
            let start = clock.now
            let scores = try model.predict(vectors)
            samples.append((clock.now - start).nanoseconds)
            precondition(scores.count == vectors.count, "\(scores.count) scores")
        }
        return samples
    }

    private func measureExplanations(
        _ vector: FeatureVector, calls: Int
    ) throws(ModelError) -> [Int64] {
        let clock = ContinuousClock()
        var samples: [Int64] = []
        samples.reserveCapacity(calls)
        for _ in 0..<calls {
            let start = clock.now
            _ = try model.contributions([vector])
            samples.append((clock.now - start).nanoseconds)
        }
        return samples
    }

    /// Vectors of ordinary and odd payments, always the same.
    static func vectors(count: Int) -> [FeatureVector] {
        (0..<count).map { place in
            let odd: Float = place % 10 == 0 ? 1 : 0
            return FeatureVector(
                values: [
                    1 + odd * 7, 1 + odd * 20, Float(place % 40) / 10 - 2, 0.004, odd,
                    odd, odd * 6, odd == 1 ? 2 : Float(place % 12),
                ],
                asOf: Instant(seconds: 1_760_000_000))
        }
    }
}

extension Duration {
    /// The whole duration in nanoseconds.
    fileprivate var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }
}
