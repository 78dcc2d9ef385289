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
        for seed in 0..<500 {
            var history = RingHistory(seed: UInt64(seed))
            history.write(count: 30)
            let first = history.readEnds()
            let snapshot = history.moment
            history.write(count: history.random(20))
            let second = history.readEnds()
            var cut = cut(second, history.batches(from: first, to: second))
            cut.settle(transactions: 0, reviews: 0)
            for topic in RingHistory.ring {
                let records = history.written[topic] ?? []
                let end = cut.ends[topic]?.rawValue ?? 0
                for record in records.prefix(Int(end)) {
                    guard let source = record.source else { continue }
                    let there = cut.ends[source.topic]?.rawValue ?? 0
                    #expect(source.offset < there, "seed \(seed)")
                }
                let older = records.filter { $0.at <= snapshot }.count
                #expect(end >= Int64(older), "seed \(seed): \(topic) lost what was there before")
            }
        }
    }
}

/// What was written into topics of which each is derived from the next.
private struct RingHistory {
    static let ring: [TopicID] = [.deadLetter, .paymentValidated, .paymentScored]

    struct Record {
        /// nil for one that comes from outside.
        var source: (topic: TopicID, offset: Int64)?
        var at: Int
    }

    private(set) var written: [TopicID: [Record]] = [:]
    /// How many records were written.
    private(set) var moment = 0
    private var generator: SeededGenerator

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    /// From 0 to below `bound`.
    mutating func random(_ bound: Int) -> Int { Int(generator.next() % UInt64(bound)) }

    /// Writes records into any topics, most of them from a record that nothing was made of yet.
    mutating func write(count: Int) {
        for _ in 0..<count {
            moment += 1
            let place = random(3)
            let topic = Self.ring[place]
            let input = Self.ring[(place + 1) % 3]
            let count = written[input]?.count ?? 0
            let known = written[topic]?.compactMap { $0.source?.offset }.max() ?? 0
            var record = Record(at: moment)
            if known < count, random(4) > 0 {
                record.source = (input, known + Int64(random(count - Int(known))))
            }
            written[topic, default: []].append(record)
        }
    }

    /// Reads the topics' ends in any order, while writing goes on.
    mutating func readEnds() -> [TopicID: Int64] {
        var ends: [TopicID: Int64] = [:]
        for topic in Self.ring.shuffled(using: &generator) {
            ends[topic] = Int64(written[topic]?.count ?? 0)
            write(count: random(4))
        }
        return ends
    }

    /// What was written between two readings, with where each record came from.
    func batches(
        from first: [TopicID: Int64], to second: [TopicID: Int64]
    ) -> [TopicID: [(Int64, ConsistentCut.Source)]] {
        var batches: [TopicID: [(Int64, ConsistentCut.Source)]] = [:]
        for topic in Self.ring {
            for offset in (first[topic] ?? 0)..<(second[topic] ?? 0) {
                guard let source = written[topic]?[Int(offset)].source else { continue }
                batches[topic, default: []].append(
                    (offset, .record(source.topic, Offset(source.offset))))
            }
        }
        return batches
    }
}
