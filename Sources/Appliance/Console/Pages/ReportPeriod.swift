import HTTPTypes
import Vocabulary

/// The UTC days that a report or a statement is about, both included, as the address names them.
struct ReportPeriod: Hashable {
    /// Counted from 1970-01-01.
    var days: ClosedRange<Int64>

    /// Days of a period that is not named: up to today.
    static let usualDays: Int64 = 30
    /// Days of the longest: three years.
    static let daysMax: Int64 = 1_096

    init(days: ClosedRange<Int64>) { self.days = days }

    /// - Throws: `Problem` for what are no days, or too many.
    init(_ asked: PageRequest, now: Instant) throws(Problem) {
        let to = try Self.day("to", asked) ?? now.utcDay
        let from = try Self.day("from", asked) ?? to - Self.usualDays + 1
        guard from <= to else { throw Problem(.badRequest, "from must not lie behind to") }
        guard to - from < Self.daysMax else {
            throw Problem(
                .badRequest, "a page shows \(Self.daysMax) days at most; the CSV has any period")
        }
        days = from...to
    }

    private static func day(_ name: String, _ asked: PageRequest) throws(Problem) -> Int64? {
        guard let text = asked.query(name) else { return nil }
        guard text.utf8.count == 10, let moment = Moment(text) else {
            throw Problem(.badRequest, "\(name) must be a day such as 2026-03-12")
        }
        return moment.start.utcDay
    }

    var start: Instant { Instant(utcDay: days.lowerBound) }
    var end: Instant { Instant(seconds: (days.upperBound + 1) * 86_400 - 1) }
    var from: String { start.dayText }
    var to: String { end.dayText }
    /// For an address.
    var query: String { "from=\(from)&to=\(to)" }

    var words: String {
        let count = ShownNumber.count(Int64(days.count), "day")
        return "\(ShownMoment(start).day) to \(ShownMoment(end).day), \(count)"
    }
}
