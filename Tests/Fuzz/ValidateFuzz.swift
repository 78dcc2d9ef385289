// Feeds arbitrary bytes to the whole validation. Whatever comes of them: amounts are not negative,
// ids are ids, no card number is left in free text, and every movement survives its own record.

// SAFETY: libFuzzer calls from one thread.
private nonisolated(unsafe) let validator = EventValidator(defaultMerchant: MerchantID("shop"))
private nonisolated(unsafe) let document = JSONDocument()

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    // SAFETY: libFuzzer's buffer lives until this returns, and the body is a copy of it.
    let body = Array(UnsafeBufferPointer(start: start, count: count))
    let outcome = validator.validate(body)
    precondition(outcome == validator.validate(body), "validation is not a function of the body")
    guard case .movements(let movements, _) = outcome else { return 0 }
    precondition(!movements.isEmpty)
    for movement in movements {
        precondition(movement.amount >= .zero && movement.objectID.isStripeID)
        precondition(movement.device.flatMap(CardNumber.masked) == nil)
        precondition(movement.outcome.flatMap(CardNumber.masked) == nil)
        let read = try? PaymentEvent(movement.encoded(), using: document)
        precondition(read == movement, "a movement changed on its way through the record")
    }
    return 0
}
