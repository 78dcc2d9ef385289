import Vocabulary

/// What a wrong clock has written is told by its lying in the future (reliability.md): a run or a
/// sweep that "was done" then is passed over, or nothing would be due until that day comes.
///
///     real      ├──────── sweeps ────────┤ clock 40 days ahead ├──── sweeps must go on ────▶
///     written   │ …, 11:00, 12:00        │ 40 days later        │ 13:00, …
///                                  ▲ from here on events are looked for again
enum ClockJumps {
    /// Clocks that are set right by less than this have written nothing that matters.
    static let toleranceSeconds: Int64 = 3600

    /// The latest moment that a clock which is right can have written before `now`.
    static func latest(at now: Instant) -> Instant {
        Instant(seconds: now.seconds + toleranceSeconds)
    }
}
