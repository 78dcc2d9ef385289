import TestSupport
import Testing

@testable import Appliance
@testable import Reconcile
@testable import Vocabulary

private let start = ReconcileFixture.start
private let day = ReconcileFixture.day

/// Movements that several lines of the statement settle together.
@Suite("Several lines for one movement")
struct SeveralLinesTests {
    @Test(
        "the sum of the lines counts; what comes after it is full is a duplicate",
        arguments: [
            (lines: [300, 700], held: 1_000, expected: [0, 0]),
            (lines: [1_000, 1_000], held: 1_000, expected: [0, 4]),
            (lines: [300, 700, 700], held: 1_000, expected: [0, 0, 4]),
            (lines: [300, 600], held: 1_000, expected: [2, 2]),
            (lines: [300, 700], held: 300, expected: [2, 2]),
            (lines: [1_000, -600], held: 400, expected: [0, 0]),
            (lines: [-1_000, 1_000], held: 0, expected: [0, 0]),
        ] as [(lines: [Int64], held: Int64, expected: [Int64])])
    func group(lines: [Int64], held: Int64, expected: [Int64]) {
        let group = lines.enumerated().map { index, amount in
            LineGroup.Line(
                created: Int64(index), id: "txn_\(index)", amount: MinorUnits(amount),
                finding: .none)
        }
        #expect(
            LineGroup.findings(of: group, held: MinorUnits(held)).map(\.rawValue) == expected)
    }

    /// A charge that was captured in parts, each part with a line and an event.
    private static func capture(_ stripe: FakeStripe, _ parts: [Int64]) {
        var total: Int64 = 0
        for (index, part) in parts.enumerated() {
            let at = start + Int64(index) * day
            total += part
            let captured = total
            stripe.change { state in
                state.lines.append(
                    FakeStripe.Line(
                        id: "txn_c\(index)", type: "charge", source: "ch_m", amount: part, fee: 10,
                        created: at))
                state.events.append(
                    FakeStripe.Event(
                        id: "evt_c\(index)", type: "charge.captured", created: at,
                        object: """
                            {"id": "ch_m", "object": "charge", "amount": 1000,
                             "amount_captured": \(captured), "captured": true, "currency": "usd",
                             "customer": "cus_1", "status": "succeeded",
                             "balance_transaction": "txn_c\(index)"}
                            """))
            }
        }
    }

    @Test("a charge captured in three parts is settled by three lines, in one run or in three")
    func multicapture() async throws {
        let fixture = try ReconcileFixture()
        Self.capture(fixture.stripe, [300, 500, 200])
        try await fixture.running {
            try await fixture.deliver()
            let report = try await fixture.reconcile()
            #expect(try fixture.found(report) == [])
            #expect(report.isClean, "\(report)")
            #expect(report.currencies.map(\.matched) == [3])
            #expect(try fixture.processor() == ["usd": 970])
            let last = try await fixture.reconcile(from: start + day + 1)
            #expect(last.isClean, "\(last)")
            #expect(last.currencies.map(\.matched) == [1])
        }
    }

    @Test("a part that the ledger was not told of is one break, of the sum")
    func partMissing() async throws {
        let fixture = try ReconcileFixture()
        Self.capture(fixture.stripe, [300, 700])
        try await fixture.running {
            try await fixture.deliver(lost: ["evt_c1"])
            let report = try await fixture.reconcile()
            #expect(try fixture.found(report) == ["amount_mismatch txn_c0"])
            #expect(report.currencies.map(\.unexplained) == [0], "\(report.currencies)")
            #expect(report.currencies.map(\.share) == [0])
            try await fixture.deliver()
            let after = try await fixture.reconcile(from: start + 5 * day)
            #expect(after.isClean, "\(after)")
        }
    }

    @Test("a part of which the period's end leaves the rest out explains itself")
    func tail() async throws {
        let fixture = try ReconcileFixture()
        Self.capture(fixture.stripe, [300, 700])
        try await fixture.running {
            try await fixture.deliver()
            let report = try await fixture.reconcile(to: start + day)
            #expect(report.currencies.map(\.ledger) == [990])
            #expect(report.currencies.map(\.unexplained) == [0], "\(report.currencies)")
            _ = try await fixture.reconcile()
            let again = try await fixture.reconcile(to: start + day)
            #expect(again.currencies.map(\.unexplained) == [0], "\(again.currencies)")
        }
    }

    @Test("a capture of a part that is listed as the whole and a refund of the rest agrees")
    func releaseAsRefund() async throws {
        let fixture = try ReconcileFixture()
        let stripe = fixture.stripe
        stripe.charge("part", 400, at: start, authorized: 1_000)
        stripe.change { state in
            state.lines[0].amount = 1_000
            state.lines.append(
                FakeStripe.Line(
                    id: "txn_rel", type: "refund", source: "re_rel", amount: -600, created: start,
                    sourceObject: """
                        {"id": "re_rel", "object": "refund", "amount": 600, "currency": "usd",
                         "status": "succeeded", "charge": "ch_part",
                         "balance_transaction": "txn_rel"}
                        """))
        }
        try await expectClean(fixture, holding: ["usd": 400])
    }

    @Test("a failed payment whose line names the refund that Stripe made of it is taken back once")
    func failureByRefund() async throws {
        let fixture = try ReconcileFixture()
        fixture.stripe.charge("1", 5_000, at: start)
        fixture.stripe.change {
            $0.lines.append(
                FakeStripe.Line(
                    id: "txn_undo", type: "payment_failure_refund", source: "pyr_1", amount: -5_000,
                    created: start + day,
                    sourceObject: """
                        {"id": "pyr_1", "object": "refund", "amount": 5000, "currency": "usd",
                         "charge": "ch_1", "balance_transaction": "txn_undo"}
                        """))
        }
        try await expectClean(fixture, holding: [:])
    }

    @Test("payouts below zero, and one that is taken back, agree")
    func payouts() async throws {
        let fixture = try ReconcileFixture()
        let stripe = fixture.stripe
        stripe.payout("debit", -700, at: start)
        stripe.payout("out", 500, at: start)
        stripe.payout("back", -500, at: start + day)
        try await fixture.running {
            try await fixture.deliver()
            let report = try await fixture.reconcile()
            #expect(try fixture.found(report) == [])
            #expect(report.currencies.map(\.unexplained) == [0], "\(report)")
            #expect(try fixture.processor() == ["usd": 700])
        }
    }

    /// A run, and the same once more, finds nothing to complain of.
    private func expectClean(
        _ fixture: ReconcileFixture, holding held: [String: Int64]
    ) async throws {
        try await fixture.running {
            try await fixture.deliver()
            for _ in 0..<2 {
                let report = try await fixture.reconcile()
                #expect(try fixture.found(report) == [])
                #expect(report.isClean, "\(report)")
                #expect(try fixture.processor() == held)
            }
        }
    }
}

/// Captures in parts that Stripe converts, each by itself.
@Suite("Several converted lines for one movement")
struct SeveralConvertedLinesTests {
    /// A charge in euros, captured in parts, each with a line in dollars and an event.
    ///
    /// - Parameter parts: what is captured in cents, and what comes of it.
    private static func capture(
        _ stripe: FakeStripe, _ parts: [(euro: Int64, dollar: Int64, rate: Double)]
    ) {
        var total: Int64 = 0
        for (index, part) in parts.enumerated() {
            let at = start + Int64(index) * day
            total += part.euro
            let captured = total
            stripe.change { state in
                state.lines.append(
                    FakeStripe.Line(
                        id: "txn_c\(index)", type: "charge", source: "ch_m", amount: part.dollar,
                        fee: 10, created: at, exchangeRate: part.rate))
                state.events.append(
                    FakeStripe.Event(
                        id: "evt_c\(index)", type: "charge.captured", created: at,
                        object: """
                            {"id": "ch_m", "object": "charge", "amount": 1000,
                             "amount_captured": \(captured), "captured": true, "currency": "eur",
                             "customer": "cus_1", "status": "succeeded",
                             "balance_transaction": "txn_c\(index)"}
                            """))
            }
        }
    }

    private static let parts: [(euro: Int64, dollar: Int64, rate: Double)] = [
        (300, 333, 1.11), (300, 333, 1.11), (401, 449, 1.12),
    ]

    @Test(
        "their sum counts, told at once or one after the other, and each is converted once",
        arguments: [true, false])
    func sum(isAtOnce: Bool) async throws {
        let fixture = try ReconcileFixture()
        try await fixture.running {
            if isAtOnce {
                Self.capture(fixture.stripe, Self.parts)
                try await fixture.deliver()
            } else {
                for count in 1...3 {
                    fixture.stripe.change { ($0.lines, $0.events) = ([], []) }
                    Self.capture(fixture.stripe, Array(Self.parts.prefix(count)))
                    try await fixture.deliver()
                    let report = try await fixture.reconcile()
                    #expect(try fixture.found(report) == [])
                    #expect(report.isClean, "\(report)")
                }
            }
            for _ in 0..<2 {
                let report = try await fixture.reconcile()
                #expect(try fixture.found(report) == [])
                #expect(report.isClean, "\(report)")
                #expect(report.currencies.reduce(0) { $0 + $1.matched } == 3)
                #expect(try fixture.processor() == ["usd": 1_115 - 30])
                let standing = try fixture.ledger.standing()
                #expect(standing["exchange:stripe eur"] == 1_001)
                #expect(standing["exchange:stripe usd"] == -1_115)
            }
        }
    }

    @Test("what is listed twice is a duplicate, also where nothing was converted before")
    func duplicate() async throws {
        let fixture = try ReconcileFixture()
        Self.capture(fixture.stripe, [(1_000, 1_110, 1.11)])
        fixture.stripe.change { state in
            var copy = state.lines[0]
            (copy.id, copy.created, copy.fee) = ("txn_copy", start + day, 0)
            state.lines.append(copy)
        }
        try await fixture.running {
            try await fixture.deliver()
            for _ in 0..<2 {
                let report = try await fixture.reconcile()
                #expect(try fixture.found(report) == ["duplicate_at_stripe txn_copy"])
                #expect(report.currencies.allSatisfy { $0.unexplained == 0 }, "\(report)")
                #expect(try fixture.processor() == ["usd": 1_100])
            }
        }
    }

    @Test("a part of which the period's end leaves the rest out explains itself")
    func tail() async throws {
        let fixture = try ReconcileFixture()
        Self.capture(fixture.stripe, Self.parts)
        try await fixture.running {
            try await fixture.deliver()
            for to in [start + 1, start + day + 1, ReconcileFixture.now, start + day + 1] {
                let report = try await fixture.reconcile(to: to)
                #expect(report.currencies.allSatisfy { $0.unexplained == 0 }, "\(report)")
            }
        }
    }

    @Test(
        "a line's part of the movement is told by its rate, and the last takes the rest",
        arguments: [
            (line: 333, rate: 1.11, left: 1_001, exponents: (2, 2), part: 300),
            (line: 449, rate: 1.12, left: 401, exponents: (2, 2), part: 401),
            (line: 449, rate: 1.12, left: 400, exponents: (2, 2), part: 400),
            (line: 449, rate: nil, left: 999, exponents: (2, 2), part: 999),
            (line: 333, rate: 1.11, left: 0, exponents: (2, 2), part: 0),
            (line: -333, rate: 1.11, left: -1_001, exponents: (2, 2), part: -300),
            (line: 333, rate: 1.11, left: -300, exponents: (2, 2), part: 0),
            // 1,000 of 5,000 yen at 0.0065 dollars, and dollars into yen; both readings of a rate.
            (line: 650, rate: 0.0065, left: 5_000, exponents: (0, 2), part: 1_000),
            (line: 650, rate: 0.65, left: 5_000, exponents: (0, 2), part: 1_000),
            (line: 1_500, rate: 150, left: 5_000, exponents: (2, 0), part: 1_000),
            (line: 1_500, rate: 1.5, left: 5_000, exponents: (2, 0), part: 1_000),
        ] as [(line: Int64, rate: Double?, left: Int64, exponents: (Int, Int), part: Int64)])
    func part(
        example: (line: Int64, rate: Double?, left: Int64, exponents: (Int, Int), part: Int64)
    ) {
        let part = ConvertedLines.part(
            of: MinorUnits(example.line), rate: example.rate, left: MinorUnits(example.left),
            exponents: example.exponents)
        #expect(part.rawValue == example.part)
    }
}
