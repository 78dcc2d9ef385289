package import Vocabulary

/// What a gate said to a delivery, as far as the client cares.
struct LoadAnswer: Hashable, Sendable {
    let status: Int
    /// `{"received":true,"duplicate":true}`
    let isDuplicate: Bool
    /// The `code` of an error's body.
    let code: String?

    init(_ answer: HTTPAnswerReader.Answer) {
        status = answer.status
        let body = answer.body[...]
        if status == 200 {
            isDuplicate = Self.value(of: "\"duplicate\"", in: body)?.first == UInt8(ascii: "t")
            code = nil
        } else {
            isDuplicate = false
            code = Self.value(of: "\"code\"", in: body).map { value in
                String(
                    decoding: value.dropFirst().prefix { $0 != UInt8(ascii: "\"") },
                    as: UTF8.self)
            }
        }
    }

    /// What stands after this quoted key's colon. Enough for a gate's two known answers.
    private static func value(
        of key: StaticString, in body: ArraySlice<UInt8>
    ) -> ArraySlice<UInt8>? {
        ByteSearch.range(of: key, in: body).map { found in
            body[found.upperBound...].drop { $0 == UInt8(ascii: ":") || $0 <= UInt8(ascii: " ") }
        }
    }

    /// Stripe delivers again after such an answer, because another attempt may succeed.
    var mayBeRetried: Bool { status >= 500 || status == 429 }

    /// What the report counts it under: the error's code, else the status.
    var label: String { code ?? "http_\(status)" }
}

/// Counts what a run sent and how it was answered.
package struct LoadTally: Sendable {
    /// Deliveries of events that had not been delivered, of copies, and of forgeries.
    package var firsts = 0
    package var copies = 0
    package var forgeries = 0
    /// Requests sent, retries among them.
    package var attempts = 0
    package var retries = 0
    /// Retries of deliveries that may have been stored although nobody heard of it.
    var ambiguous = 0
    package var connectionsLost = 0
    package var timeouts = 0

    package var accepted = 0
    package var duplicates = 0
    /// Final answers other than 200, by code.
    package var refused: [String: Int] = [:]
    /// Deliveries given up without a final answer.
    package var abandoned = 0

    package var fraudulentPayments = 0
    /// Different events by type.
    package var events: [String: Int] = [:]
    package var latency = LatencyHistogram()
    /// Answers that contradict what was expected, by what they were.
    package private(set) var differences: [String: Int] = [:]

    package var answered: Int { accepted + duplicates + refused.values.reduce(0, +) }

    mutating func noteDelivery(_ delivery: Delivery) {
        switch delivery.expectation {
        case .refused: forgeries += 1
        case .acknowledged(isCopy: true): copies += 1
        case .acknowledged(isCopy: false):
            firsts += 1
            events[delivery.event.type, default: 0] += 1
            if delivery.event.isFraudulentAttempt { fraudulentPayments += 1 }
        }
    }

    mutating func noteAnswer(_ answer: LoadAnswer, to delivery: Delivery) {
        if answer.status == 200 {
            if answer.isDuplicate { duplicates += 1 } else { accepted += 1 }
        } else {
            refused[answer.label, default: 0] += 1
        }
        switch delivery.expectation {
        case .acknowledged:
            if answer.status != 200 { differences["refused_\(answer.label)", default: 0] += 1 }
        case .refused(let forgery):
            let isRight = answer.status == 400 && answer.code?.hasPrefix("signature_") == true
            if !isRight {
                differences["forgery_\(forgery.rawValue)_\(answer.label)", default: 0] += 1
            }
        }
    }

    /// Compares the sums at the end of a run. Copies may overtake each other, so only the number of
    /// first deliveries is certain; retries after a lost answer may turn an acceptance into a
    /// duplicate.
    mutating func close() {
        let lowest = firsts - ambiguous - abandoned
        let unanswered = differences.filter { $0.key.hasPrefix("refused_") }.values.reduce(0, +)
        if accepted > firsts {
            differences["accepted_twice", default: 0] += accepted - firsts
        } else if accepted < lowest - unanswered {
            differences["called_duplicate_at_first", default: 0] += lowest - unanswered - accepted
        }
        if abandoned > 0 { differences["abandoned", default: 0] += abandoned }
    }
}
