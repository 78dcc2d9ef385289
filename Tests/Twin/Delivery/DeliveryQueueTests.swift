import Foundation
import Testing
import TwinSupport

@testable import Traffic
@testable import Twin
@testable import Vocabulary

@Suite("Delivery queue")
struct DeliveryQueueTests {
    static let endpoint = TwinEndpoint(
        id: "we_1", url: "http://127.0.0.1/", secrets: ["whsec_a"], enabledEvents: ["*"])

    static func queue(
        seed: UInt64 = 1, endpoint: TwinEndpoint = endpoint,
        schedule: RetrySchedule = .quick, limits: DeliveryLimits = DeliveryLimits(),
        faults: (inout DeliveryFaults) -> Void = { _ in }
    ) -> DeliveryQueue {
        var queue = DeliveryQueue(
            endpoint: endpoint, seed: seed, schedule: schedule, limits: limits)
        var set = DeliveryFaults()
        faults(&set)
        queue.set(set)
        return queue
    }

    /// Offers `count` events one a millisecond, answers every attempt at once, and goes on until
    /// nothing is pending.
    static func run(
        _ queue: inout DeliveryQueue, count: Int,
        answer: (Shipment) -> DeliveryOutcome = { _ in .answered(status: 200) }
    ) -> [Shipment] {
        var attempts: [Shipment] = []
        var now: Int64 = 0
        for number in 1...count {
            now += 1
            queue.offer(TwinEvent.sample(number), at: now)
            while let shipment = queue.takeDue(at: now) {
                attempts.append(shipment)
                queue.finish(shipment, answer(shipment), at: now)
            }
        }
        while let due = queue.nextDue {
            now = max(now, due)
            guard let shipment = queue.takeDue(at: now) else { continue }
            attempts.append(shipment)
            queue.finish(shipment, answer(shipment), at: now)
        }
        return attempts
    }

    @Test("without faults delivers every event once and in order")
    func plain() {
        var queue = Self.queue()
        let ids = Self.run(&queue, count: 500).map(\.event.id)
        #expect(ids == (1...500).map { TwinEvent.sample($0).id })
        #expect(queue.tally[.delivered] == 500)
        #expect(queue.tally[.attempts] == 500)
        #expect(queue.pending == 0)
    }

    @Test("an endpoint gets only the types it wants, and none while it is disabled")
    func types() {
        var chosen = Self.endpoint
        chosen.enabledEvents = ["refund.created", "payout.paid"]
        var queue = Self.queue(endpoint: chosen)
        queue.offer(TwinEvent.sample(1), at: 0)
        queue.offer(TwinEvent.sample(2, type: "payout.paid"), at: 0)
        chosen.isEnabled = false
        queue.update(chosen)
        queue.offer(TwinEvent.sample(3, type: "payout.paid"), at: 0)
        #expect(queue.tally[.offered] == 1)
        let taken = [queue.takeDue(at: 0), queue.takeDue(at: 0)]
        #expect(taken.map(\.?.event.id) == [TwinEvent.sample(2).id, nil])
    }

    @Test("anything but 2xx is tried again after the schedule's waits, then given up")
    func retries() {
        var schedule = RetrySchedule.quick
        schedule.attemptsMax = 4
        schedule.jitterShare = 0
        for outcome in [
            DeliveryOutcome.answered(status: 500), .answered(status: 302), .answered(status: 400),
            .unanswered(reason: "timeout"),
        ] {
            var queue = Self.queue(schedule: schedule)
            queue.offer(TwinEvent.sample(1), at: 1_000)
            var times: [Int64] = []
            while let due = queue.nextDue, let shipment = queue.takeDue(at: due) {
                times.append(due)
                #expect(shipment.attempts == times.count)
                let another = queue.takeDue(at: due)
                #expect(another == nil)
                queue.finish(shipment, outcome, at: due)
            }
            #expect(times == [1_000, 1_200, 1_600, 2_400])
            #expect(queue.tally[.givenUp] == 1)
            #expect(queue.tally[.retries] == 3)
            #expect(queue.pending == 0)
            #expect(queue.tally.lastFailure?.outcome == outcome)
        }
    }

    @Test("by share each fault strikes so many events, the same for the same seed")
    func shares() {
        for fault in DeliveryFault.allCases {
            var one = Self.queue { $0[fault].share = 0.3 }
            var again = Self.queue { $0[fault].share = 0.3 }
            var other = Self.queue(seed: 2) { $0[fault].share = 0.3 }
            let first = Self.run(&one, count: 2_000)
            let second = Self.run(&again, count: 2_000)
            #expect(first.map(\.event.id) == second.map(\.event.id))
            _ = Self.run(&other, count: 2_000)
            let struck = Self.struck(one, fault)
            #expect((500...700).contains(struck), "\(fault) struck \(struck)")
            #expect(other.tally != one.tally || fault == .reorder)
            let lost = fault == .loss ? struck : 0
            let copies = fault == .duplicate || fault == .secondEvent ? struck : 0
            #expect(one.tally[.delivered] == 2_000 - lost + copies)
        }
    }

    private static func struck(_ queue: DeliveryQueue, _ fault: DeliveryFault) -> Int {
        let name: DeliveryTally.Name =
            switch fault {
            case .duplicate: .duplicated
            case .reorder: .reordered
            case .delay: .delayed
            case .loss: .lost
            case .twoSecrets: .signedTwice
            case .staleTimestamp: .stale
            case .wrongSignature: .missigned
            case .secondEvent: .toldTwice
            }
        return queue.tally[name]
    }

    @Test("by count a fault strikes the next events and no more")
    func counts() {
        var queue = Self.queue { $0[.loss].next = 3 }
        let ids = Self.run(&queue, count: 10).map(\.event.id)
        #expect(ids == (4...10).map { TwinEvent.sample($0).id })
        #expect(queue.faults[.loss].next == 0)
    }

    @Test("an event is overtaken by at most the window, and never forgotten")
    func reorder() {
        var queue = Self.queue { $0[.reorder].share = 0.4 }
        let ids = Self.run(&queue, count: 1_000).map(\.event.id)
        let place = Dictionary(uniqueKeysWithValues: ids.enumerated().map { ($1, $0) })
        #expect(place.count == 1_000)
        var overtaken = 0
        for number in 1...1_000 {
            let shift = (place[TwinEvent.sample(number).id] ?? .max) - (number - 1)
            #expect(shift <= DeliveryLimits().reorderWindow)
            if shift > 0 { overtaken += 1 }
        }
        #expect(overtaken > 200)
    }

    @Test("a held event goes out when its time has come, though nothing overtakes it")
    func lastOneHeld() {
        var queue = Self.queue { $0[.reorder].next = 1 }
        queue.offer(TwinEvent.sample(1), at: 0)
        let early = queue.takeDue(at: 0)
        #expect(early == nil)
        let due = queue.nextDue
        #expect(due == DeliveryLimits().reorderMillisecondsMax)
        let shipment = queue.takeDue(at: due ?? 0)
        #expect(shipment?.event.id == TwinEvent.sample(1).id)
    }

    @Test("a wrong signature spoils the first attempt alone")
    func forgeries() {
        for (fault, forgery) in [
            (DeliveryFault.wrongSignature, Forgery.wrongSecret), (.staleTimestamp, .stale),
        ] {
            var queue = Self.queue { $0[fault].next = 1 }
            let attempts = Self.run(&queue, count: 1) {
                .answered(status: $0.forgery == nil ? 200 : 400)
            }
            #expect(attempts.map(\.forgery) == [forgery, nil])
            #expect(queue.tally[.delivered] == 1)
        }
    }

    @Test("the second event of one fact differs in its id alone")
    func secondEvent() throws {
        var queue = Self.queue { $0[.secondEvent].next = 1 }
        let both = Self.run(&queue, count: 1).map(\.event)
        try #require(both.count == 2)
        #expect(both[0].id != both[1].id)
        #expect(both[1].id.hasPrefix("evt_") && both[1].id.count == both[0].id.count)
        let text = String(decoding: both[1].body, as: UTF8.self)
        #expect(
            text.replacingOccurrences(of: both[1].id, with: both[0].id)
                == String(decoding: both[0].body, as: UTF8.self))
    }

    @Test("a full queue delivers nothing more, counts it, and takes events again when it has room")
    func overflow() {
        var limits = DeliveryLimits()
        limits.pendingMax = 3
        var queue = Self.queue(limits: limits)
        for number in 1...5 { queue.offer(TwinEvent.sample(number), at: 0) }
        #expect(queue.pending == 3)
        #expect(queue.tally[.overflowed] == 2)
        if let shipment = queue.takeDue(at: 0) {
            queue.finish(shipment, .answered(status: 200), at: 0)
        }
        queue.offer(TwinEvent.sample(6), at: 0)
        #expect(queue.pending == 3)

        limits = DeliveryLimits()
        limits.pendingByteCountMax = 2 * TwinEvent.sample(1).body.count
        queue = Self.queue(limits: limits)
        for number in 1...5 { queue.offer(TwinEvent.sample(number), at: 0) }
        #expect(queue.pending == 2)
        #expect(queue.tally[.overflowed] == 3)
    }

    @Test("no more is in flight than is allowed")
    func inFlight() throws {
        var limits = DeliveryLimits()
        limits.inFlightMax = 2
        var queue = Self.queue(limits: limits)
        for number in 1...5 { queue.offer(TwinEvent.sample(number), at: 0) }
        let taken = (1...3).map { _ in queue.takeDue(at: 0) }
        #expect(taken.map { $0 != nil } == [true, true, false])
        #expect(queue.nextDue == nil)
        let first = try #require(taken[0])
        queue.finish(first, .answered(status: 200), at: 0)
        let next = queue.takeDue(at: 0)
        #expect(next?.event.id == TwinEvent.sample(3).id)
    }
}
