import AppendLog
import Testing
import TwinSupport

@testable import Appliance
@testable import Vocabulary

@Suite("Card numbers in free text")
struct CardNumberTests {
    @Test(
        "are masked but for their last four digits",
        arguments: [
            ("4242424242424242", "************4242"),
            ("4242 4242 4242 4242", "**** **** **** 4242"),
            ("4242-4242-4242-4242", "****-****-****-4242"),
            ("378282246310005", "***********0005"),
            ("4222222222222", "*********2222"),
            ("6304000000000000000", "***************0000"),
            ("card:4242424242424242!", "card:************4242!"),
            ("x4242424242424242y", "x************4242y"),
            ("555 4242424242424242", "555 ************4242"),
            ("4242424242424242 12", "************4242 12"),
            ("4242424242424242,5555555555554444", "************4242,************4444"),
            ("é 4242424242424242", "é ************4242"),
        ])
    func masked(text: String, expected: String) {
        #expect(CardNumber.masked(in: text) == expected)
    }

    @Test(
        "other numbers are left alone",
        arguments: [
            "", "device-17", "4242424242424241", "424242424242", "42424242424242424242",
            "4242  4242  4242  4242", "2024-01-01T00:00:00", "1.2.3.4.5.6.7.8.9.10.11.12.13",
        ])
    func leftAlone(text: String) {
        #expect(CardNumber.masked(in: text) == nil)
    }

    @Test("what is masked holds no card number any more")
    func nothingLeft() throws {
        var random = SeededGenerator(seed: 4)
        let alphabet = Array("0123456789012345678901234567890123456789 -a")
        var maskedCount = 0
        for _ in 0..<20_000 {
            let count = Int.random(in: 0...60, using: &random)
            let text = String(
                (0..<count).map { _ in alphabet.randomElement(using: &random) ?? " " })
            guard let masked = CardNumber.masked(in: text) else { continue }
            maskedCount += 1
            try #require(CardNumber.masked(in: masked) == nil, "\(text)")
            try #require(masked.utf8.count == text.utf8.count)
        }
        #expect(maskedCount > 1000)
    }

    @Test("in an event's free text do not reach the movement, and are counted")
    func inEvents() throws {
        let charge = StripeExample.capturedCharge.with([
            "customer": "4242424242424242", "metadata": ["device_id": "d 4242 4242 4242 4242"],
            "outcome.type": "odd 378282246310005", "description": "4242424242424242",
        ])
        let outcome = validated(StripeExample.event("charge.succeeded", charge))
        guard case .movements(let movements, let masked) = outcome else {
            Issue.record("no movements: \(outcome)")
            return
        }
        let movement = try #require(movements.first)
        #expect(masked == 3)
        #expect(movement.customer == "************4242")
        #expect(movement.device == "d **** **** **** 4242")
        #expect(movement.outcome == "odd ***********0005")
    }

    @Test("Stripe's own ids are not taken for card numbers")
    func stripeIDs() throws {
        let charge = StripeExample.capturedCharge.with(["customer": "cus_4242424242424242"])
        let outcome = validated(StripeExample.event("charge.succeeded", charge))
        #expect(outcome.movements.first?.customer == "cus_4242424242424242")
    }

    @Test("an unknown event type is masked too")
    func eventType() {
        let outcome = validated(StripeExample.event("4242424242424242", [:]))
        #expect(outcome == .ignored(type: "************4242", .typeNotHandled))
    }
}
