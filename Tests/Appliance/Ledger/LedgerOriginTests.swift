import Testing

@testable import Appliance
@testable import Vocabulary

@Suite("What a ledger is booked from")
struct LedgerOriginTests {
    private static let box = "0123456789abcdef0123456789abcdef"

    @Test(
        "reads back as it was noted",
        arguments: [
            ("kafka/1/MkU3OEVBNTctOEUyRi00/", "MkU3OEVBNTctOEUyRi00", "", 1),
            ("kafka/2/abc/shop.", "abc", "shop.", 2),
            ("kafka/12//shop.", "", "shop.", 12),
            ("kafka/3/a/b/shop.", "a/b", "shop.", 3),
        ])
    func readsBack(note: String, cluster: String, prefix: String, turn: Int) {
        let origin = LedgerOrigin(note: note)
        #expect(origin == .roles(KafkaOrigin(cluster: cluster, prefix: prefix), turn: turn))
        #expect(origin.note == note)
    }

    @Test("is a box's log where it is no topics", arguments: [box, "kafka/x/a/b", "kafka/1/a", ""])
    func isBox(note: String) {
        #expect(LedgerOrigin(note: note) == .box(log: note))
        #expect(LedgerOrigin(note: note).note == note)
    }

    @Test("is the last turn of all that are noted, and a box's as soon as one is")
    func standing() {
        let notes = ["kafka/2/b/", "kafka/10/c/", "kafka/1/a/"]
        #expect(LedgerOrigin.standing(of: []) == nil)
        #expect(
            LedgerOrigin.standing(of: notes)
                == .roles(KafkaOrigin(cluster: "c", prefix: ""), turn: 10))
        #expect(LedgerOrigin.standing(of: notes + [Self.box]) == .box(log: Self.box))
    }

    @Test(
        "agrees where both are known to be the same",
        arguments: [
            ("a/p.", "a/p.", true), ("a/p.", "b/p.", false), ("a/p.", "a/q.", false),
            ("/p.", "a/p.", true), ("a/p.", "/p.", true), ("/p.", "/q.", false),
        ])
    func agrees(one: String, other: String, isSame: Bool) throws {
        let (one, other) = (
            try #require(KafkaOrigin(text: one)), try #require(KafkaOrigin(text: other))
        )
        #expect(one.agrees(with: other) == isSame)
    }
}
