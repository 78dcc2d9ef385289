import Testing

@testable import Cloud

@Suite("What a log is told of a trouble")
struct TroubleTaleTests {
    @Test("each kind is told once until it is over, whatever its numbers")
    func once() {
        var tale = TroubleTale()
        #expect(tale.hear(nil) == nil)
        #expect(tale.hear("owed an answer for 12 ms") == .begins("owed an answer for 12 ms"))
        #expect(tale.hear("owed an answer for 950 ms") == nil)
        #expect(tale.hear("wrong password") == .begins("wrong password"))
        #expect(tale.hear("owed an answer for 3 ms") == nil)
        #expect(tale.hear(nil) == .ends)
        #expect(tale.hear(nil) == nil)
        #expect(tale.hear("wrong password") == .begins("wrong password"))
    }
}
