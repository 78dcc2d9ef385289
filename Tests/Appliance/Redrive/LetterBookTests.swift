import AppendLog
import Synchronization
import TestSupport
import Testing

@testable import Appliance
@testable import Vocabulary

/// What a process keeps of dead letters that lie on other machines, and how much one look reads.
@Suite("The book of dead letters")
struct LetterBookTests {
    /// A partition of so many letters, made when they are read.
    private struct Lane: RecordReading {
        typealias Failure = StoreFailure

        var start = Offset.zero
        var end: Offset
        /// Offsets of letters that an order behind them sends back.
        var orders: [Int64: Int64] = [:]

        init(_ count: Int64, orders: [Int64: Int64] = [:]) {
            (end, self.orders) = (Offset(count), orders)
        }

        func read(
            from offset: Offset, byteCountMax: Int
        ) throws(StoreFailure) -> [StoredRecord] {
            let last = min(end.rawValue, offset.rawValue + 1_000)
            return (offset.rawValue..<last).map { number in
                let record =
                    if let letter = orders[number] {
                        Record(
                            key: nil, value: nil,
                            headers: [
                                RecordHeader(RedriveHeader.from, "dead.letter/\(letter)"),
                                RecordHeader(RedriveHeader.to, "webhook.received"),
                            ], timestamp: Timestamp(milliseconds: number))
                    } else {
                        PipelineFixture.letter(
                            "{}".utf8, topic: "webhook.received", stage: "validate",
                            reason: number % 2 == 0 ? "bad_id" : "bad_amount")
                    }
                return StoredRecord(offset: Offset(number), record: record)
            }
        }

        func offset(at timestamp: Timestamp) throws(StoreFailure) -> Offset? { nil }
    }

    private static func book(_ lanes: [Lane]) -> LetterBook {
        LetterBook(partitions: Int32(lanes.count)) { lane throws(StoreFailure) in
            TopicReader(lanes[Int(lane.partition)]) { $0 }
        }
    }

    @Test("of letters that are listed no more it is known that they have gone back, and no more")
    func settled() throws {
        let most = Int64(RedriveLimits.bookLetterCountMax)
        // Behind all letters the first hundred of them go back, and the very last one.
        let count = most + 5_000
        var orders: [Int64: Int64] = [:]
        for number in 0..<100 { orders[count + Int64(number)] = Int64(number) }
        orders[count + 100] = count - 1
        let book = Self.book([Lane(count + 101, orders: orders)])
        repeat { _ = try book.listed() } while book.behind > 0
        // One more look, at which nothing comes, changes nothing.
        for _ in 0..<2 {
            let index = try book.redrives()
            #expect((0..<100).allSatisfy { index.hasGone(.letter(Offset($0))) })
            #expect(!index.hasGone(.letter(Offset(100))))
            #expect(index.hasGone(.letter(Offset(count - 1))))
            #expect(index.orders.keys.map(\.offset) == [Offset(count - 1)])
        }
        #expect(try book.listed().last?.state == .sent)
        #expect(book.unlistedCount >= 5_000)
    }

    @Test("a set of offsets is that, whatever goes in and out of it, and of neighbours makes one")
    func ranges() {
        var (ranges, naive) = (OffsetRanges(), Set<Int64>())
        for step in Int64(0)..<2_000 {
            let number = (step * 7_919 + step * step % 101 * 13) % 300
            ranges.insert(Offset(number))
            naive.insert(number)
            if step % 400 == 399 {
                ranges.remove(before: Offset(number / 4))
                naive = naive.filter { $0 >= number / 4 }
            }
            #expect(ranges.has(Offset(number)) == naive.contains(number))
            let gaps = naive.count { !naive.contains($0 + 1) }
            #expect(ranges.ranges.count == gaps, "\(naive.sorted())")
        }
        #expect((0..<310).allSatisfy { ranges.has(Offset($0)) == naive.contains($0) })
    }

    @Test("one look reads no more than its bound, and the next one goes on; until then none goes")
    func looks() throws {
        let most = RedriveLimits.lookRecordCountMax
        let book = Self.book([Lane(Int64(most) + 500), Lane(7)])
        #expect(throws: StoreFailure.self) { _ = try book.redrives() }
        #expect(book.behind == 507)
        #expect(try book.listed().count == most + 507)
        #expect(book.behind == 0)
        #expect(try book.redrives().orders.isEmpty)
        #expect(try book.listed().count == most + 507, "nothing is read twice")
    }

    @Test("of too many the newest are kept, and the others counted")
    func newest() throws {
        let count = Int64(RedriveLimits.bookLetterCountMax) + 3_000
        let book = Self.book([Lane(count)])
        var lines: [LetterLine] = []
        repeat { lines = try book.listed() } while book.behind > 0
        #expect(lines.count <= RedriveLimits.bookLetterCountMax)
        #expect(Int64(lines.count) + book.unlistedCount == count)
        #expect(lines.last?.offset == Offset(count - 1))
        #expect(lines.map(\.offset) == lines.map(\.offset).sorted())
    }

    @Test("a topic that was made anew is read anew, and none of it is taken for one that went back")
    func madeAnew() throws {
        let lanes = Mutex([Lane(3), Lane(5, orders: [4: 2])])
        let book = LetterBook(partitions: 2) { lane throws(StoreFailure) in
            TopicReader(lanes.withLock { $0[Int(lane.partition)] }) { $0 }
        }
        #expect(try book.listed().count == 7)
        #expect(try book.redrives().orders.count == 1)
        lanes.withLock { $0 = [Lane(3), Lane(4)] }
        let lines = try book.listed()
        #expect(lines.count == 7 && lines.allSatisfy { $0.state == .notRedriven })
        #expect(try book.redrives().orders.isEmpty)
    }

    @Test("pages go over partitions, by reason too; what has an order says that it went back")
    func pages() throws {
        let book = Self.book([Lane(5, orders: [4: 2]), Lane(0), Lane(4)])
        let all = try book.listed()
        #expect(all.map(\.place.letterName) == ["0", "1", "2", "3", "2/0", "2/1", "2/2", "2/3"])
        #expect(all.filter { $0.state != .notRedriven }.map(\.place.letterName) == ["2"])
        #expect(all[2].state == .sent)
        for (reason, due) in [
            (nil, all.map(\.place)),
            ("bad_id", all.filter { $0.reason == "bad_id" }.map(\.place)),
        ] as [(String?, [SourcePlace])] {
            for limit in [1, 3, 8, 9] {
                var (place, found): (SourcePlace?, [SourcePlace]) = (nil, [])
                repeat {
                    let page = try book.page(after: place, limit: limit, reason: reason)
                    #expect(page.lines.count <= limit)
                    found += page.lines.map(\.place)
                    place = page.next
                } while place != nil
                #expect(found == due, "\(reason ?? "all") by \(limit)")
            }
        }
        #expect(try book.letter(at: .letter(Offset(4))) == nil, "an order is no letter")
        #expect(try book.letter(at: .letter(Offset(1), partition: 9)) == nil)
        let one = try #require(try book.letter(at: .letter(Offset(3), partition: 2)))
        #expect(one.line.reason == "bad_amount" && Array(one.value) == Array("{}".utf8))
    }
}
