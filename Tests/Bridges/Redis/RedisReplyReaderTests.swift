import AppendLog
@testable import Bridges
import Testing

@Suite("Redis: replies from bytes")
struct RedisReplyReaderTests {
    private func read(
        _ text: String, piece: Int, replyBytesMax: Int = 1 << 20
    ) throws(RedisTrouble) -> [RedisReply] {
        let reader = RedisReplyReader(replyBytesMax: replyBytesMax)
        var replies: [RedisReply] = []
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let part = Array(rest.prefix(piece))
            rest = rest.dropFirst(piece)
            reader.feed(part, count: part.count)
            while let reply = try reader.next() { replies.append(reply) }
        }
        return replies
    }

    @Test("every kind of reply, however the bytes come", arguments: [1, 2, 7, 4096])
    func kinds(piece: Int) throws {
        let text =
            "+OK\r\n-ERR no\r\n:-42\r\n$5\r\na\r\n\u{0}b\r\n$-1\r\n*-1\r\n$0\r\n\r\n"
            + "*3\r\n:1\r\n*2\r\n$1\r\nx\r\n-WRONG x\r\n$-1\r\n*0\r\n"
        #expect(
            try read(text, piece: piece) == [
                .status("OK"), .error(RedisErrorReply("ERR no")), .integer(-42),
                .bulk(Array("a\r\n\u{0}b".utf8)), .null, .null, .bulk([]),
                .array([
                    .integer(1), .array([.bulk([120]), .error(RedisErrorReply("WRONG x"))]), .null,
                ]), .array([]),
            ])
    }

    @Test("a reply beyond the bound is not collected")
    func bytesBound() throws {
        #expect(throws: RedisTrouble.replyTooLarge(bytesMax: 100)) {
            try read("$2000000000\r\n" + String(repeating: "x", count: 200), piece: 10,
                replyBytesMax: 100)
        }
        // Many replies that are each within it are none of its business.
        let many = String(repeating: "$20\r\n01234567890123456789\r\n", count: 50)
        #expect(try read(many, piece: 33, replyBytesMax: 100).count == 50)
    }

    @Test("an array of more elements than can be is not made room for", arguments: [
        "*65537\r\n", "*2147483647\r\n", "*2\r\n:1\r\n*99999999\r\n",
    ])
    func elementsBound(text: String) {
        #expect(throws: RedisTrouble.replyTooLarge(bytesMax: 1 << 20)) {
            try read(text, piece: 3)
        }
    }

    @Test("what is no RESP2 is told", arguments: [
        "HTTP/1.1 400 Bad Request\r\n", "%1\r\n+a\r\n+b\r\n", ":12x\r\n", "$-7\r\n",
        String(repeating: "*1\r\n", count: 10),
    ])
    func garbage(text: String) throws {
        do {
            _ = try read(text, piece: 4096)
            Issue.record("taken: \(text)")
        } catch {
            guard case .protocolViolation(let words) = error else {
                Issue.record("\(error)")
                return
            }
            #expect(!words.isEmpty)
        }
    }

    /// A reply and its bytes, at most two arrays deep.
    private static func anyReply(
        _ generator: inout SeededGenerator, depth: Int = 0
    ) -> (RedisReply, [UInt8]) {
        func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }
        switch Int.random(in: 0..<(depth < 2 ? 6 : 5), using: &generator) {
        case 0: return (.status("OK"), bytes("+OK\r\n"))
        case 1: return (.error(RedisErrorReply("ERR no")), bytes("-ERR no\r\n"))
        case 2:
            let number = Int64.random(in: .min...(.max), using: &generator)
            return (.integer(number), bytes(":\(number)\r\n"))
        case 3: return (.null, bytes("$-1\r\n"))
        case 4:
            let value = (0..<Int.random(in: 0..<40, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            return (.bulk(value), bytes("$\(value.count)\r\n") + value + bytes("\r\n"))
        default:
            let parts = (0..<Int.random(in: 0..<4, using: &generator)).map { _ in
                anyReply(&generator, depth: depth + 1)
            }
            return (
                .array(parts.map(\.0)),
                bytes("*\(parts.count)\r\n") + parts.flatMap(\.1)
            )
        }
    }

    /// What comes of bytes that are fed in such pieces: the replies before the first error, and it.
    private static func reading(
        _ bytes: [UInt8], piece: Int
    ) -> (replies: [RedisReply], trouble: RedisTrouble?) {
        let reader = RedisReplyReader(replyBytesMax: 4096)
        var replies: [RedisReply] = []
        for start in stride(from: 0, to: bytes.count, by: piece) {
            let part = Array(bytes[start..<min(start + piece, bytes.count)])
            reader.feed(part, count: part.count)
            do throws(RedisTrouble) {
                while let reply = try reader.next() { replies.append(reply) }
            } catch {
                return (replies, error)
            }
        }
        return (replies, nil)
    }

    @Test("replies are read as written, and noise behind them ends alike however it is cut",
        arguments: 1...100)
    func anyBytes(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        let written = (0..<20).map { _ in Self.anyReply(&generator) }
        let alphabet = Array("*$:+-0123459\r\n\r\nab".utf8)
        let noise = (0..<400).map { _ in
            alphabet[Int.random(in: 0..<alphabet.count, using: &generator)]
        }
        let whole = written.flatMap(\.1)
        for piece in [1, 3, 7, 4096] {
            let plain = Self.reading(whole, piece: piece)
            #expect(plain.replies == written.map(\.0) && plain.trouble == nil)
        }
        let expected = Self.reading(whole + noise, piece: 1)
        #expect(Array(expected.replies.prefix(written.count)) == written.map(\.0))
        for piece in [2, 5, 64] {
            let found = Self.reading(whole + noise, piece: piece)
            #expect(found.replies == expected.replies && found.trouble == expected.trouble)
        }
    }

    @Test("a command is written with its lengths, bytes and all")
    func encoding() {
        var command = RedisCommand("SET", "k€y", .bytes([0, 13, 10]))
        command.append("")
        command.append(7)
        let text = String(decoding: command.encoded(), as: UTF8.self)
        #expect(
            text == "*5\r\n$3\r\nSET\r\n$5\r\nk€y\r\n$3\r\n\u{0}\r\n\r\n$0\r\n\r\n$1\r\n7\r\n")
        #expect("\(command)" == "SET")
    }

    @Test("an error's words are bounded and stay on one line")
    func errorWords() {
        let reply = RedisErrorReply("ERR a\nb\u{1B}[31m" + String(repeating: "x", count: 999))
        #expect(reply.code == "ERR")
        #expect(reply.text.count == 300 && reply.text.hasPrefix("ERR a b [31m"))
    }
}
