import AppendLog
import Foundation

/// The twin's only source of chance: xoshiro256** (Blackman and Vigna, prng.di.unimi.it), its
/// state filled by SplitMix64, so that one seed gives one history on every machine.
struct TwinRandom: RandomNumberGenerator, Sendable {
    private var a: UInt64
    private var b: UInt64
    private var c: UInt64
    private var d: UInt64

    init(seed: UInt64) {
        var mixer = SeededGenerator(seed: seed)
        a = mixer.next()
        b = mixer.next()
        c = mixer.next()
        d = mixer.next()
    }

    mutating func next() -> UInt64 {
        let scrambled = b &* 5
        let result = ((scrambled << 7) | (scrambled >> 57)) &* 9
        let shifted = b << 17
        c ^= a
        d ^= b
        b ^= c
        a ^= d
        c ^= shifted
        d = (d << 45) | (d >> 19)
        return result
    }
}

extension TwinRandom {
    /// Uniform in 0 ..< 1.
    mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// True with this probability.
    mutating func chance(_ probability: Double) -> Bool { unit() < probability }

    /// Uniform in `range`. The bias of the multiplication is below 2⁻⁴⁰ for the ranges used here.
    mutating func integer(_ range: ClosedRange<Int64>) -> Int64 {
        let width = UInt64(range.upperBound - range.lowerBound) + 1
        return range.lowerBound + Int64(next().multipliedFullWidth(by: width).high)
    }

    /// Uniform in 0 ..< `count`, which must be positive.
    mutating func index(below count: Int) -> Int {
        Int(next().multipliedFullWidth(by: UInt64(count)).high)
    }

    /// Standard normal, by Box and Muller.
    mutating func normal() -> Double {
        let radius = (-2 * Foundation.log(1 - unit())).squareRoot()
        return radius * Foundation.cos(2 * Double.pi * unit())
    }

    mutating func exponential(mean: Double) -> Double { -mean * Foundation.log(1 - unit()) }

    mutating func logNormal(median: Double, sigma: Double) -> Double {
        median * Foundation.exp(sigma * normal())
    }

    /// Milliseconds, uniform between two numbers of seconds.
    mutating func milliseconds(_ seconds: ClosedRange<Int64>) -> Int64 {
        integer((seconds.lowerBound * 1000)...(seconds.upperBound * 1000))
    }
}
