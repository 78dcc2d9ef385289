package import Synchronization

/// What the daemon has done since it started, counted without a lock.
///
/// Totals per currency are the exception: they sit behind one, touched once a batch.
package final class Counters: Sendable {
    /// What is counted. ``label`` is its stable name in the demo, in metrics and in JSON.
    package enum Name: Int, CaseIterable, Sendable {
        case admitted, duplicates, conflicts
        case signatureRefused, bodyTooLarge, unavailable, requestsTimedOut
        case requestsMalformed, memoryRefused
        case connectionsRefused, connectionsEvicted, connectionsIdled
        case adminRequestsRefused
        case validated, ignored, deadLetters, redriven
        case scored, rescored, repeated, notScored, approved, flagged, blocked, reviewsOpened
        case booked, paymentsBooked, alreadyBooked, postingsRefused
        case eventsBackfilled, eventsNearExpiry, reconciliationBreaks
        case chargesFetched, clockJumps

        /// The case's name in snake case.
        package var label: String {
            "\(self)".reduce(into: "") { label, letter in
                label += letter.isUppercase ? "_" + letter.lowercased() : String(letter)
            }
        }
    }

    private let values: [Cell]
    private let money = Mutex<[Currency: Int64]>([:])
    /// Events by API version and by type.
    package let shapes = ShapeCounters()
    /// How many told refunds wait in the ledger now; set by whoever books.
    package let waiting = Atomic<Int>(0)
    /// What stands still now.
    package let standstills = Standstills()
    /// Deliveries whose signature did not hold, by its code.
    package let signatureCodes = WordTally()
    /// Events that move nothing here, by type.
    package let ignoredTypes = WordTally()
    /// From a record's arrival at the gate to its commit in the ledger.
    package let endToEnd = ConcurrentHistogram()
    /// From a request's arrival to its answer, where that is 200.
    package let acknowledged = ConcurrentHistogram()

    private final class Cell: Sendable {
        let value = Atomic<Int>(0)
    }

    package init() { values = Name.allCases.map { _ in Cell() } }

    /// Adds `count` to a counter.
    package func add(_ name: Name, _ count: Int = 1) {
        guard count != 0 else { return }
        values[name.rawValue].value.add(count, ordering: .relaxed)
    }

    /// The counter's value now.
    package subscript(name: Name) -> Int { values[name.rawValue].value.load(ordering: .relaxed) }

    /// Adds payments booked, in minor units.
    package func add(volume: [Currency: Int64]) {
        guard !volume.isEmpty else { return }
        money.withLock { total in
            for (currency, amount) in volume { total[currency, default: 0] &+= amount }
        }
    }

    /// Payments booked since the start by currency, in minor units.
    package var volume: [Currency: Int64] { money.withLock { $0 } }
}
