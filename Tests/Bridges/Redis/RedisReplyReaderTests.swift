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

    @Test("any bytes end in replies or one error, and never in a trap", arguments: 1...50)
    func anyBytes(seed: Int) {
        var state = UInt64(seed)
        let alphabet = Array("*$:+-0123459\r\n\r\nab".utf8)
        let reader = RedisReplyReader(replyBytesMax: 4096)
        for _ in 0..<400 {
            let piece = (0..<5).map { _ in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return alphabet[Int(state >> 33) % alphabet.count]
            }
            reader.feed(piece, count: piece.count)
            do {
                while try reader.next() != nil {}
            } catch { return }
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
