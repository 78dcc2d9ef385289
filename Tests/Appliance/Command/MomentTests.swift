import AppendLog
import Testing

@testable import Appliance
@testable import Command
@testable import Vocabulary

@Suite("Moments on the command line")
struct MomentTests {
    @Test("days, moments and Unix seconds are read", arguments: [
        ("2025-03-01", 1_740_787_200, 1_740_873_599), ("2024-02-29", 1_709_164_800, 1_709_251_199),
        ("2000-02-29", 951_782_400, 951_868_799), ("1970-01-01", 0, 86_399),
        ("2025-03-01T12:00:00Z", 1_740_830_400, 1_740_830_400),
        ("2025-03-01T12:00:00.999Z", 1_740_830_400, 1_740_830_400),
        ("2025-03-01t12:00:00z", 1_740_830_400, 1_740_830_400),
        ("2025-03-01T12:00:00+01:00", 1_740_826_800, 1_740_826_800),
        ("2025-03-01T12:00:00-05:30", 1_740_850_200, 1_740_850_200),
        ("1740830400", 1_740_830_400, 1_740_830_400), ("0", 0, 0),
    ] as [(String, Int64, Int64)])
    func read(text: String, start: Int64, end: Int64) {
        let moment = Moment(text)
        #expect(moment?.start.seconds == start)
        #expect(moment?.end.seconds == end)
    }

    @Test("what no calendar has is refused", arguments: [
        "2025-02-29", "1900-02-29", "2100-02-29", "2025-04-31", "2025-13-01", "2025-00-10",
        "2025-01-00", "2025-01-32", "2025-1-1", "25-01-01", "2025-02-29T12:00:00Z",
        "2025-03-01T24:00:00Z", "2025-03-01T12:60:00Z", "2025-03-01T12:00:60Z",
        "2025-03-01T12:00:00", "2025-03-01T12:00", "2025-03-01T12:00:00.Z",
        "2025-03-01T12:00:00+25:00", "2025-03-01T12:00:00Zjunk", "yesterday", "", "-1",
        "9223372036854775807", "99999999999999999999", "2025-03-0١", "1969-12-31",
        "+025-03-01",
    ])
    func refused(text: String) {
        #expect(Moment(text) == nil)
    }

    @Test("every day of four centuries is its own, one after another")
    func everyDay() {
        var expected: Int64 = 0
        for year in 1970..<2370 {
            for month in 1...12 {
                for day in 1...31 {
                    func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
                    guard let moment = Moment("\(year)-\(two(month))-\(two(day))") else { continue }
                    #expect(moment.start.seconds == expected)
                    expected = moment.end.seconds + 1
                }
            }
        }
        // 400 years of the Gregorian calendar have 146,097 days.
        #expect(expected == 146_097 * 86_400)
    }

    @Test("a record's time is its stamp to the millisecond")
    func stamps() {
        #expect(Timestamp(milliseconds: 1_795_655_838_635).rfc3339 == "2026-11-26T01:17:18.635Z")
        #expect(Timestamp(milliseconds: -1).rfc3339 == "1969-12-31T23:59:59.999Z")
        for part in 0..<1000 {
            let text = Timestamp(milliseconds: 1_795_655_838_000 + Int64(part)).rfc3339
            #expect(text.dropFirst(20).dropLast() == String("00\(part)".suffix(3)), "\(text)")
        }
    }
}
