// Feeds arbitrary bytes to the parser of the Stripe-Signature header. Whatever it makes of them,
// a header it accepts must say a time that can be written back, and only whole signatures.

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    // SAFETY: libFuzzer's buffer lives until this returns, and the text is a copy of it.
    let text = String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
    do {
        let signature = try StripeSignature(header: text)
        precondition(text.utf8.count <= StripeSignature.headerBytesMax)
        precondition(text.contains("t=\(signature.timestamp.seconds)"))
        precondition(signature.candidates.count <= StripeSignature.signaturesMax)
        precondition(signature.candidates.allSatisfy { $0.count == 32 })
    } catch {
        precondition(error.code.hasPrefix("signature_") && error.message.hasSuffix("."))
    }
    return 0
}
