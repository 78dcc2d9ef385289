import Testing

@testable import Bridges

/// A run is what whoever takes it spends a transaction on: it must not be as small as what was
/// fetched at once.
@Suite("The order in which fetched messages are taken")
struct FetchedOrderTests {
    private static let small = FetchedOrder.Piece.record(byteCount: 10)

    @Test("records of one partition come together, in their order, past those of others")
    func together() {
        let order = FetchedOrder(
            [Self.small, .other, Self.small, .other, .other, Self.small], bytesMax: 100)
        #expect(order.together == [0, 2, 5])
        #expect(order.behind == [1, 3, 4])
        #expect(order.outdated == [])
    }

    @Test("an end that has records behind it is none; the last one stands behind them")
    func ends() {
        let order = FetchedOrder(
            [Self.small, .end, .other, Self.small, .end, .other], bytesMax: 100)
        #expect(order.together == [0, 3, 4])
        #expect(order.behind == [2, 5])
        #expect(order.outdated == [1])
        let twice = FetchedOrder([Self.small, .end, .other, .end], bytesMax: 100)
        #expect(twice.together == [0, 3])
        #expect(twice.outdated == [1])
    }

    @Test("nothing is taken from behind a trouble, nor beyond the bytes that may be")
    func bounds() {
        let trouble = FetchedOrder([Self.small, .other, .trouble, Self.small, .end], bytesMax: 100)
        #expect(trouble.together == [0])
        #expect(trouble.behind == [1, 2, 3, 4])
        let full = FetchedOrder(
            [.record(byteCount: 90), .end, Self.small, Self.small, .end, Self.small], bytesMax: 100)
        #expect(full.together == [0, 2])
        #expect(full.behind == [3, 4, 5])
        #expect(full.outdated == [1])
        let large = FetchedOrder([.record(byteCount: 900), Self.small], bytesMax: 100)
        #expect(large.together == [0])
        #expect(large.behind == [1])
    }
}
