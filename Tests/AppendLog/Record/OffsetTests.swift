import AppendLog
import Testing

@Suite("Offsets")
struct OffsetTests {
    @Test("the door for numbers from outside", arguments: [
        (Int64.min, false), (-1, false), (0, true), (1, true), (Int64.max / 2, true),
        (Int64.max / 2 + 1, false), (Int64.max - 1, false), (Int64.max, false),
    ])
    func door(number: Int64, opens: Bool) {
        #expect((Offset(named: number) != nil) == opens)
    }

    @Test("no sum or difference of any two ends the process")
    func arithmetic() {
        var random = SystemRandomNumberGenerator()
        let edges: [Int64] = [.min, .min + 1, -1, 0, 1, .max / 2, .max - 1, .max]
        let all = edges + (0..<50).map { _ in Int64.random(in: .min ... .max, using: &random) }
        for left in all {
            for right in all {
                let exact = left.addingReportingOverflow(right)
                let sum = Offset(left).advanced(by: right)
                if !exact.overflow { #expect(sum.rawValue == exact.partialValue) }
                if right >= 0 { #expect(sum >= Offset(left)) } else { #expect(sum <= Offset(left)) }
                let distance = Offset(left).distance(to: Offset(right))
                #expect((distance > 0) == (right > left) && (distance < 0) == (right < left))
            }
        }
    }
}
