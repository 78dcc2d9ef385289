import Synchronization

/// Makes who guesses wait; where one is kept for several instances, it can be out of reach.
package protocol LoginThrottling: Sendable {
    /// Counts an attempt before it is looked at, so that many at once are as slow as one by one.
    ///
    /// - Returns: nil where it may be looked at; else the seconds to wait.
    func begin(_ attempt: LoginThrottle.Attempt, atMilliseconds now: Int64) throws -> Int64?

    /// The attempt was a good one: the account's failures are forgotten. Those of the address are
    /// not, since whoever has an account could guess the others' between two logins of their own;
    /// there this attempt alone no longer counts.
    func succeeded(_ attempt: LoginThrottle.Attempt, atMilliseconds now: Int64) throws
}

/// Makes who guesses wait longer and longer: by account, and by address.
///
/// Nobody is locked out for good: the longest wait of an account is short, and whoever has signed
/// in from an address before does not wait for what others guess elsewhere. What it knows is
/// bounded, and lives as long as the process.
///
/// An address of IPv6 counts with its /64: that is what one customer of a provider has at least,
/// and may pick a new address from for each attempt.
package final class LoginThrottle: LoginThrottling {
    /// Whom an attempt is counted against.
    package struct Attempt: Hashable, Sendable {
        /// The account's name as it was typed; nil for a setup code.
        var account: String?
        /// The address of IPv4, or the network of IPv6.
        let address: String

        init(account: String?, address: String) {
            self.account = account
            self.address = NetworkName.of(address)
        }
    }

    /// Attempts before the first wait.
    private static let freeCount = 5
    /// Seconds of the longest waits.
    static let accountWaitMax: Int64 = 30
    static let addressWaitMax: Int64 = 900
    /// An hour without an attempt forgets them.
    static let memoryMilliseconds: Int64 = 3_600_000
    /// Entries of each kind; a further one takes the place of the oldest.
    static let entryCountMax = 10_000

    struct Entry {
        var failures = 0
        /// When the last attempt was, and until when there is to be no other.
        var last: Int64
        var until: Int64
        /// The same two before the last attempt, which may turn out to be a good one.
        var before: (last: Int64, until: Int64)?
    }

    private struct State {
        var accounts: [String: Entry] = [:]
        var addresses: [String: Entry] = [:]
        /// Who has signed in from where, and when.
        var known: [Attempt: Int64] = [:]
    }

    private let state = Mutex(State())

    package init() {}

    package func begin(_ attempt: Attempt, atMilliseconds now: Int64) -> Int64? {
        let account = attempt.account?.lowercased()
        return state.withLock { state in
            let isKnown = state.known[Self.place(attempt)] != nil
            let waits = [
                isKnown ? nil : account.flatMap { state.accounts[$0]?.until },
                state.addresses[attempt.address]?.until,
            ]
            let until = waits.compactMap { $0 }.max() ?? 0
            guard until <= now else { return (until - now + 999) / 1_000 }
            if let account {
                Self.count(account, in: &state.accounts, now, waitMax: Self.accountWaitMax)
            }
            Self.count(
                attempt.address, in: &state.addresses, now, waitMax: Self.addressWaitMax)
            return nil
        }
    }

    package func succeeded(_ attempt: Attempt, atMilliseconds now: Int64) {
        state.withLock { state in
            if let account = attempt.account { state.accounts[account.lowercased()] = nil }
            if let entry = state.addresses[attempt.address] {
                state.addresses[attempt.address] = Self.discounted(entry)
            }
            let place = Self.place(attempt)
            if state.known.count >= Self.entryCountMax, state.known[place] == nil,
                let oldest = state.known.min(by: { $0.value < $1.value })
            {
                state.known[oldest.key] = nil
            }
            state.known[place] = now
        }
    }

    /// How many it knows of, of either kind.
    var counts: (accounts: Int, addresses: Int) {
        state.withLock { ($0.accounts.count, $0.addresses.count) }
    }

    private static func place(_ attempt: Attempt) -> Attempt {
        Attempt(account: attempt.account?.lowercased(), address: attempt.address)
    }

    private static func count(
        _ key: String, in entries: inout [String: Entry], _ now: Int64, waitMax: Int64
    ) {
        let entry = counted(entries[key], now, waitMax: waitMax)
        if entries[key] == nil, entries.count >= entryCountMax { makeRoom(in: &entries, now) }
        entries[key] = entry
    }

    /// An entry with one attempt more.
    static func counted(_ known: Entry?, _ now: Int64, waitMax: Int64) -> Entry {
        var entry = known ?? Entry(last: now, until: now)
        if now - entry.last > memoryMilliseconds { entry.failures = 0 }
        entry.before = entry.failures == 0 ? nil : (entry.last, entry.until)
        entry.failures += 1
        entry.last = now
        let beyond = entry.failures - freeCount
        // 1, 2, 4 … seconds; the bound is reached long before the shift is too long.
        let seconds = beyond < 0 ? 0 : min(Int64(1) << Int64(min(beyond, 20)), waitMax)
        entry.until = now + seconds * 1_000
        return entry
    }

    /// An entry without its last attempt; nil where that was the only one. No other can have begun
    /// since then where one has to wait: it would have been told to.
    static func discounted(_ known: Entry) -> Entry? {
        var entry = known
        entry.failures -= 1
        guard entry.failures > 0 else { return nil }
        guard let before = entry.before else { return entry }
        (entry.last, entry.until, entry.before) = (before.last, before.until, nil)
        return entry
    }

    /// Forgets what is old; where nothing is, the oldest tenth, so that room is made seldom.
    private static func makeRoom(in entries: inout [String: Entry], _ now: Int64) {
        entries = entries.filter { now - $0.value.last <= memoryMilliseconds }
        guard entries.count >= entryCountMax else { return }
        let oldest = entries.sorted { $0.value.last < $1.value.last }.prefix(entryCountMax / 10)
        for (key, _) in oldest { entries[key] = nil }
    }
}
