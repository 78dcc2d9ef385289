import Vocabulary

/// What Stripe holds, by currency and by the day on which it may be paid out.
///
/// The sum of all parts is at every moment the sum of the nets of all balance transactions: what
/// was paid out and its payout sum to zero, and the rest stands here.
struct TwinBalance: Sendable {
    /// Part of the balance, and the transactions it is made of.
    struct Part: Sendable {
        var sum: Int64 = 0
        var members: [Ref<TwinTransaction>] = []
    }

    static let daySeconds: Int64 = 86_400

    private var available: [Currency: Part] = [:]
    private var pending: [Currency: [Int64: Part]] = [:]

    /// Adds to the sum of what is available on a day.
    ///
    /// - Parameters:
    ///   - day: the second at which that begins to be available.
    ///   - member: the transaction, nil where only a sum is put right.
    mutating func add(
        _ net: Int64, _ currency: Currency, on day: Int64, now: Int64,
        member: Ref<TwinTransaction>?
    ) {
        if day <= now {
            available[currency, default: Part()].add(net, member)
        } else {
            pending[currency, default: [:]][day, default: Part()].add(net, member)
        }
    }

    /// Makes available what is due.
    ///
    /// - Returns: whether there was anything.
    mutating func release(now: Int64) -> Bool {
        var found = false
        for (currency, days) in pending {
            for day in days.keys.filter({ $0 <= now }).sorted() {
                guard let part = pending[currency]?.removeValue(forKey: day) else { continue }
                available[currency, default: Part()].sum += part.sum
                available[currency, default: Part()].members += part.members
                found = true
            }
        }
        return found
    }

    /// Takes out what is available in a currency, if that is more than nothing.
    mutating func takeAvailable(_ currency: Currency) -> Part? {
        guard let part = available[currency], part.sum > 0 else { return nil }
        available[currency] = Part()
        return part
    }

    /// Every currency there ever was anything in, by its code.
    var currencies: [Currency] {
        Set(available.keys).union(pending.keys).sorted { $0.code < $1.code }
    }

    func available(_ currency: Currency) -> Int64 { available[currency]?.sum ?? 0 }

    func pending(_ currency: Currency) -> Int64 {
        pending[currency]?.values.reduce(0) { $0 + $1.sum } ?? 0
    }
}

extension TwinBalance.Part {
    fileprivate mutating func add(_ net: Int64, _ member: Ref<TwinTransaction>?) {
        sum += net
        if let member { members.append(member) }
    }
}
