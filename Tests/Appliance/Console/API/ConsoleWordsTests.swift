import AppendLog
import Foundation
import Testing

@testable import Console
@testable import Reconcile
@testable import Vocabulary

@Suite("What the console's routes read and write")
struct ConsoleWordsTests {
    @Test("amounts are read as people write them", arguments: [
        ("128400", AmountWords.minorUnits(128_400)), ("1,284.00", .thousandths(1_284_000)),
        ("1284.00", .thousandths(1_284_000)), ("1,284", .thousandths(1_284_000)),
        ("0.5", .thousandths(500)), ("12.345", .thousandths(12_345)), ("0", .minorUnits(0)),
    ])
    func amounts(text: String, expected: AmountWords) {
        #expect(AmountWords(text) == expected)
    }

    @Test("what is no amount is refused", arguments: [
        "", ".", "1.", ".5", "-5", "1,28", "12,84.00", ",284", "1.2.3", "1.2345", "1e3", "12 84",
        "99999999999999999", "1,000,000,000,000,001", "٣",
    ])
    func noAmounts(text: String) {
        #expect(AmountWords(text) == nil)
    }

    @Test("thousandths compare amounts of all currencies as they are written", arguments: [
        ("usd", 128_400, 1_284_000), ("jpy", 1_284, 1_284_000), ("kwd", 1_284_000, 1_284_000),
    ])
    func thousandths(code: String, minorUnits: Int64, expected: Int64) throws {
        let currency = try #require(Currency(code))
        #expect(minorUnits.thousandths(in: currency) == expected)
    }

    @Test("a number that names a page is written in one way", arguments: [
        ("1", true), ("4611686018427387903", true), ("01", false), ("+1", false), ("-1", false),
        ("1 ", false), ("٣", false), ("1,000", false), ("", false),
        ("9223372036854775808", false),
    ])
    func names(text: String, isName: Bool) {
        #expect(QueryNumber.row(text).map { "\($0)" } == (isName ? text : nil))
        #expect(QueryNumber.offset(text).map { "\($0)" } == (isName ? text : nil))
        for word in [text, "dry-\(text)"] {
            #expect(RunName(word)?.description == (isName ? word : nil))
        }
    }

    @Test("an offset that a person types may have commas and zeros before it")
    func typed() {
        #expect(QueryNumber.typedOffset("1,284") == Offset(1_284))
        #expect(QueryNumber.typedOffset("007") == Offset(7))
        #expect(QueryNumber.typedOffset("-1") == nil)
        #expect(QueryNumber.typedOffset("7a") == nil)
    }

    @Test("places of a list are read back as they are written", arguments: [
        ("1767225600.42", true), ("-5.1", true), ("1.0", false), ("1", false), ("a.1", false),
        ("1.2.3", false), ("", false),
    ])
    func places(token: String, isPlace: Bool) {
        #expect(PaymentPlace(token)?.token == (isPlace ? token : nil))
    }

    // MARK: Records

    @Test("a filter finds what a field says", arguments: [
        ("data.object.id:ch_1", true), ("data.object.id:ch_2", false), ("livemode:false", true),
        ("created:12", true), ("data.list.1:b", true), ("data.list.2:b", false),
        ("data.none:null", true), ("data.object:x", false), ("key:evt_1", true),
        ("header.event-id:evt_1", true), ("header.event-id:evt", false), ("data.list.-1:a", false),
    ])
    func filter(text: String, isMatch: Bool) throws {
        let value = """
            {"created":12,"livemode":false,"data":{"none":null,"list":["a","b"],\
            "object":{"id":"ch_1"}}}
            """
        let record = Record(
            key: ArraySlice("evt_1".utf8), value: ArraySlice(value.utf8),
            headers: [RecordHeader("event-id", "evt_1")], timestamp: Timestamp(milliseconds: 0))
        let matcher = RecordMatcher(try #require(RecordFilter(text)))
        #expect(matcher.matches(record) == isMatch)
        // What is no JSON matches no field, and is no harm.
        let other = Record(key: nil, value: [0xFF], timestamp: Timestamp(milliseconds: 0))
        #expect(!matcher.matches(other))
    }

    @Test("what is no filter is refused", arguments: ["", "a", ":x", "a..b:x", ".a:x", "a.:x"])
    func noFilter(text: String) {
        #expect(RecordFilter(text) == nil)
    }

    // MARK: Reports

    @Test("a report's line is what its day came to")
    func report() {
        func sum(_ day: Int64, _ word: String, _ count: Int64, _ amount: Int64) -> DaySum {
            DaySum(day: day, currency: "usd", word: word, count: count, amount: amount)
        }
        let sums = [
            sum(20_000, "booked:dispute_withdrawn", 1, 500),
            sum(20_000, "booked:payment", 4, 9_000),
            sum(20_000, "booked:refund", 2, 1_000), sum(20_000, "fees", 3, 300),
            sum(20_001, "booked:payment", 1, 100),
        ]
        let lines = DayReport.revenue.lines(of: sums)
        #expect(lines.map(\.day) == ["2024-10-04", "2024-10-05"])
        #expect(
            lines[0].values.map(\.value) == [
                .count(4), .amount(9_000), .amount(1_000), .amount(500), .amount(0), .amount(300),
                .amount(7_200),
            ])
        #expect(lines[1].values.last?.value == .amount(100))
        let verdicts = DayReport.verdicts.lines(of: [
            sum(20_000, "verdict:approve", 3, 0), sum(20_000, "verdict:manual_review", 1, 0),
        ])
        #expect(verdicts[0].values.suffix(2).map(\.value) == [.rate(0.75), .rate(0.25)])
        for report in DayReport.allCases {
            // A day's line has every column, whatever happened on it.
            #expect(report.lines(of: sums)[0].values.map(\.name) == report.columns)
            #expect(!report.words.isEmpty && Set(report.columns).count == report.columns.count)
        }
    }

    // MARK: Methods

    @Test("a path's methods are told by its routes", arguments: [
        ("/api/v1/reviews/charge:ch_1", ["GET"]), ("/api/v1/reviews/a/decision", ["POST"]),
        ("/api/v1/nothing", []), ("/api/v1/reviews", []), ("/", []),
    ])
    func methods(path: String, expected: [String]) {
        let rules = [
            AdminRoutes.Rule(method: "GET", path: "/api/v1/reviews/:id", needs: .viewer),
            AdminRoutes.Rule(method: "POST", path: "/api/v1/reviews/:id/decision", needs: .admin),
        ]
        #expect(rules.methods(at: path) == expected)
    }
}
