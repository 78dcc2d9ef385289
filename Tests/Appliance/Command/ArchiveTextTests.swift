import Reconcile
import Testing

@testable import Command
@testable import Daemon
@testable import Vocabulary

@Suite("What archive verify says of faults")
struct ArchiveTextTests {
    @Test("with the fewest months kept, what goes is older than all that Stripe still tells of")
    func youngest() throws {
        // As far back as Stripe lists events, and a day for clocks that differ.
        let listed: Int64 = 31 * 86_400
        var ages: [Int: [Int64]] = [:]
        for year in 2024...2032 {
            for month in 1...12 {
                let name = "\(year)-\(month < 10 ? "0" : "")\(month)"
                let now = try #require(CalendarMonth(name)).from
                for kept in [Settings.keptMonthsMin - 1, Settings.keptMonthsMin] {
                    let cutoff = CalendarMonth.start(of: now, back: kept)
                    ages[kept, default: []].append(now.seconds - cutoff.seconds)
                }
            }
        }
        let least = try #require(ages[Settings.keptMonthsMin]?.min())
        #expect(least >= listed && least == 59 * 86_400)
        let fewer = try #require(ages[Settings.keptMonthsMin - 1]?.min())
        #expect(fewer == 28 * 86_400)
    }

    @Test("a line each, and of a folder that is away no more than a screen has room for")
    func faults() {
        #expect(ArchiveCommand.Verify.words(["a", "b"]) == "a\nb")
        let ten = (1...10).map(String.init)
        #expect(ArchiveCommand.Verify.words(ten) == ten.joined(separator: "\n"))
        let told = ArchiveCommand.Verify.words(ten + ["11", "12"]).split(separator: "\n")
        #expect(told.count == 11 && told.last == "and 2 more; --json has each")
    }
}
