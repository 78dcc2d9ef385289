import AppendLog
import Testing

@testable import Appliance
@testable import Vocabulary

@Suite("Cases of money, through Validate, Score and Ledger")
struct MoneyCasesTests {
    @Test("the cases are found, the given ones and those of each kind beside them")
    func found() { #expect(MoneyCase.all.count >= 75) }

    @Test(
        "each case ends with the right balances in every order, and doubled",
        arguments: MoneyCase.all)
    func ends(example: MoneyCase) throws {
        var endings: Set<MoneyEnding> = []
        for (number, order) in example.orders.enumerated() {
            for deliveries in [order, order + order, order.flatMap { [$0, $0] }] {
                var pipeline = try MoneyPipeline()
                for place in deliveries { try pipeline.take(example.events[place]) }
                let ending = try MoneyEnding(pipeline)
                endings.insert(ending)
                for (account, amount) in example.expected {
                    #expect(
                        ending.balances[account, default: 0] == amount,
                        "\(account) of \(example.name) in the order \(deliveries)")
                }
                #expect(ending.waiting == example.waiting.sorted(), "order \(deliveries)")
                if example.name != "external_tillbox_event" {
                    #expect(ending.letters == Set(example.letters), "order \(deliveries)")
                }
                if number == 0 { #expect(try pipeline.ledger.verify().fault == nil) }
                // Above three events, once with each event twice is enough of that.
                if number > 6 { break }
            }
        }
        // Which of two tellings that conflict comes second is a matter of order.
        if example.letters != ["movement_conflicts"] { #expect(endings.count == 1) }
    }

    @Test(
        "a dead letter of a conflict carries both tellings, whichever came first",
        arguments: [[0, 1], [1, 0]])
    func conflictDetail(order: [Int]) throws {
        let example = try #require(MoneyCase.all.first { $0.name == "conflict_of_currencies" })
        var pipeline = try MoneyPipeline()
        for place in order { try pipeline.take(example.events[place]) }
        let letter = try #require(pipeline.letters.first)
        #expect(letter.reason == "movement_conflicts")
        for part in [
            "charge:ch_cc", "1000 eur", "1000 usd", "processor:stripe", "booked", "expected",
        ] {
            #expect(letter.detail.contains(part), "\(letter.detail)")
        }
        #expect(letter.detail.split(separator: " ").filter { $0.contains("evt_case") }.count == 2)
    }

    @Test("refusals say what was told and what was expected")
    func details() throws {
        for (name, parts) in [
            ("payment_of_zero", ["charge:ch_zero", " 0 usd", "expected"]),
            ("amount_that_fills_64_bits", ["charge ch_big", "amount=9223372036854775807", "10^15"]),
            ("external_tillbox_event", ["txn_forged", "tillbox"]),
        ] {
            let example = try #require(MoneyCase.all.first { $0.name == name })
            var pipeline = try MoneyPipeline()
            for event in example.events { try pipeline.take(event) }
            let letter = try #require(pipeline.letters.first)
            for part in parts { #expect(letter.detail.contains(part), "\(letter.detail)") }
        }
    }

    @Test("a forged event of our own type is a dead letter; from reconciliation it is booked")
    func reserved() throws {
        let example = try #require(MoneyCase.all.first { $0.name == "external_tillbox_event" })
        for (endpoint, reasons) in [
            ("", ["reserved_type"]), ("backfill", ["reserved_type"]),
            ("redrive", ["reserved_type"]),
            ("reconcile", []),
        ] {
            var pipeline = try MoneyPipeline()
            try pipeline.take(example.events[0], endpoint: endpoint)
            #expect(pipeline.letters.map(\.reason) == reasons)
            let held = try pipeline.ledger.standing()["processor:stripe usd"]
            #expect(held == (reasons.isEmpty ? 777 : nil))
        }
    }

    @Test("counters tell by API version and by type what came, was ignored and was refused")
    func shapes() throws {
        var pipeline = try MoneyPipeline()
        for example in MoneyCase.all where example.name.hasPrefix("legacy_transfer") {
            for event in example.events { try pipeline.take(event) }
        }
        let shapes = pipeline.counters.shapes
        #expect(shapes.byVersion["2016-07-06"]?.events == 7)
        #expect(shapes.byType["transfer.created"]?.events == 3)
        #expect(shapes.byType["transfer.created"]?.refused == 0)
    }

    @Test("labels of counters are bounded, whatever a sender writes")
    func boundedLabels() {
        let counters = ShapeCounters()
        for number in 0..<1000 {
            let version = "20\(number % 90 + 10)-01-0\(number % 9)"
            counters.add([
                (EventShape(apiVersion: version, type: "a.b\(number)"), .ignored),
                (EventShape(apiVersion: "'; DROP", type: "<script>"), .refused),
                (EventShape(), .understood),
            ])
        }
        #expect(counters.byVersion.count <= ShapeCounters.labelsMax + 1)
        #expect(counters.byType.count <= ShapeCounters.labelsMax + 1)
        #expect(counters.byVersion.values.reduce(0) { $0 + $1.events } == 3000)
        #expect(counters.byType["other"].map { $0.refused } == 1000)
    }
}

@Suite("What waits in the ledger")
struct WaitingTests {
    private func refund(
        _ id: String, _ kind: PaymentKind = .refundNoted, amount: Int64 = 250,
        said: NotedRefund = .told,
        at: Int64 = 100, event: String? = nil
    ) -> LedgerInput {
        let key = kind == .refundNoted ? "refund:\(id)" : "refunds_told:\(id)"
        var told = Given.event(
            kind, id, amount: amount, related: "ch_1", at: at, movement: key,
            id: event ?? "evt_\(id)_\(said)_\(kind)")
        told.outcome = said.rawValue
        return Given.scored(told)
    }

    @Test("is listed with its charge, amount, event and age, the oldest first, and counted")
    func listed() throws {
        let ledger = try SQLiteLedger.inMemory()
        let outcome = try ledger.post([
            refund("re_2", at: 300), refund("re_1", at: 200),
            refund("re_2", at: 250, event: "evt_early"),
        ])
        #expect(outcome.inputs == [.nothingToBook, .nothingToBook, .nothingToBook])
        #expect(outcome.waiting == 2)
        let waiting = try ledger.waiting()
        #expect(waiting.map(\.key.rawValue) == ["refund:re_1", "refund:re_2"])
        #expect(waiting.map(\.charge) == ["ch_1", "ch_1"])
        #expect(waiting.map(\.since.seconds) == [200, 250])
        #expect(waiting[1].eventID == EventID("evt_early"))
        #expect(try ledger.balances().isEmpty)
        #expect(try ledger.post([Given.payment("ch_9")]).waiting == nil)
        #expect(try ledger.verify().fault == nil)
    }

    @Test("ends when the refund is booked, when it failed, and when it is said to be released")
    func ends() throws {
        let ledger = try SQLiteLedger.inMemory()
        _ = try ledger.post([
            refund("re_1"), refund("re_2"), refund("re_3"),
            refund("ch_1", .refundsTold, amount: 1000),
        ])
        #expect(try ledger.waitingCount() == 4)
        let booked = Given.scored(Given.event(.refund, "re_1", amount: 250, related: "ch_1"))
        #expect(try ledger.post([booked]).waiting == 3)
        #expect(try ledger.post([refund("re_2", said: .failed)]).waiting == 2)
        #expect(try ledger.post([refund("re_3", said: .released)]).waiting == 1)
        let told = refund("ch_1", .refundsTold, amount: 1000, said: .released)
        #expect(try ledger.post([told]).waiting == 0)
        #expect(try ledger.waiting().isEmpty)
        #expect(try ledger.verify().fault == nil)
        // A transaction books the refund all the same.
        let late = Given.scored(Given.event(.refund, "re_3", amount: 250, related: "ch_1"))
        #expect(try ledger.post([late]).inputs == [.booked(count: 1)])
        #expect(try ledger.standing()["processor:stripe usd"] == -500)
        #expect(try ledger.verify().fault == nil)
    }

    @Test("an event of reconciliation's own ends the waiting of a refund and of a charge's sum")
    func released() throws {
        let refund: TestJSON = [
            "id": "re_1", "object": "refund", "amount": 250, "currency": "usd", "charge": "ch_1",
            "status": "succeeded", "balance_transaction": nil,
        ]
        let charge: TestJSON = [
            "id": "ch_2", "object": "charge", "amount": 900, "amount_refunded": 300,
            "currency": "usd", "captured": true,
        ]
        var pipeline = try MoneyPipeline()
        try pipeline.take(StripeExample.event("refund.created", refund, id: "evt_a").bytes)
        try pipeline.take(StripeExample.event("charge.refunded", charge, id: "evt_b").bytes)
        #expect(
            try pipeline.ledger.waiting().map(\.key.rawValue) == [
                "refund:re_1", "refunds_told:ch_2",
            ])
        for object in [refund, charge] {
            guard case .string(let id) = object["id"] else { continue }
            let event = StripeExample.event(
                ReconciledRecord.releasedType, object,
                id: ReconciledRecord.releasedEventID(of: id).rawValue)
            try pipeline.take(event.bytes, endpoint: "reconcile")
        }
        #expect(try pipeline.ledger.waiting().isEmpty)
        #expect(pipeline.letters.isEmpty)
        #expect(try pipeline.ledger.balances().isEmpty)
    }

    @Test("what was told survives a restart, and the refund that comes then ends it")
    func restart() throws {
        let folder = try LedgerFolder()
        let first = try folder.open()
        _ = try first.post([refund("re_1")])
        try first.close()
        let second = try folder.open()
        #expect(try second.waitingCount() == 1)
        let booked = Given.scored(Given.event(.refund, "re_1", amount: 250, related: "ch_1"))
        #expect(try second.post([booked]).waiting == 0)
        #expect(try second.verify().fault == nil)
    }
}
