import Testing

@testable import Appliance
@testable import Vocabulary

@Suite("The bank's side of a payout in words")
struct BankSideWordsTests {
    private static let day: Int64 = 86_400

    private func side(
        _ state: BankSide.State, late: Int64 = 0, told: Int64? = 20, booked: Int64? = nil
    ) throws -> BankSide {
        func moment(_ day: Int64) -> Instant { Instant(seconds: day * Self.day) }
        let entry = booked.map {
            BankSide.Entry(
                day: moment(9), amount: MinorUnits($0), text: "STRIPE", statement: 3, name: "S1 7",
                account: "DE02", from: moment(8), to: moment(20), file: "a.xml",
                importedAt: moment(21))
        }
        return BankSide(
            state: state, currency: try #require(Currency("eur")), sent: MinorUnits(1_000),
            due: moment(4), lateDays: late, toldUntil: told.map(moment), entry: entry, former: [])
    }

    @Test("whether it arrived, and when; or since when it is missing")
    func sentences() throws {
        #expect(
            try side(.arrived, booked: 1_000).sentence == "arrived on 1970-01-10, 10.00 eur")
        #expect(
            try side(.arrived, late: 5, booked: 1_000).sentence
                == "arrived on 1970-01-10, 10.00 eur, 5 days after it was due")
        #expect(
            try side(.different, booked: 985).sentence
                == "arrived on 1970-01-10, 9.85 eur; 0.15 eur less than was sent, booked as "
                + "charges:bank")
        let missing = try side(.missing, late: 16).sentence
        #expect(missing.hasPrefix("missing since 1970-01-05; not in "))
        #expect(
            try side(.late, late: 6).sentence
                == "late, due on 1970-01-05; not in the statements, which tell up to 1970-01-21")
        #expect(
            try side(.inTransit, told: nil).sentence
                == "not known: no statement of the bank was imported; it was due on 1970-01-05")
        #expect(try side(.inTransit).sentence.hasPrefix("on its way, due on 1970-01-05; "))
        for state in BankSide.State.allCases {
            #expect(try !side(state).sentence.isEmpty)
        }
    }

    @Test("an entry is told with the statement and the file that it came in")
    func places() throws {
        let side = try side(.arrived, booked: 1_000)
        let entry = try #require(side.entry)
        #expect(
            side.place(of: entry)
                == "statement S1 7 of DE02, 1970-01-09 to 1970-01-21, number 3, imported on "
                + "1970-01-22 from a.xml: STRIPE")
    }
}
