import AppendLog
import Synchronization
import Vocabulary

/// Time at Stripe: the machine's clock, set by the `Date` of Stripe's answers.
///
/// What is late, due or over is judged by the clock that stamped it. A machine whose own clock is
/// wrong then still asks for the right days; a twin whose world lives in another month is asked for
/// that one.
package final class StripeClock: LogClock {
    /// A `Date` counts whole seconds and took some time to come: a smaller difference is none.
    static let toleranceMilliseconds: Int64 = 30_000

    private let machine: any LogClock
    /// How far Stripe is ahead, in milliseconds; nil before its first answer.
    private let ahead = Mutex<Int64?>(nil)

    package init(_ machine: any LogClock) { self.machine = machine }

    /// Whether Stripe has answered yet.
    var isSet: Bool { ahead.withLock { $0 != nil } }

    package func now() -> Timestamp {
        Timestamp(milliseconds: machine.now().milliseconds + (ahead.withLock { $0 } ?? 0))
    }

    package func monotonicMilliseconds() -> Int64 { machine.monotonicMilliseconds() }

    /// Takes the header `Date` of an answer; one that is missing or strange changes nothing.
    func note(date: String?) {
        guard let second = date.flatMap(HTTPDate.second) else { return }
        let difference = Int64(second) * 1000 - machine.now().milliseconds
        ahead.withLock { $0 = abs(difference) > Self.toleranceMilliseconds ? difference : 0 }
    }
}
