import AppendLog
import Testing

@testable import Appliance
@testable import Console
@testable import Vocabulary

@Suite("What the page of dead letters asks about")
struct LetterRequestTests {
    private static func line(
        _ offset: Int64, _ partition: Int32, _ reason: String, _ state: RedriveState
    ) -> LetterLine {
        LetterLine(
            place: .letter(Offset(offset), partition: partition), at: Timestamp(milliseconds: 1),
            stage: "validate", reason: reason, detail: "", topic: "webhook.received", source: nil,
            sourcePartition: 0, eventID: nil, origin: nil, state: state, again: nil)
    }

    @Test("begins at the first letter of the reason that has not gone back")
    func begins() throws {
        let lines = [
            Self.line(3, 0, "bad_id", .sent), Self.line(9, 0, "bad_amount", .notRedriven),
            Self.line(0, 1, "bad_id", .notRedriven), Self.line(7, 2, "bad_id", .notRedriven),
        ]
        let one = try #require(LogPages.dryRun(of: "bad_id", lines))
        #expect(one.after?.next == lines[2].place)
        #expect(one.isDryRun && one.reason == "bad_id" && one.letters == nil)
        let other = try #require(LogPages.dryRun(of: "bad_amount", lines))
        #expect(other.after?.next == lines[1].place)
        #expect(LogPages.dryRun(of: "bad_id", [lines[0], lines[1]]) == nil)
    }
}
