import Testing

@testable import Console

@Suite("Where a request comes from that proxies have passed on")
struct ForwardedAddressTests {
    struct Row: Sendable {
        var list: String
        var trusted: Int
        var says: String?
    }

    @Test(
        "it is whom the outermost of the trusted ones was asked by, never what a client wrote",
        arguments: [
            Row(list: "203.0.113.9", trusted: 1, says: "203.0.113.9"),
            Row(list: "10.0.0.1,203.0.113.9", trusted: 1, says: "203.0.113.9"),
            // Google's balancer appends the client and itself.
            Row(list: "203.0.113.9,35.191.0.1", trusted: 2, says: "203.0.113.9"),
            Row(list: "1.1.1.1,2.2.2.2,203.0.113.9,35.191.0.1", trusted: 2, says: "203.0.113.9"),
            Row(list: "1.1.1.1,203.0.113.9,35.191.0.1,10.0.0.1", trusted: 3, says: "203.0.113.9"),
            Row(list: "203.0.113.9,35.191.0.1", trusted: 0, says: nil),
            // It did not come through all of them: nothing there is theirs for sure.
            Row(list: "203.0.113.9", trusted: 2, says: nil),
            Row(list: "", trusted: 1, says: nil),
            Row(list: "\(String(repeating: "9", count: 80))", trusted: 1,
                says: String(repeating: "9", count: 64)),
        ])
    func rows(_ row: Row) {
        let list = row.list.split(separator: ",")
        #expect(ForwardedAddress.of(list, trusted: row.trusted) == row.says)
    }

    @Test("guesses are counted by the address before the balancer's, whatever stands before that")
    func throttled() async throws {
        let world = try AccessWorld(proxyCount: 2)
        func guess(_ number: Int, _ list: String) async -> Int {
            await world.post(
                "/login", ["name": "user\(number)", "password": "wrong, wrong, wrong"],
                from: list
            ).status
        }
        var statuses: [Int] = []
        for number in 0..<12 {
            statuses.append(
                await guess(number, "198.51.100.\(number), 203.0.113.9, 35.191.0.1"))
        }
        #expect(statuses.first == 401)
        #expect(statuses.last == 429, "forged addresses do not help: \(statuses)")
        #expect(
            await guess(12, "203.0.113.10, 35.191.0.1") == 401,
            "who comes through the same balancer is somebody else")
    }
}
