import Dispatch
import Synchronization

/// An answer that is given once: by whoever has it first, the work or the clock.
///
/// The clock is no task, so that it strikes also where every thread of the cooperative pool is
/// held up. The work goes on behind it, and what it comes to is told to the next delivery of the
/// same event.
final class TimedAnswer<Value: Sendable>: Sendable {
    private let completion: Mutex<(@Sendable (Value) -> Void)?>

    /// - Parameters:
    ///   - late: what is answered when `patience` is over.
    ///   - completion: called once, on the thread of who answers: be quick there.
    init(
        within patience: Duration, orElse late: Value,
        _ completion: @escaping @Sendable (Value) -> Void
    ) {
        self.completion = Mutex(completion)
        let milliseconds = Int(patience / .milliseconds(1))
        answerClock.asyncAfter(deadline: .now() + .milliseconds(milliseconds)) { [self] in
            give(late)
        }
    }

    /// The first of several answers counts.
    func give(_ value: Value) {
        let completion = completion.withLock { completion in
            defer { completion = nil }
            return completion
        }
        completion?(value)
    }
}

private let answerClock = DispatchQueue(label: "tillbox.answers")
