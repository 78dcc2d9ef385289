/// Reads the answers on one keep-alive HTTP/1.1 connection, as they come in from the network.
///
/// It understands what answers to a POST look like (RFC 9112): `Content-Length`, chunked, or until
/// the connection ends. It is written by hand because the client shares two cores with the daemon
/// that it measures.
package struct HTTPAnswerReader: Sendable {
    package init() {}

    package struct Answer: Hashable, Sendable {
        /// 100 ... 599
        package let status: Int
        /// Empty where there is none.
        package let body: [UInt8]
        /// The server closes the connection after this answer.
        package let closes: Bool
    }

    /// Not HTTP, or beyond the bounds.
    package struct Malformed: Error {}

    /// A larger answer is not one of a webhook gate.
    static let answerBytesMax = 1 << 18

    private enum Framing {
        case length(Int)
        case chunked
        case untilEnd
    }

    private var received: [UInt8] = []

    /// Nothing of a next answer has arrived.
    var isEmpty: Bool { received.isEmpty }

    /// Takes what has arrived.
    /// - Returns: an answer once it is whole; interim (1xx) answers are passed over.
    package mutating func read(_ bytes: some Sequence<UInt8>) throws(Malformed) -> Answer? {
        received.append(contentsOf: bytes)
        guard received.count <= Self.answerBytesMax else { throw Malformed() }
        return try parse(atEnd: false)
    }

    /// The connection has ended.
    /// - Returns: the answer that was to last until then, if there was one.
    mutating func end() throws(Malformed) -> Answer? { try parse(atEnd: true) }

    private mutating func parse(atEnd: Bool) throws(Malformed) -> Answer? {
        while true {
            guard let headEnd = ByteSearch.range(of: "\r\n\r\n", in: received[...]) else {
                return nil
            }
            let head = try Self.parseHead(received[..<headEnd.lowerBound])
            if (100..<200).contains(head.status) {
                received.removeFirst(headEnd.upperBound)
                continue
            }
            let rest = received[headEnd.upperBound...]
            let body: [UInt8]
            let end: Int
            switch head.framing {
            case .length(let length):
                guard rest.count >= length else { return nil }
                end = headEnd.upperBound + length
                body = Array(rest.prefix(length))
            case .chunked:
                guard let chunks = try Self.joinChunks(rest) else { return nil }
                (body, end) = chunks
            case .untilEnd:
                guard atEnd else { return nil }
                (body, end) = (Array(rest), received.count)
            }
            if end == received.count {
                received.removeAll(keepingCapacity: true)
            } else {
                received.removeFirst(end)
            }
            return Answer(status: head.status, body: body, closes: head.closes)
        }
    }

    private static func parseHead(
        _ head: ArraySlice<UInt8>
    ) throws(Malformed) -> (status: Int, framing: Framing, closes: Bool) {
        guard ByteSearch.begins(head, withLowercase: "http/1."), head.count >= 12,
            let status = number(in: head.dropFirst(9).prefix(3)), (100...599).contains(status)
        else { throw Malformed() }
        var framing = Framing.untilEnd
        var closes = head[head.startIndex + 7] == UInt8(ascii: "0")
        var rest = head
        while let lineEnd = ByteSearch.range(of: "\r\n", in: rest) {
            rest = rest[lineEnd.upperBound...]
            if let value = value(of: "content-length:", in: rest) {
                guard let length = number(in: value), length <= answerBytesMax else {
                    throw Malformed()
                }
                framing = .length(length)
            } else if let value = value(of: "transfer-encoding:", in: rest) {
                guard ByteSearch.begins(value, withLowercase: "chunked") else { throw Malformed() }
                framing = .chunked
            } else if let value = value(of: "connection:", in: rest) {
                closes = ByteSearch.begins(value, withLowercase: "close")
            }
        }
        if status == 204 || status == 304 { framing = .length(0) }
        if case .untilEnd = framing { closes = true }
        return (status, framing, closes)
    }

    /// The value of the header field with this lower-case name and colon, if `lines` begin with it.
    private static func value(
        of name: StaticString, in lines: ArraySlice<UInt8>
    ) -> ArraySlice<UInt8>? {
        guard ByteSearch.begins(lines, withLowercase: name) else { return nil }
        return lines.dropFirst(name.utf8CodeUnitCount)
            .drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
            .prefix { $0 > UInt8(ascii: " ") }
    }

    /// A number of at most six digits.
    private static func number(in digits: ArraySlice<UInt8>) -> Int? {
        guard (1...6).contains(digits.count) else { return nil }
        var value = 0
        for digit in digits {
            guard (0x30...0x39).contains(digit) else { return nil }
            value = value * 10 + Int(digit - 0x30)
        }
        return value
    }

    private static func joinChunks(
        _ bytes: ArraySlice<UInt8>
    ) throws(Malformed) -> (body: [UInt8], end: Int)? {
        var rest = bytes
        var body: [UInt8] = []
        while true {
            guard let line = ByteSearch.range(of: "\r\n", in: rest) else { return nil }
            let digits = rest[..<line.lowerBound].prefix { $0 != UInt8(ascii: ";") }
            guard let size = Int(String(decoding: digits, as: UTF8.self), radix: 16),
                (0...answerBytesMax).contains(size)
            else { throw Malformed() }
            rest = rest[line.upperBound...]
            guard size > 0 else {
                // Trailer fields end with an empty line.
                if rest.starts(with: [13, 10]) { return (body, rest.startIndex + 2) }
                guard let trailer = ByteSearch.range(of: "\r\n\r\n", in: rest) else { return nil }
                return (body, trailer.upperBound)
            }
            guard rest.count >= size + 2 else { return nil }
            body.append(contentsOf: rest.prefix(size))
            rest = rest.dropFirst(size + 2)
        }
    }
}
