import Testing

@testable import Twin
@testable import Vocabulary

@Suite("Fault orders")
struct FaultOrderTests {
    @Test("a number is a share; an object has a share and a count")
    func reading() throws {
        let order = try FaultOrder(
            Array(
                #"{"loss":0.25,"duplicate":{"share":1,"next":3},"delay_milliseconds":50}"#.utf8))
        #expect(
            order.doses == [.loss: .init(share: 0.25), .duplicate: .init(share: 1, next: 3)])
        #expect(order.delayMilliseconds == 50)
    }

    @Test("what cannot be followed is refused with what to send instead", arguments: [
        ("", FaultOrderRefusal.notAnObject), ("[]", .notAnObject),
        (#"{"lost":1}"#, .unknown(name: "lost")), (#"{"loss":1.5}"#, .share(name: "loss")),
        (#"{"loss":"1"}"#, .share(name: "loss")),
        (#"{"delay":{"next":-1}}"#, .next(name: "delay")),
        (#"{"delay":{"next":1.5}}"#, .next(name: "delay")),
        (#"{"delay_milliseconds":0}"#, .delay),
    ])
    func refusals(body: String, refusal: FaultOrderRefusal) {
        #expect(throws: refusal) { try FaultOrder(Array(body.utf8)) }
        #expect(refusal.sentence.hasSuffix("."))
    }
}
