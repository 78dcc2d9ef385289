import Testing

@testable import Command

@Suite("What archive verify says of faults")
struct ArchiveTextTests {
    @Test("a line each, and of a folder that is away no more than a screen has room for")
    func faults() {
        #expect(ArchiveCommand.Verify.words(["a", "b"]) == "a\nb")
        let ten = (1...10).map(String.init)
        #expect(ArchiveCommand.Verify.words(ten) == ten.joined(separator: "\n"))
        let told = ArchiveCommand.Verify.words(ten + ["11", "12"]).split(separator: "\n")
        #expect(told.count == 11 && told.last == "and 2 more; --json has each")
    }
}
