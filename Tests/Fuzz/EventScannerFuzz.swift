// Feeds arbitrary bytes to the event scanner. An id it lets through must be usable as a key, and
// what it read of the body must be in the body.

private let scanner = EventScanner()

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    // SAFETY: libFuzzer's buffer lives until this returns, and the body is a copy of it.
    let body = Array(UnsafeBufferPointer(start: start, count: count))
    do {
        let event = try scanner.scan(body)
        precondition((1...EventID.bytesMax).contains(event.id.rawValue.utf8.count))
        precondition(!event.id.rawValue.hasControlCharacter)
    } catch {
        precondition(!error.code.isEmpty && !error.detail.isEmpty)
    }
    return 0
}
