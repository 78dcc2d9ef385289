package import AppendLog
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

    /// What signatures of deliveries, which are Stripe's own, may differ from the machine by: a
    /// `Date` further away contradicts them.
    static let contradictionMilliseconds: Int64 = 300_000
    /// From this on a difference is told.
    static let tellingMilliseconds: Int64 = 3_600_000

    private struct Told {
        /// How far Stripe is ahead, in milliseconds.
        var ahead: Int64
        /// Whether a twin's world says so, which has a time of its own.
        var isWorld: Bool
    }

    private let machine: any LogClock
    /// What the last answer said; nil before the first one.
    private let told = Mutex<Told?>(nil)
    /// Whether deliveries have confirmed the machine's clock.
    private let isConfirmed = Mutex<@Sendable () -> Bool>({ false })

    package init(_ machine: any LogClock) { self.machine = machine }

    /// Whether Stripe has answered yet.
    var isSet: Bool { told.withLock { $0 != nil } }

    package func now() -> Timestamp {
        Timestamp(milliseconds: machine.now().milliseconds + believed)
    }

    package func monotonicMilliseconds() -> Int64 { machine.monotonicMilliseconds() }

    /// Has another witness: once signatures have said that the machine is right, an answer's `Date`
    /// that says otherwise is what somebody on the way has kept or made.
    func confirm(by witness: @escaping @Sendable () -> Bool) {
        isConfirmed.withLock { $0 = witness }
    }

    /// Takes the header `Date` of an answer; one that is missing or strange changes nothing.
    func note(date: String?, ofWorld isWorld: Bool = false) {
        guard let second = date.flatMap(HTTPDate.second) else { return }
        let ahead = Int64(second) * 1000 - machine.now().milliseconds
        told.withLock { $0 = Told(ahead: ahead, isWorld: isWorld) }
    }

    /// How far the last answer's time was ahead of this machine's, in milliseconds; nil before the
    /// first answer, and where a twin's world has a time of its own.
    var aheadMilliseconds: Int64? {
        told.withLock { $0.flatMap { $0.isWorld ? nil : $0.ahead } }
    }

    private var believed: Int64 {
        guard let told = told.withLock({ $0 }), abs(told.ahead) > Self.toleranceMilliseconds,
            !isContradicted(told)
        else { return 0 }
        return told.ahead
    }

    private func isContradicted(_ told: Told) -> Bool {
        guard !told.isWorld, abs(told.ahead) > Self.contradictionMilliseconds else { return false }
        return isConfirmed.withLock { $0 }()
    }

    /// One sentence while the last answer's time is far from this machine's.
    var warning: String? {
        guard let told = told.withLock({ $0 }), !told.isWorld,
            abs(told.ahead) > Self.tellingMilliseconds
        else { return nil }
        let seconds = abs(told.ahead) / 1000
        let direction = told.ahead > 0 ? "ahead of" : "behind"
        let answers = "the answers of Stripe's API are dated \(seconds) s \(direction) this machine"
        return isContradicted(told)
            ? answers
                + ", and the signatures of its deliveries are not: their date is not believed; "
                + "look for a proxy between here and stripe.api_base that keeps answers"
            : answers
                + ", and are believed: missed events and statements are asked for by that time; "
                + "compare this machine's clock with a time server"
    }
}
