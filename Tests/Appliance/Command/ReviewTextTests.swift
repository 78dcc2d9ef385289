import AppendLog
import Testing

@testable import Command
@testable import Vocabulary

@Suite("A review as a person reads it")
struct ReviewTextTests {
    @Test("a reason has its value, its weight and what it means", arguments: [
        (
            VerdictReason.feature(
                name: "failed_attempts_1h", value: 3, contribution: 2.5135488510131836),
            "failed_attempts_1h is 3 (+2.51): 3 failures within an hour"
        ),
        (
            .feature(name: "amount_zscore", value: -4.0625, contribution: -0.125001),
            "amount_zscore is -4.062 (-0.13): amount −4.1 deviations from the usual"
        ),
        (.rule("features_missing"), "features_missing"),
    ])
    func reasons(reason: VerdictReason, expected: String) {
        #expect(reason.line == expected)
    }

    @Test("that there is no dead letter names what was asked for")
    func noLetter() {
        #expect(DeadLetterCommand.none(of: nil) == "there is no dead letter")
        #expect(
            DeadLetterCommand.none(of: "bad_amont", behind: Offset(7))
                == "there is no dead letter of the reason bad_amont behind offset 7")
    }
}
