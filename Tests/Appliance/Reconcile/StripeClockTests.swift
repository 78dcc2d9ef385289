import AppendLog
import Synchronization
import Testing

@testable import Appliance
@testable import Reconcile
@testable import Vocabulary

@Suite("Stripe's clock")
struct StripeClockTests {
    private struct Machine: LogClock {
        var milliseconds: Int64
        func now() -> Timestamp { Timestamp(milliseconds: milliseconds) }
        func monotonicMilliseconds() -> Int64 { 7 }
    }

    /// 2026-11-25T22:31:00Z
    private static let moment: Int64 = 1_795_645_860

    @Test("an answer's Date sets it, however wrong the machine's clock is", arguments: [
        40 * 86_400, -40 * 86_400, 31,
    ] as [Int64])
    func set(wrongBySeconds wrong: Int64) {
        let clock = StripeClock(Machine(milliseconds: (Self.moment + wrong) * 1000 + 250))
        #expect(!clock.isSet)
        #expect(clock.now().milliseconds == (Self.moment + wrong) * 1000 + 250)
        clock.note(date: "Wed, 25 Nov 2026 22:31:00 GMT")
        #expect(clock.isSet)
        #expect(clock.now().milliseconds == Self.moment * 1000)
        #expect(clock.monotonicMilliseconds() == 7)
    }

    @Test("a difference that whole seconds and the way explain is none")
    func tolerance() {
        let clock = StripeClock(Machine(milliseconds: Self.moment * 1000 + 29_999))
        clock.note(date: "Wed, 25 Nov 2026 22:31:00 GMT")
        #expect(clock.isSet && clock.now().milliseconds == Self.moment * 1000 + 29_999)
    }

    @Test("a Date that is missing or strange changes nothing", arguments: [
        nil, "", "yesterday", "Wed, 25 Nov 2026 22:31:00 GMT and more", "2026-11-25T22:31:00Z",
    ] as [String?])
    func strange(date: String?) {
        let clock = StripeClock(Machine(milliseconds: 5))
        clock.note(date: date)
        #expect(!clock.isSet && clock.now().milliseconds == 5)
    }

    @Test(
        "a Date that signatures contradict is not believed, and told; a world's own time is",
        arguments: [
            400 * 86_400, -400 * 86_400, 301,
        ] as [Int64])
    func contradicted(wrongBySeconds wrong: Int64) {
        let clock = StripeClock(Machine(milliseconds: (Self.moment + wrong) * 1000))
        let isConfirmed = Mutex(false)
        clock.confirm { isConfirmed.withLock { $0 } }
        clock.note(date: "Wed, 25 Nov 2026 22:31:00 GMT")
        #expect(clock.now().milliseconds == Self.moment * 1000)
        let isFar = abs(wrong) > 3600
        #expect((clock.warning?.contains("are believed") == true) == isFar)
        // A delivery's signature comes later than the answer.
        isConfirmed.withLock { $0 = true }
        #expect(clock.now().milliseconds == (Self.moment + wrong) * 1000)
        #expect((clock.warning?.contains("is not believed") == true) == isFar)
        clock.note(date: "Wed, 25 Nov 2026 22:31:00 GMT", ofWorld: true)
        #expect(clock.now().milliseconds == Self.moment * 1000)
        #expect(clock.warning == nil)
    }

    @Test(
        "an HTTP date is read as it is written",
        arguments: [0, 951_782_400, 1_795_645_860, 4_102_444_799])
    func roundTrip(second: Int) {
        #expect(HTTPDate.second(of: HTTPDate.text(of: second)) == second)
    }
}
