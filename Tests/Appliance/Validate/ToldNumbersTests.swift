import Testing
import TwinSupport

@testable import Appliance
@testable import Vocabulary

@Suite("Where an event's amounts stand in its bytes")
struct ToldNumbersTests {
    @Test("every amount that can be booked is shown by its own digits", arguments: MoneyCase.all)
    func cases(example: MoneyCase) throws {
        let told = ToldNumbers()
        for event in example.events {
            for movement in told.movements(in: event[...])
            where PostingKind(movement.event.kind) != nil {
                let name = "\(example.name): \(movement.event.movement)"
                #expect(!movement.amount.isEmpty, "\(name)")
                let amount = try Self.sum(movement.amount, in: event)
                #expect(amount.magnitude == movement.event.amount.rawValue.magnitude, "\(name)")
                guard movement.event.kind != .fee, movement.event.fee != .zero else { continue }
                #expect(try Self.sum(movement.fee, in: event) == movement.event.fee.rawValue)
            }
        }
    }

    /// What the bytes say, read again from the ranges alone.
    private static func sum(_ numbers: [ToldNumber], in event: [UInt8]) throws -> Int64 {
        try numbers.reduce(0) { sum, number in
            let digits = String(decoding: event[number.range], as: UTF8.self)
            let value = try #require(Int64(digits), "\(number)")
            #expect(value == number.value)
            return sum + (number.isSubtracted ? -value : value)
        }
    }

    private func paths(_ name: String, _ event: Int, _ key: String) throws -> [String] {
        let example = try #require(MoneyCase.all.first { $0.name == name })
        let movements = ToldNumbers().movements(in: example.events[event][...])
        let found = try #require(movements.first { $0.event.movement.rawValue == key })
        return (found.amount + found.fee).map(\.path)
    }

    @Test("each kind of event is read where the validator reads it", arguments: [
        ("captured_old_api_after_refund", 0, "charge:ch_co",
            ["data.object.amount", "data.object.amount_refunded"]),
        ("dispute_several", 1, "dispute:txn_s3", [
            "data.object.balance_transactions[1].amount",
            "data.object.balance_transactions[1].fee",
        ]),
        ("dispute_several", 2, "dispute:txn_s2", [
            "data.object.balance_transactions[1].amount",
            "data.object.balance_transactions[1].fee",
        ]),
    ] as [(String, Int, String, [String])])
    func places(name: String, event: Int, key: String, expected: [String]) throws {
        #expect(try paths(name, event, key) == expected)
    }

    @Test("a charge's number is what was captured, an intent's what was received")
    func payments() throws {
        let told = ToldNumbers()
        let charge = StripeExample.event("charge.succeeded", StripeExample.capturedCharge).bytes
        let captured = try #require(told.movements(in: charge[...]).first)
        #expect(captured.amount.map(\.path) == ["data.object.amount_captured"])
        let intent: TestJSON = [
            "id": "pi_1", "object": "payment_intent", "amount": 900, "amount_received": 700,
            "currency": "usd", "latest_charge": "ch_9", "status": "succeeded",
        ]
        let event = StripeExample.event("payment_intent.succeeded", intent).bytes
        let received = try #require(told.movements(in: event[...]).first)
        #expect(received.amount.map(\.path) == ["data.object.amount_received"])
        #expect(received.amount.map(\.value) == [700])
    }

    @Test("a refund in a charge's list is found among its neighbours, as in the list's own order")
    func refunds() throws {
        func refund(_ id: String, _ amount: Int64) -> TestJSON {
            [
                "id": .string(id), "object": "refund", "amount": .int(amount), "currency": "usd",
                "charge": "ch_1", "status": "succeeded", "balance_transaction": "txn_\(id)",
            ]
        }
        let charge: TestJSON = [
            "id": "ch_1", "object": "charge", "amount": 900, "amount_captured": 900,
            "amount_refunded": 300, "captured": true, "currency": "usd",
            "refunds": ["object": "list", "data": [refund("re_b", 200), refund("re_a", 100)]],
        ]
        let event = StripeExample.event("charge.refunded", charge).bytes
        let movements = ToldNumbers().movements(in: event[...])
        let paths = movements.map { "\($0.event.movement) \($0.amount.map(\.path))" }
        #expect(
            paths == [
                #"refund:re_b ["data.object.refunds.data[0].amount"]"#,
                #"refund:re_a ["data.object.refunds.data[1].amount"]"#,
            ])
    }

    @Test("what is no event tells nothing", arguments: ["", "{}", "[1]", "{\"id\":\"evt_1\"}"])
    func nothing(body: String) {
        #expect(ToldNumbers().movements(in: Array(body.utf8)[...]).isEmpty)
    }
}
