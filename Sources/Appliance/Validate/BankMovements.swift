import Vocabulary

/// What a bank booked of money that Stripe sent or took. The event is of our own making, from a
/// bank's statement; `data.object` is the entry beside the movement that it settles.
extension StripeEvent {
    /// How often what a bank booked of one movement may be corrected: far beyond what any does.
    private static let bankDifferencesMax: Int64 = 10_000

    /// The difference, which the bank kept or gave, as a movement of kind `fee` against
    /// `bank:{currency}`.
    func bankDifference() throws(ValidationRefusal) -> Movements {
        let object = try StripeObject(object, is: "bank_entry")
        let id = try object.id()
        guard let movement = object["movement"]?.string, movement.hasSuffix(":\(id)"),
            movement.utf8.count <= 200
        else { throw object.refusal(.badID, "movement") }
        let expected = try object.signedAmount("expected")
        let booked = try object.signedAmount("booked")
        // Neither is above `MinorUnits.movementMax`, so the difference is far from Int64's ends.
        let kept = expected.rawValue - booked.rawValue
        guard kept.magnitude <= MinorUnits.movementMax.rawValue else {
            throw object.refusal(.badAmount, "booked")
        }
        // Further ones of a movement, where the bank corrected itself, are told apart by it.
        let number = object["number"]?.int64 ?? 1
        guard (1...Self.bankDifferencesMax).contains(number) else {
            throw object.refusal(.badAmount, "number")
        }
        guard kept != 0 else { return .none(.nothingCharged) }
        var event = self.movement(
            .fee, of: id, amount: MinorUnits(abs(kept)), currency: try object.currency())
        event.movement = MovementKey(ReconciledRecord.bankKey(of: movement, number: number))
        event.fee = MinorUnits(kept)
        event.outcome = CounterAccount.bankCharges.rawValue
        event.related = id
        return .some([event])
    }
}
