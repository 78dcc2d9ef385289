// Feeds arbitrary text to every door through which a number comes in from outside: the admin API's
// queries and bodies, the command line's moments, and the members of events and of Stripe's
// statement. Nothing traps, and what is let through is the number that the text says.

// SAFETY: libFuzzer calls from one thread.
private nonisolated(unsafe) let validator = EventValidator(defaultMerchant: MerchantID("shop"))
private nonisolated(unsafe) let document = JSONDocument()
private let scanner = EventScanner()

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    // SAFETY: libFuzzer's buffer lives until this returns, and the bytes are a copy of it.
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    let text = String(decoding: bytes, as: UTF8.self)
    checkQueries(text)
    checkMoments(text)
    checkBodies(bytes, text)
    checkValue(text)
    checkEvents(text)
    checkStatement(text)
    return 0
}

private func checkQueries(_ text: String) {
    if let limit = QueryNumber.limit(text, upTo: 1000) {
        precondition((1...1000).contains(limit) && limit == Int(text))
    }
    if let row = QueryNumber.row(text) { precondition(row > 0 && row == Int64(text)) }
    if let offset = QueryNumber.offset(text) {
        precondition(offset >= .zero && offset <= .largest && offset.rawValue == Int64(text))
        // What is done with one must not overflow.
        precondition(offset.advanced(by: 1) > offset)
        precondition(Offset.zero.distance(to: offset) == offset.rawValue)
    }
    if let name = RunName(text) {
        precondition(name.number > 0 && RunName("\(name)") == name)
    }
    if let place = FindingPlace(text) { precondition(FindingPlace(place.token) == place) }
}

private func checkMoments(_ text: String) {
    guard let moment = Moment(text) else { return }
    precondition(Instant(named: moment.start.seconds) == moment.start, "\(moment)")
    precondition(Instant(named: moment.end.seconds) == moment.end, "\(moment)")
    precondition(moment.start <= moment.end && moment.end.seconds - moment.start.seconds < 86_400)
    precondition(Moment(moment.start.rfc3339)?.start == moment.start, "\(moment)")
}

/// The text as a whole body, and as a member of one.
private func checkBodies(_ bytes: [UInt8], _ text: String) {
    let periods = [bytes, Array(#"{"from":\#(text),"to":\#(text),"dry_run":true}"#.utf8)]
    for period in periods.compactMap({ try? PeriodRequest.decode($0) }) {
        for moment in [period.from, period.to].compactMap(\.self) {
            precondition(Instant(named: moment.seconds) == moment)
        }
    }
    let requests = [bytes, Array(#"{"after":\#(text),"offsets":[\#(text)]}"#.utf8)]
    for (request, _, _) in requests.compactMap({ try? RedriveRequest.decode($0) }) {
        for letter in (request.letters ?? []) + [request.after].compactMap(\.self) {
            precondition(letter.offset >= .zero && letter.offset <= .largest)
        }
        let again = try? RedriveRequest.decode(request.encoded(dataPath: "/data"))
        precondition(again?.request == request && again?.dataPath == "/data")
    }
}

/// A number is the integer that its digits say, or none.
private func checkValue(_ text: String) {
    guard let root = try? document.parse(Array(#"{"n":\#(text)}"#.utf8)),
        let value = root["n"], value.kind == .number, root.object?.reduce(0, { n, _ in n + 1 }) == 1
    else { return }
    let digits = text.filter { !$0.isWhitespace }
    let isInteger = !digits.contains { ".eE".contains($0) }
    precondition(value.int64 == (isInteger ? Int64(digits) : nil), digits)
    precondition(value.double?.isFinite == true, digits)
}

/// The text as the number of an event and of the charge it tells of, bare and in quotes.
private func checkEvents(_ text: String) {
    for number in [text, "\"\(text)\""] {
        let body = Array(
            """
            {"id":"evt_1","object":"event","type":"charge.succeeded","livemode":false,\
            "created":\(number),"data":{"object":{"id":"ch_1","object":"charge",\
            "amount":\(number),"amount_captured":\(number),"captured":true,"currency":"usd",\
            "created":\(number),"status":"succeeded","balance_transaction":"txn_1"}}}
            """.utf8)
        if let event = try? scanner.scan(body) {
            precondition((1...EventID.bytesMax).contains(event.id.rawValue.utf8.count))
        }
        guard case .movements(let movements, _) = validator.validate(body) else { continue }
        for movement in movements {
            precondition(movement.amount >= .zero && movement.amount <= .movementMax)
            let read = try? PaymentEvent(movement.encoded(), using: document)
            precondition(read == movement, "a movement changed on its way through the record")
        }
    }
}

private func checkStatement(_ text: String) {
    let line = """
        {"id":"txn_1","type":"charge","source":"ch_1","amount":\(text),"fee":\(text),\
        "net":\(text),"currency":"usd","created":\(text),"available_on":\(text)}
        """
    guard let root = try? document.parse(Array(line.utf8)),
        let read = try? BalanceTransaction(json: root)
    else { return }
    // Each is booked the other way round.
    for amount in [read.amount, read.fee, read.net] { precondition(amount.rawValue != .min) }
    precondition(Instant(named: read.created.seconds) == read.created)
    _ = read.meaning
}
