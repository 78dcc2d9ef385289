import Testing

@testable import Appliance
@testable import Vocabulary

extension ValidationOutcome {
    var movements: [PaymentEvent] {
        guard case .movements(let movements, _) = self else { return [] }
        return movements
    }

    /// `kind movement amount currency` of each movement, or the code of what else came out.
    var summary: [String] {
        switch self {
        case .movements(let movements, _):
            movements.map {
                "\($0.kind.rawValue) \($0.movement) \($0.amount.rawValue) \($0.currency.code)"
            }
        case .ignored(_, let reason): ["ignored \(reason.rawValue)"]
        case .refused(let refusal): ["refused \(refusal.code.rawValue) \(refusal.detail)"]
        }
    }
}

func validated(_ event: TestJSON) -> ValidationOutcome {
    EventValidator(defaultMerchant: MerchantID("shop")).validate(event.bytes)
}

/// One event and what must come of it.
struct MovementCase: Sendable, CustomTestStringConvertible {
    let name: String
    let type: String
    let object: TestJSON
    let expected: [String]

    init(_ name: String, _ type: String, _ object: TestJSON, _ expected: String...) {
        self.name = name
        self.type = type
        self.object = object
        self.expected = expected
    }

    var testDescription: String { "\(type): \(name)" }
}

/// Events and what must come of them; the rows are in files of their own.
enum MovementRows {
    static let ch = "ch_1PgafuB7WZ01zgkWXYmPNZs8"
    static let re = "re_1Pgc72B7WZ01zgkWqPvrRrPE"
    static let dp = "dp_1Pgc71B7WZ01zgkWMevJiAUx"
    static let po = "po_1Pgc79B7WZ01zgkWu1KToYf4"
    static let charge = StripeExample.capturedCharge
    static let intent = StripeExample.paymentIntent.with([
        "amount_received": 1099, "latest_charge": "ch_2", "status": "succeeded",
    ])
}

@Suite("From events to movements")
struct MovementsTests {
    @Test("payments and failures", arguments: MovementRows.payments)
    func payments(row: MovementCase) { expect(row) }

    @Test("refunds", arguments: MovementRows.refunds)
    func refunds(row: MovementCase) { expect(row) }

    @Test("disputes", arguments: MovementRows.disputes)
    func disputes(row: MovementCase) { expect(row) }

    @Test("payouts", arguments: MovementRows.payouts)
    func payouts(row: MovementCase) { expect(row) }

    @Test("transfers, application fees, top-ups", arguments: MovementRows.transfers)
    func transfers(row: MovementCase) { expect(row) }

    @Test("what reconciliation found", arguments: MovementRows.own)
    func own(row: MovementCase) { expect(row) }

    @Test("any other type moves nothing and is no dead letter", arguments: MovementRows.others)
    func others(row: MovementCase) { expect(row) }

    private func expect(_ row: MovementCase) {
        let outcome = validated(StripeExample.event(row.type, row.object))
        #expect(outcome.summary == row.expected)
    }

    @Test("an unknown type is passed on in part only")
    func longType() {
        let type = String(repeating: "x", count: 5000)
        let outcome = validated(StripeExample.event(type, ["object": "any"]))
        #expect(outcome == .ignored(type: String(type.prefix(100)), .typeNotHandled))
    }

    @Test("every handled type has a row")
    func everyTypeHasARow() {
        let rows =
            MovementRows.payments + MovementRows.refunds + MovementRows.disputes
            + MovementRows.payouts + MovementRows.transfers + MovementRows.own
        #expect(
            Set(rows.map(\.type)) == Set(StripeEvent.HandledType.allCases.map(\.rawValue)))
    }
}

extension MovementCase {
    init(_ name: String, _ type: String, _ object: TestJSON, all expected: [String]) {
        self.name = name
        self.type = type
        self.object = object
        self.expected = expected
    }
}
