import Bridges
import Foundation
import NIOHTTP1
import Synchronization
import Testing

@testable import Vocabulary
@testable import Warehouse

@Suite("Asking BigQuery", .timeLimit(.minutes(1)))
struct BigQueryPatienceTests {
    /// Hands out `first`, `second` and so on, good for an hour each.
    final class Tokens: BigQueryTokenSource {
        let count = Mutex(0)
        static let names = ["first", "second", "third", "fourth"]

        func newToken() async throws(BigQueryError) -> GoogleAccessToken? {
            let number = count.withLock { count in
                count += 1
                return count
            }
            return GoogleAccessToken(
                Secret(Self.names[number - 1]), issuedAt: 1_795_000_000,
                expiresAt: 1_795_003_600)
        }
    }

    static func answer(_ status: Int, _ reason: String) -> BigQueryAnswer {
        BigQueryStub.error(status, reason, "not now")
    }

    @Test(
        "what passes is asked again",
        arguments: [
            (429, "rateLimitExceeded"), (403, "rateLimitExceeded"), (500, "internalError"),
            (502, "badGateway"), (503, "backendError"),
        ])
    func asksAgain(status: Int, reason: String) async throws {
        let fixture = try LoadFixture()
        try fixture.files.write("2026-11-26", [100])
        for (method, part) in [
            (HTTPMethod.GET, "/datasets/books"), (.POST, "/upload"), (.PUT, "upload_id"),
            (.POST, "/queries"), (.POST, "/p-roject/jobs"),
        ] {
            fixture.stub.change {
                $0.faults.append(
                    .init(method: method, part: part, answer: Self.answer(status, reason)))
            }
        }
        #expect(try await fixture.run().loaded.count == 1)
        #expect(fixture.stub.change { $0.faults.isEmpty })
    }

    @Test("what stays is not asked again, be it an upload's beginning or a piece", arguments: [
        (403, "accessDenied", BigQueryError.forbidden(message: "not now")),
        (403, "quotaExceeded", .quota(message: "not now")),
        (403, "billingTierLimitExceeded", .quota(message: "not now")),
        (400, "invalid", .refused(status: 400, message: "not now")),
    ])
    func stays(status: Int, reason: String, expected: BigQueryError) async throws {
        for (method, count) in [(HTTPMethod.POST, 1), (.PUT, 2)] {
            let fixture = try LoadFixture()
            try fixture.files.write("2026-11-26", [100])
            fixture.stub.change {
                $0.faults = [
                    .init(method: method, part: "/upload", answer: Self.answer(status, reason))
                ]
            }
            await #expect(throws: expected) { try await fixture.run() }
            #expect(fixture.stub.requests(with: "/upload").count == count)
            #expect(fixture.rows == [])
        }
    }

    @Test("patience ends, and the sentence says that nothing is loaded twice")
    func givesUp() async throws {
        let fixture = try LoadFixture()
        try fixture.files.write("2026-11-26", [100])
        fixture.stub.change {
            $0.faults = Array(
                repeating: .init(method: .PUT, part: "upload", answer: nil), count: 20)
        }
        let error = await #expect(throws: BigQueryError.self) { try await fixture.run() }
        #expect(error?.description.contains("nothing is loaded twice") == true)
        #expect(error?.description.contains("6 attempts") == true)
    }

    @Test("an upload of which nothing arrives is given up")
    func standsStill() async throws {
        let fixture = try LoadFixture()
        try fixture.files.write("2026-11-26", [100])
        fixture.stub.change { $0.pieceBytesKept = 0 }
        let error = await #expect(throws: BigQueryError.self) { try await fixture.run() }
        #expect(error?.description.contains("an upload does not go on") == true)
        #expect(fixture.stub.requests(with: "upload_id").count == 6)
        fixture.stub.change { $0.pieceBytesKept = nil }
        #expect(try await fixture.run().loaded.count == 1)
    }

    @Test("an expired token is asked for anew, once in a row")
    func expiredToken() async throws {
        var fixture = try LoadFixture()
        let tokens = Tokens()
        fixture.tokens = tokens
        try fixture.files.write("2026-11-26", [100])
        fixture.stub.change { $0.tokens = ["second"] }
        #expect(try await fixture.run().loaded.count == 1)
        #expect(tokens.count.withLock { $0 } == 2)
        fixture.stub.change { $0.tokens = [] }
        await #expect(throws: BigQueryError.unauthorised(message: "Invalid Credentials")) {
            try await fixture.run()
        }
    }

    @Test("a token that ends in the middle of an upload is replaced, and each row arrives once")
    func expiresInUpload() async throws {
        var fixture = try LoadFixture()
        fixture.tokens = Tokens()
        try fixture.files.write("2026-11-26", [100, 200])
        fixture.stub.change {
            $0.tokens = ["first", "second"]
            $0.faults = [
                .init(method: .PUT, part: "upload", answer: Self.answer(401, "authError"))
            ]
        }
        #expect(try await fixture.run().loaded.first?.rows == 2)
        #expect(fixture.amounts == [100, 200])
    }

    @Test("a token is renewed when four fifths of its time are over")
    func renewal() async throws {
        let clock = Mutex(Int64(1_795_000_000))
        let source = Tokens()
        let tokens = BigQueryTokens(source) { clock.withLock { $0 } }
        let first = try await tokens.token()
        #expect(first?.reveal() == "first")
        clock.withLock { $0 += 2_879 }
        #expect(try await tokens.token() == first)
        clock.withLock { $0 += 1 }
        #expect(try await tokens.token()?.reveal() == "second")
    }

    @Test("waits grow, keep below their bound, and never undercut Retry-After")
    func waits() {
        let patience = BigQueryPatience()
        #expect(patience.wait(after: 1, random: 0.999) < .seconds(1))
        #expect(patience.wait(after: 4, random: 0.5) == .seconds(4))
        #expect(patience.wait(after: 60, random: 0.999) < .seconds(32))
        #expect(patience.wait(after: 1, retryAfter: "7", random: 0) == .seconds(7))
        #expect(patience.wait(after: 1, retryAfter: "99999", random: 0) == .seconds(300))
        #expect(patience.wait(after: 1, retryAfter: "soon", random: 0) == .zero)
    }
}
