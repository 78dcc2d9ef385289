import AppendLog
import LogSupport
import Synchronization
import TestSupport
import Testing

@testable import Appliance
@testable import Vocabulary

/// How often a redrive asks the plane whose log lies on other machines.
@Suite("Readings of a redrive")
struct RedriveReadingTests {
    /// A partition that counts how often it is read, and for how many bytes.
    private final class Lane: RecordReading {
        typealias Failure = StoreFailure

        let records: [StoredRecord]
        private let asked = Mutex<[Int]>([])

        init(_ records: [StoredRecord]) { self.records = records }

        /// The bytes that each reading asked for.
        var readings: [Int] { asked.withLock { $0 } }
        var start: Offset { records.first?.offset ?? .zero }
        var end: Offset { records.last?.offset.advanced(by: 1) ?? .zero }

        func read(
            from offset: Offset, byteCountMax: Int
        ) throws(StoreFailure) -> [StoredRecord] {
            asked.withLock { $0.append(byteCountMax) }
            // As a batch is: never empty, where there is a record.
            return Array(records.drop { $0.offset < offset }.prefix(byteCountMax == 1 ? 1 : 500))
        }

        func offset(at timestamp: Timestamp) throws(StoreFailure) -> Offset? { nil }
    }

    private static func lane(_ offsets: some Sequence<Int64>) -> Lane {
        Lane(
            offsets.map { number in
                let signature = RecordHeader("signature", "of \(number)")
                return StoredRecord(
                    offset: Offset(number),
                    record: Record(
                        key: nil, value: Array("{}".utf8)[...], headers: [signature],
                        timestamp: Timestamp(milliseconds: 1)))
            })
    }

    @Test("records at offsets are handed over in order, each once; what is not kept is left out")
    func records() throws {
        let lane = Self.lane((10..<200).filter { $0 % 7 != 0 })
        func found(_ offsets: [Int64]) throws -> [Int64] {
            var found: [Int64] = []
            try lane.records(at: offsets.map { Offset($0) }) { found.append($0.offset.rawValue) }
            return found
        }
        #expect(try found([]) == [])
        #expect(try found([3, 9]) == [])
        #expect(try found([3, 10, 14, 15, 47, 48]) == [10, 15, 47, 48])
        let scan = Lane.scanByteCount
        #expect(lane.readings == [scan, scan])
        // Farther apart than what is worth reading along, each is asked for by itself.
        #expect(try found([20, 60, 180, 199, 200, 4_000]) == [20, 60, 180, 199])
        #expect(lane.readings.dropFirst(2) == [1, 1, scan])
        #expect(try found([4_000]) == [])
    }

    /// What is written of a redrive.
    private final class Kept: LetterStore {
        let records = Mutex<[Record]>([])

        func keep(
            _ letters: [Record],
            completion: @escaping @Sendable (Result<Void, StoreFailure>) -> Void
        ) {
            records.withLock { $0 += letters }
            completion(.success(()))
        }
    }

    @Test("a thousand letters of three partitions need a few readings of what they came from")
    func originals() async throws {
        let most = Int64(RedriveLimits.requestCountMax)
        let originals = (0..<3).map { _ in Self.lane(0..<most) }
        // Each letter is of another record, and their order is not that of the records.
        let letters = Lane(
            (0..<most).map { number in
                let place = SourcePlace(
                    topic: .webhookReceived, partition: Int32(number % 3),
                    offset: Offset(most - 1 - number))
                let letter = DeadLetter(
                    of: place, stage: "validate", reason: "bad_id", detail: "as it was"
                ).record(
                    key: nil, value: Array(PipelineFixture.charge(1).utf8)[...], eventID: "evt_1",
                    timestamp: Timestamp(milliseconds: 1))
                return StoredRecord(offset: Offset(number), record: letter)
            })
        let kept = Kept()
        let redriver = Redriver(
            source: LetterSource(
                letters: { [TopicReader(letters) { $0 }] },
                lane: { TopicReader(originals[Int($0.partition)]) { $0 } },
                targets: [.webhookReceived]),
            letters: kept, admission: ShutDoors(), defaultMerchant: MerchantID("acct_1"),
            livemodes: [.any], clock: ManualLogClock(), counters: Counters())
        let dry = try await redriver.redrive(RedriveRequest(reason: "bad_id", isDryRun: true))
        #expect(RedriveLine.results(dry.lines) == ["would_send": Int(most)])
        let readings = originals.map(\.readings.count)
        #expect(readings.allSatisfy { $0 <= 3 }, "one by one they were a thousand: \(readings)")
        // Named one by one, as the page does behind its dry run, they are read together as well.
        let before = letters.readings.count
        let sent = try await redriver.redrive(
            RedriveRequest(reason: "bad_id", letters: dry.lines.map(\.letter)))
        #expect(RedriveLine.results(sent.lines) == ["sent": Int(most)])
        #expect(letters.readings.count - before <= 20)
        let orders = kept.records.withLock { $0 }
        #expect(
            orders.map { $0.text("signature") }
                == (0..<most).map { "of \(most - 1 - $0)" }, "each has its own record's headers")
        #expect(orders.allSatisfy { $0.value?.isEmpty == false })
    }
}
