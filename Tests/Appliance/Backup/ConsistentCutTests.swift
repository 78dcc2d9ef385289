import AppendLog
import Testing

@testable import Backup
@testable import Vocabulary

@Suite("Consistent cuts")
struct ConsistentCutTests {
    private func cut(
        _ ends: [TopicID: Int64], _ batches: [TopicID: [(Int64, ConsistentCut.Source)]]
    ) -> ConsistentCut {
        ConsistentCut(
            ends: ends.mapValues { Offset($0) },
            batches: batches.mapValues {
                $0.map { ConsistentCut.Batch(base: Offset($0.0), source: $0.1) }
            })
    }

    @Test("a record whose source lies behind its topic's cut is left out, and what follows it")
    func sources() {
        var cut = cut(
            [.webhookReceived: 10, .paymentValidated: 12],
            [
                .paymentValidated: [
                    (8, .record(.webhookReceived, Offset(9))),
                    (10, .record(.webhookReceived, Offset(10))),
                    (11, .record(.webhookReceived, Offset(3))),
                ]
            ])
        cut.settle(transactions: 0, reviews: 0)
        #expect(cut.ends == [.webhookReceived: Offset(10), .paymentValidated: Offset(10)])
    }

    @Test("what is left out leaves out what was taken from it, around a ring of topics too")
    func ring() {
        var cut = cut(
            [.paymentScored: 20, .deadLetter: 9, .paymentValidated: 30, .paymentReview: 6],
            [
                .paymentReview: [(4, .row(7)), (5, .row(8))],
                .deadLetter: [(7, .record(.paymentReview, Offset(5)))],
                .paymentValidated: [(28, .record(.deadLetter, Offset(8)))],
                .paymentScored: [(19, .record(.paymentValidated, Offset(29)))],
            ])
        cut.settle(transactions: 0, reviews: 7)
        #expect(
            cut.ends == [
                .paymentReview: Offset(5), .deadLetter: Offset(7), .paymentValidated: Offset(28),
                .paymentScored: Offset(19),
            ])
    }

    @Test("rows that the ledger's copy lacks are left out, each topic by its own numbers")
    func rows() {
        var cut = cut(
            [.ledgerPosted: 40, .paymentReview: 40],
            [.ledgerPosted: [(38, .row(39)), (39, .row(40))], .paymentReview: [(39, .row(40))]])
        cut.settle(transactions: 39, reviews: 40)
        #expect(cut.ends == [.ledgerPosted: Offset(39), .paymentReview: Offset(40)])
    }

    /// Topics in a ring, each derived from the next: records written one after the other, each from
    /// one that was there. First ends, the ledger's point and second ends are read in any order of
    /// topics while writing goes on.
    @Test("whatever is read when: nothing lacks its source, and what is older is all there")
    func histories() {
        let ring: [TopicID] = [.deadLetter, .paymentValidated, .paymentScored]
        for seed in 0..<500 {
            var random = SeededGenerator(seed: UInt64(seed))
            var written: [TopicID: [(source: (TopicID, Int64)?, at: Int)]] = [:]
            var moment = 0
            func write() {
                moment += 1
                let place = Int(random.next() % 3)
                let input = ring[(place + 1) % 3]
                let count = written[input]?.count ?? 0
                let known = written[ring[place]]?.compactMap { $0.source?.1 }.max() ?? 0
                var source: (TopicID, Int64)?
                if known < count, random.next() % 4 > 0 {
                    let from = known + Int64(random.next() % UInt64(Int64(count) - known))
                    source = (input, from)
                }
                written[ring[place], default: []].append((source, moment))
            }
            func ends() -> [TopicID: Int64] {
                var ends: [TopicID: Int64] = [:]
                for topic in ring.shuffled(using: &random) {
                    ends[topic] = Int64(written[topic]?.count ?? 0)
                    for _ in 0..<random.next() % 4 { write() }
                }
                return ends
            }
            for _ in 0..<30 { write() }
            let first = ends()
            let snapshot = moment
            for _ in 0..<random.next() % 20 { write() }
            let second = ends()
            var batches: [TopicID: [(Int64, ConsistentCut.Source)]] = [:]
            for topic in ring {
                let records = written[topic] ?? []
                for offset in (first[topic] ?? 0)..<(second[topic] ?? 0) {
                    guard let source = records[Int(offset)].source else { continue }
                    batches[topic, default: []].append(
                        (offset, .record(source.0, Offset(source.1))))
                }
            }
            var cut = cut(second, batches)
            cut.settle(transactions: 0, reviews: 0)
            for topic in ring {
                let end = cut.ends[topic]?.rawValue ?? 0
                let records = written[topic] ?? []
                for record in records.prefix(Int(end)) {
                    guard let source = record.source else { continue }
                    let there = cut.ends[source.0]?.rawValue ?? 0
                    #expect(source.1 < there, "seed \(seed)")
                }
                let older = records.filter { $0.at <= snapshot }.count
                #expect(end >= Int64(older), "seed \(seed): \(topic) lost what was there before")
            }
        }
    }
}
