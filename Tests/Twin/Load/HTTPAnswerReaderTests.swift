import Testing

@testable import Traffic
@testable import Vocabulary

@Suite("HTTP answer reader")
struct HTTPAnswerReaderTests {
    private static let answers: [(text: String, status: Int, body: String, closes: Bool)] = [
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n{\"received\":true}",
            200, "{\"received\":true}", false
        ),
        (
            "HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nConnection: close\r\n"
                + "Content-Length:0\r\n\r\n",
            503, "", true
        ),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", 204, "", false),
        ("HTTP/1.0 400 Bad\r\nContent-Length: 1\r\n\r\nx", 400, "x", true),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
            200, "abcde", false
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\na\r\n0\r\nSum: 1\r\n\r\n",
            200, "a", false
        ),
    ]

    @Test("reads an answer whole or in any two parts", arguments: Self.answers)
    func parts(text: String, status: Int, body: String, closes: Bool) throws {
        let bytes = Array(text.utf8)
        let expected = HTTPAnswerReader.Answer(
            status: status, body: Array(body.utf8), closes: closes)
        for cut in 0...bytes.count {
            var reader = HTTPAnswerReader()
            let first = try reader.read(bytes[..<cut])
            #expect(first == (cut == bytes.count ? expected : nil))
            if first == nil { #expect(try reader.read(bytes[cut...]) == expected) }
            #expect(reader.isEmpty)
        }
    }

    @Test("an answer without a length lasts until the connection ends")
    func untilEnd() throws {
        var reader = HTTPAnswerReader()
        #expect(try reader.read("HTTP/1.1 200 OK\r\n\r\nab".utf8) == nil)
        let answer = try reader.end()
        #expect(answer == .init(status: 200, body: Array("ab".utf8), closes: true))
    }

    @Test(
        "refuses what is not an HTTP/1 answer",
        arguments: [
            "SSH-2.0-OpenSSH\r\n\r\n", "HTTP/1.1 abc\r\n\r\n", "HTTP/1.1 99 x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        ])
    func malformed(text: String) {
        var reader = HTTPAnswerReader()
        #expect(throws: HTTPAnswerReader.Malformed.self) { try reader.read(text.utf8) }
    }

    @Test("an answer without end is refused at the bound")
    func bound() {
        var reader = HTTPAnswerReader()
        let endless = [UInt8](repeating: 65, count: HTTPAnswerReader.answerBytesMax + 1)
        #expect(throws: HTTPAnswerReader.Malformed.self) { try reader.read(endless) }
    }
}
