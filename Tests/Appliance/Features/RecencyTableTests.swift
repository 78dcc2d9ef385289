import AppendLog
import Testing

@testable import Appliance
@testable import Vocabulary

@Suite("The recency table")
struct RecencyTableTests {
    @Test("does what a list of names in order of use would do", arguments: UInt64(1)...8)
    func model(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let capacity = Int.random(in: 1...300, using: &generator)
        var table = RecencyTable<Int>(capacity: capacity)
        var order: [(name: String, value: Int)] = []
        for step in 0..<6_000 {
            let name = "name \(Int.random(in: 0...450, using: &generator))"
            let known = order.firstIndex { $0.name == name }
            if let slot = table.use(NameKey(name)) {
                let place = known ?? -1
                #expect(place >= 0 && table[slot] == order[place].value, "seed \(seed)")
                if place >= 0 { order.append(order.remove(at: place)) }
            } else {
                #expect(known == nil, "seed \(seed): \(name) is not found")
                var evicted: Int?
                _ = table.insert(NameKey(name), step) { evicted = $0 }
                #expect(evicted == (order.count == capacity ? order[0].value : nil))
                if order.count == capacity { order.removeFirst() }
                order.append((name, step))
            }
        }
        var found: [Int] = []
        table.frozen().forEach { _, value in found.append(value) }
        #expect(found == order.map(\.value))
    }

    @Test("tells names apart that agree in their first 47 bytes and their length")
    func longNames() {
        let shared = String(repeating: "é", count: 30)
        #expect(NameKey(shared + "a") != NameKey(shared + "b"))
        #expect(NameKey(shared + "a") == NameKey(shared + "a"))
        #expect(NameKey("a") != NameKey("a\0"))
        #expect(NameKey("").isNone)
        let exact = String(repeating: "x", count: 47)
        #expect(NameKey(exact) != NameKey(exact + "x"))
    }
}
