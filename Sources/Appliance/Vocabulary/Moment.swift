/// A moment that a person or a program names: RFC 3339, a UTC date, or Unix seconds.
///
/// Only days that the calendar has: `2025-02-29` is a slip, and the system's own reader would take
/// it for the first of March.
package struct Moment: Hashable, Sendable {
    /// The moment, or the first second of the day.
    package let start: Instant
    /// The moment, or the last second of the day.
    package let end: Instant

    /// What is no moment, in words that follow the parser's own.
    package struct Refusal: Error, CustomStringConvertible {
        package init() {}

        package var description: String {
            "give a day that the calendar has (2025-03-01), RFC 3339 (2025-03-01T12:00:00Z) "
                + "or Unix seconds"
        }
    }

    /// - Throws: ``Refusal``
    package static func parse(_ argument: String) throws -> Moment {
        guard let moment = Moment(argument) else { throw Refusal() }
        return moment
    }

    package init?(_ argument: String) {
        if let seconds = Int64(argument) {
            guard let moment = Instant(named: seconds) else { return nil }
            start = moment
            end = moment
        } else if argument.utf8.count == 10 {
            guard let day = Self.seconds(ofDay: argument) else { return nil }
            start = Instant(seconds: day)
            end = Instant(seconds: day + 86_399)
        } else {
            guard let seconds = Self.seconds(ofMoment: argument),
                let moment = Instant(named: seconds)
            else { return nil }
            start = moment
            end = moment
        }
    }

    /// `2025-03-01`
    private static func seconds(ofDay text: some StringProtocol) -> Int64? {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.map(\.utf8.count) == [4, 2, 2],
            let year = digits(parts[0]), let month = digits(parts[1]), let day = digits(parts[2]),
            (1970...9999).contains(year), (1...12).contains(month),
            (1...dayCount(of: month, in: year)).contains(day)
        else { return nil }
        let leaps = { (year: Int) in year / 4 - year / 100 + year / 400 }
        var days = (year - 1970) * 365 + leaps(year - 1) - leaps(1969) + day - 1
        for earlier in 1..<month { days += dayCount(of: earlier, in: year) }
        return Int64(days) * 86_400
    }

    private static func dayCount(of month: Int, in year: Int) -> Int {
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        return [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
    }

    /// `2025-03-01T12:00:00Z`, `…T12:00:00.123+01:00`; fractions are cut off.
    private static func seconds(ofMoment text: String) -> Int64? {
        guard text.utf8.count >= 20, let day = seconds(ofDay: text.prefix(10)) else { return nil }
        guard ["T", "t", " "].contains(text.dropFirst(10).prefix(1)) else { return nil }
        var rest = text.dropFirst(11)
        guard let time = clock(rest.prefix(8), hasSeconds: true) else { return nil }
        rest = rest.dropFirst(8)
        if rest.first == "." {
            let fraction = rest.dropFirst().prefix { $0.isASCII && $0.isNumber }
            guard !fraction.isEmpty else { return nil }
            rest = rest.dropFirst(1 + fraction.count)
        }
        let moment = day + time
        if rest == "Z" || rest == "z" { return moment }
        guard let sign = rest.first, sign == "+" || sign == "-",
            let offset = clock(rest.dropFirst(), hasSeconds: false)
        else { return nil }
        return sign == "+" ? moment - offset : moment + offset
    }

    /// Seconds of `12:34:56` or `12:34`.
    private static func clock(_ text: some StringProtocol, hasSeconds: Bool) -> Int64? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        let numbers = parts.compactMap { $0.utf8.count == 2 ? digits($0) : nil }
        guard parts.count == (hasSeconds ? 3 : 2), numbers.count == parts.count,
            numbers[0] < 24, numbers.dropFirst().allSatisfy({ $0 < 60 })
        else { return nil }
        return Int64(numbers[0] * 3600 + numbers[1] * 60 + (hasSeconds ? numbers[2] : 0))
    }

    private static func digits(_ text: some StringProtocol) -> Int? {
        text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            ? Int(text) : nil
    }
}
