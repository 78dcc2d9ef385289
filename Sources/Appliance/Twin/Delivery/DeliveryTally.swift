/// What came of the deliveries to one endpoint.
struct DeliveryTally: Hashable, Sendable {
    /// What is counted. ``label`` is its stable name in JSON.
    enum Name: Int, CaseIterable, Sendable {
        /// Events of a type that the endpoint wants, and what became of their deliveries.
        case offered, delivered, givenUp, overflowed
        /// Requests, and those among them that were not the first for their delivery.
        case attempts, retries
        /// Requests that were answered with anything but 2xx, or not at all.
        case refused, unanswered
        /// How often each fault struck.
        case lost, duplicated, reordered, delayed, signedTwice, stale, missigned, toldTwice

        /// The case's name in snake case.
        var label: String {
            "\(self)".reduce(into: "") { label, letter in
                label += letter.isUppercase ? "_" + letter.lowercased() : String(letter)
            }
        }
    }

    /// The last attempt that failed.
    struct Failure: Hashable, Sendable {
        var event: String
        var outcome: DeliveryOutcome
    }

    private var values = [Int](repeating: 0, count: Name.allCases.count)
    private(set) var lastFailure: Failure?

    subscript(name: Name) -> Int { values[name.rawValue] }

    mutating func add(_ name: Name) { values[name.rawValue] += 1 }

    mutating func note(_ outcome: DeliveryOutcome, of event: String) {
        guard !outcome.isDelivered else { return }
        lastFailure = Failure(event: event, outcome: outcome)
        if case .answered = outcome { add(.refused) } else { add(.unanswered) }
    }
}
