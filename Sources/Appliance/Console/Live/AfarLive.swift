import AppendLog
import Appliance
import Vocabulary

/// Looks at a pipeline that other processes run, and remembers what it saw last: servers that do
/// not answer are told of beside it, with its time, and keep nobody waiting but this thread.
struct AfarLive: LiveLooking {
    private let parts: AfarLook
    private var readers: [LiveFigures.Reader] = []
    /// When they were seen, in milliseconds since 1970; nil before the first time.
    private var readersAt: Int64?
    /// Why they could not be asked, or records not read, at the last try.
    private var readersTrouble: String?
    private var recordsTrouble: String?
    /// Monotonic milliseconds before which nobody is asked again.
    private var readersDue: Int64
    private var recordsDue: Int64
    private var bookedDue: Int64
    private var money: MoneyCheck?
    private var moneySchedule: MoneySchedule
    /// Payments that are told of once the ledger has passed them, the oldest first.
    private var waiting: [Waiting] = []
    private var leftOut: [TopicID: Int64] = [:]
    private var paymentsLeftOut: Int64 = 0
    private let document = JSONDocument()

    /// One payment that was picked, and how many were passed over before it.
    private struct Waiting {
        var lane: SourceLane
        var stored: StoredRecord
        var payment: ScoredPayment
        var leftOut: Int64
    }

    init(_ parts: AfarLook) {
        self.parts = parts
        let milliseconds = parts.clock.monotonicMilliseconds()
        (readersDue, recordsDue, bookedDue) = (milliseconds, milliseconds, milliseconds)
        moneySchedule = MoneySchedule(from: milliseconds)
    }

    // MARK: Figures

    /// Other processes keep their own last hour.
    var buckets: [LiveHistory.Bucket] { [] }

    mutating func figures() -> LiveFigures {
        lookAtReaders()
        lookAtMoney()
        let index = parts.index
        return LiveFigures(
            at: parts.clock.now().milliseconds, startedAt: parts.startedAt,
            reasons: parts.readiness.current, warnings: parts.readiness.warnings + troubles,
            stages: TopicID.allCases.map {
                LiveFigures.Stage(topic: $0, count: index.count(of: $0), rate: index.rate(of: $0))
            },
            readers: readers, counts: [], rates: [], volume: [:],
            toLedger: LiveHistory.Latency(), toAnswer: LiveHistory.Latency(), bucket: nil,
            bridges: [], money: money, stripeAheadMilliseconds: nil, hasStripe: false,
            letterCount: index.count(of: .deadLetter), paymentsLeftOut: paymentsLeftOut,
            verifiedAt: parts.verifiedAt(), tally: index.tally,
            afar: LiveFigures.Afar(behind: index.behind))
    }

    private mutating func lookAtReaders() {
        let began = parts.clock.monotonicMilliseconds()
        guard began >= readersDue else { return }
        do {
            readers = AfarLook.summed(try parts.readers())
            (readersAt, readersTrouble) = (parts.clock.now().milliseconds, nil)
        } catch {
            readersTrouble = "\(error)"
        }
        let ended = parts.clock.monotonicMilliseconds()
        let pause =
            readersTrouble == nil
            ? LiveLimits.afarMilliseconds : LiveLimits.afarTroubleMilliseconds
        let rest = Double(ended - began) * (1 / LiveLimits.afarShareMax - 1)
        readersDue = ended + max(pause, Int64(rest))
    }

    /// A ledger that cannot be asked leaves what was seen last, with its time.
    private mutating func lookAtMoney() {
        let began = parts.clock.monotonicMilliseconds()
        guard moneySchedule.isDue(at: began) else { return }
        let now = parts.clock.now().milliseconds
        money = (try? MoneyCheck(parts.ledger, run: parts.lastRun(), at: now)) ?? money
        moneySchedule.didLook(from: began, to: parts.clock.monotonicMilliseconds())
    }

    /// What stands here and is not of now, and why; what does not come.
    private var troubles: [String] {
        var sentences: [String] = []
        if let readersTrouble {
            let since = readersAt.map {
                "the readers of the topics stand as of "
                    + ShownMoment(Timestamp(milliseconds: $0)).clock
            }
            sentences.append(
                "\(since ?? "how far the readers of the topics are is not known"): "
                    + readersTrouble)
        }
        if let recordsTrouble {
            sentences.append("single records are not told of now: \(recordsTrouble)")
        }
        return sentences
    }

    // MARK: Single records

    mutating func tell(_ feed: LiveFeed) {
        let now = parts.clock.monotonicMilliseconds()
        if now >= recordsDue {
            do {
                take(try parts.records(), feed)
                recordsTrouble = nil
            } catch {
                recordsTrouble = "\(error)"
                recordsDue =
                    parts.clock.monotonicMilliseconds() + LiveLimits.afarTroubleMilliseconds
            }
        }
        guard !waiting.isEmpty, now >= bookedDue else { return }
        tellBooked(feed)
        bookedDue = parts.clock.monotonicMilliseconds() + LiveLimits.afarBookedMilliseconds
    }

    /// Picks so many of each topic, and counts the others.
    private mutating func take(_ piece: AfarLook.Piece, _ feed: LiveFeed) {
        var picked: [TopicID: Int] = [:]
        for (lane, stored) in piece.records {
            guard picked[lane.topic, default: 0] < LiveLimits.recordsPerLook else {
                pass(1, of: lane.topic)
                continue
            }
            if pick(stored, in: lane, feed) { picked[lane.topic, default: 0] += 1 }
        }
        for (topic, count) in piece.passed { pass(count, of: topic) }
    }

    private mutating func pass(_ count: Int64, of topic: TopicID) {
        leftOut[topic, default: 0] += count
        if topic == .paymentScored { paymentsLeftOut += count }
    }

    /// - Returns: whether it is worth telling of.
    private mutating func pick(
        _ stored: StoredRecord, in lane: SourceLane, _ feed: LiveFeed
    ) -> Bool {
        let before = leftOut[lane.topic] ?? 0
        let value = stored.record.value ?? []
        switch lane.topic {
        case .paymentScored:
            guard let payment = try? ScoredPayment(value, using: document) else { return false }
            if waiting.count == LiveLimits.afarWaitingMax {
                // The one behind it tells of what was left out before both.
                let oldest = waiting.removeFirst()
                waiting[0].leftOut += oldest.leftOut + 1
                paymentsLeftOut += 1
            }
            waiting.append(
                Waiting(lane: lane, stored: stored, payment: payment, leftOut: before))
        case .paymentReview:
            guard let record = try? ReviewRecord(value, using: document) else { return false }
            feed.publish(
                "review",
                LiveRecord.encode(record, at: stored, lane.partition, leftOut: before))
        case .deadLetter:
            // An order to redrive is no letter.
            guard stored.record.header(RedriveHeader.to) == nil else { return false }
            feed.publish(
                "letter", LiveRecord.encode(letter: stored, lane.partition, leftOut: before))
        default: return false
        }
        leftOut[lane.topic] = 0
        return true
    }

    /// Tells of the payments that the ledger has passed. Where it cannot be asked they wait.
    private mutating func tellBooked(_ feed: LiveFeed) {
        do {
            var next: [SourceLane: Int64] = [:]
            for lane in Set(waiting.map(\.lane)) {
                next[lane] = try parts.ledger.position(
                    topic: lane.topic.rawValue, partition: lane.partition)
            }
            while let place = waiting.firstIndex(where: { one in
                one.stored.offset.rawValue < next[one.lane] ?? 0
            }) {
                let one = waiting[place]
                let booked = try parts.ledger.transactions(of: one.payment.event.movement)
                waiting.remove(at: place)
                feed.publish(
                    "payment",
                    LiveRecord.encode(
                        one.payment, booked, at: one.stored, one.lane.partition,
                        leftOut: one.leftOut))
            }
        } catch {
            // The money's own look tells of it.
        }
    }
}
