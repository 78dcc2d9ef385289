package import Vocabulary

/// Moments and days as the files have them. The proleptic Gregorian calendar by whole numbers
/// (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days): a formatter of the
/// system's takes longer than the rest of a row.
package enum UTCText {
    static let daySeconds: Int64 = 86_400

    /// The UTC day of a moment, counted from 1970-01-01.
    package static func day(of instant: Instant) -> Int64 {
        let (days, rest) = instant.seconds.quotientAndRemainder(dividingBy: daySeconds)
        return rest < 0 ? days - 1 : days
    }

    package static func start(ofDay day: Int64) -> Instant { Instant(seconds: day * daySeconds) }

    /// `2026-11-26`; years beyond 9999 have more digits.
    package static func day(_ day: Int64) -> String {
        let (year, month, date) = civil(day)
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(date, 2))"
    }

    /// The day that ``day(_:)`` wrote; nil for any other text.
    package static func day(named text: some StringProtocol) -> Int64? {
        guard text.utf8.count == 10, let moment = Moment(String(text)) else { return nil }
        return Self.day(of: moment.start)
    }

    /// `2026-11-26T09:30:00Z`
    package static func second(_ instant: Instant) -> String { clock(instant) + "Z" }

    /// `2026-11-26T09:30:00.123Z`
    package static func millisecond(_ milliseconds: Int64) -> String {
        let part = ((milliseconds % 1000) + 1000) % 1000
        return clock(Instant(seconds: (milliseconds - part) / 1000)) + ".\(padded(part, 3))Z"
    }

    private static func clock(_ instant: Instant) -> String {
        let day = day(of: instant)
        let rest = instant.seconds - day * daySeconds
        return Self.day(day) + "T\(padded(rest / 3600, 2)):\(padded(rest / 60 % 60, 2)):"
            + padded(rest % 60, 2)
    }

    private static func civil(_ day: Int64) -> (year: Int64, month: Int64, date: Int64) {
        let shifted = day + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let ofEra = shifted - era * 146_097
        let yearOfEra = (ofEra - ofEra / 1460 + ofEra / 36_524 - ofEra / 146_096) / 365
        let ofYear = ofEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * ofYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, ofYear - (153 * shiftedMonth + 2) / 5 + 1)
    }

    private static func padded(_ number: Int64, _ digits: Int) -> String {
        let text = String(number)
        return text.utf8.count < digits
            ? String(repeating: "0", count: digits - text.utf8.count) + text : text
    }
}
