import AppendLog
import Appliance
import Vocabulary

/// Walks two ledgers side by side, up to where the copy has come, and compares every row that
/// follows from something else with it.
struct LedgerComparison {
    /// The box's log, which the copy must be booked from.
    let log: String
    let local: any LedgerReading
    let copy: any LedgerReading

    private typealias Balances = [AccountAndCurrency: Int64]

    private struct AccountAndCurrency: Hashable, Comparable {
        var account: String
        var currency: String

        static func < (one: Self, other: Self) -> Bool {
            (one.account, one.currency) < (other.account, other.currency)
        }
    }

    func run() throws(LedgerError) -> BridgeVerification {
        let end = try copy.point()
        var verification = BridgeVerification()
        var walk = Walk()
        try comparePlaces(of: end, &verification)
        try compareTransactions(&walk, through: end.head, &verification)
        try compareReviewChanges(through: end.lastReview, &verification)
        try compareWhatChanges(&walk, &verification)
        verification.parts.insert(walk.part, at: 0)
        let proof = try copy.verify { _ in }
        if let fault = proof.fault {
            verification.firstDifference = verification.firstDifference
                ?? "the copy does not hold by itself: \(fault)"
        }
        return verification
    }

    /// A copy is noted to be one of this log, and has read no more of it than the ledger here.
    private func comparePlaces(
        of end: LedgerPoint, _ verification: inout BridgeVerification
    ) throws(LedgerError) {
        let here = try local.point()
        if end.logs.isEmpty, end.positions.isEmpty, end.head == 0 {
            guard !here.positions.isEmpty || here.head > 0 else { return }
            verification.note(
                "the ledger there has nothing of this log, nor a position of it: it was made "
                    + "anew, or the bridge has never run")
            return
        }
        if end.logs != [log] {
            let noted = end.logs.isEmpty ? "none" : end.logs.joined(separator: ", ")
            verification.note(
                "the copy is noted to be of the log \(noted), and this box's is \(log)")
        }
        let scored = TopicID.paymentScored.rawValue
        if end.head > 0, end.positions[scored] == nil {
            verification.note("the copy has no position in \(scored)")
        }
        for (topic, read) in end.positions.sorted(by: { $0.key < $1.key })
        where read > here.positions[topic] ?? 0 {
            verification.note(
                "the copy has read \(topic) up to \(read), and the ledger here up to "
                    + "\(here.positions[topic] ?? 0): it would leave out what lies between")
            break
        }
    }

    /// How far the transactions were compared, and what came of it.
    private struct Walk {
        var last: Int64 = 0
        /// What the copy's accounts come to by the local entries.
        var sums = Balances()
        var count = (local: Int64(0), copy: Int64(0))
        var digests = (local: FNV1a(), copy: FNV1a())

        var part: BridgeVerification.Part {
            .init(
                name: "transactions", localCount: count.local, targetCount: count.copy,
                localDigest: String(hex: digests.local.digest),
                targetDigest: String(hex: digests.copy.digest))
        }
    }

    /// How often both are looked at again where they have gone on while they were read.
    private static let looksMax = 10

    /// What changes in place can be compared at one moment only: it is read between two looks that
    /// find both where they were, and is left out where they never rest.
    private func compareWhatChanges(
        _ walk: inout Walk, _ verification: inout BridgeVerification
    ) throws(LedgerError) {
        for _ in 0..<Self.looksMax {
            let (end, here) = (try copy.point(), try local.point())
            try compareTransactions(&walk, through: end.head, &verification)
            let balances = try copy.balances()
            let isOneMoment = end.head == here.head && end.positions == here.positions
            let waiting = isOneMoment ? (try local.waiting(), try copy.waiting()) : nil
            let reviews =
                isOneMoment ? (try Self.openReviews(local), try Self.openReviews(copy)) : nil
            let kept = isOneMoment ? (try Self.kept(local), try Self.kept(copy)) : nil
            guard try copy.point() == end else { continue }
            compareBalances(walk.sums, balances, &verification)
            if let waiting, let reviews, let kept, try local.point() == here {
                compareWaiting(waiting, &verification)
                compareOpenReviews(reviews, &verification)
                try compareKept(kept, &verification)
            }
            return
        }
    }

    private func compareTransactions(
        _ walk: inout Walk, through head: Int64, _ verification: inout BridgeVerification
    ) throws(LedgerError) {
        while walk.last < head {
            let theirs = try local.posted(
                after: TransactionID(walk.last), limit: OriginalLedger.pageCount
            ).prefix { $0.id.rawValue <= head }
            let mine = try copy.posted(
                after: TransactionID(walk.last), limit: OriginalLedger.pageCount
            ).prefix { $0.id.rawValue <= head }
            walk.count.local += Int64(theirs.count)
            walk.count.copy += Int64(mine.count)
            for transaction in theirs { walk.digests.local.add(transaction.words.utf8) }
            for transaction in mine { walk.digests.copy.add(transaction.words.utf8) }
            if let (their, own) = zip(theirs, mine).first(where: { $0 != $1 }) {
                verification.note(their.difference(inCopy: own))
            }
            for transaction in theirs {
                for entry in transaction.posting.entries {
                    let place = AccountAndCurrency(
                        account: entry.account.rawValue, currency: entry.currency.code)
                    walk.sums[place, default: 0] &+= entry.amount.rawValue
                }
            }
            guard let end = mine.last ?? theirs.last else { break }
            walk.last = end.id.rawValue
        }
    }

    private func compareBalances(
        _ sums: Balances, _ balances: [AccountBalance], _ verification: inout BridgeVerification
    ) {
        var kept = Balances()
        for balance in balances {
            let place = AccountAndCurrency(
                account: balance.account.rawValue, currency: balance.currency.code)
            kept[place] = balance.balance.rawValue
        }
        for place in Set(sums.keys).union(kept.keys).sorted()
        where sums[place, default: 0] != kept[place, default: 0] {
            verification.note(
                "\(place.account) in \(place.currency) is \(kept[place, default: 0]) in the copy, "
                    + "and its entries here come to \(sums[place, default: 0])")
            break
        }
        verification.parts.append(
            .init(
                name: "accounts", localCount: Int64(sums.count), targetCount: Int64(kept.count),
                localDigest: Self.digest(sums), targetDigest: Self.digest(kept)))
    }

    private static func digest(_ balances: Balances) -> String {
        var hash = FNV1a()
        for (place, amount) in balances.sorted(by: { $0.key < $1.key }) {
            hash.add("\(place.account) \(place.currency) \(amount)\n".utf8)
        }
        return String(hex: hash.digest)
    }

    private func compareReviewChanges(
        through end: Int64, _ verification: inout BridgeVerification
    ) throws(LedgerError) {
        var (last, count) = (Int64(0), (local: Int64(0), copy: Int64(0)))
        var digests = (local: FNV1a(), copy: FNV1a())
        while last < end {
            let theirs = try local.reviewChanges(after: last, limit: OriginalLedger.pageCount)
                .prefix { $0.id <= end }
            let mine = try copy.reviewChanges(after: last, limit: OriginalLedger.pageCount)
                .prefix { $0.id <= end }
            count = (count.local + Int64(theirs.count), count.copy + Int64(mine.count))
            for change in theirs { digests.local.add(Self.words(change).utf8) }
            for change in mine { digests.copy.add(Self.words(change).utf8) }
            for (their, own) in zip(theirs, mine) where their != own {
                verification.note(
                    "change \(their.id) of a review (\(their.record.movement)) is another in the "
                        + "copy")
                break
            }
            guard let newest = mine.last ?? theirs.last else { break }
            last = newest.id
        }
        verification.parts.append(
            .init(
                name: "review changes", localCount: count.local, targetCount: count.copy,
                localDigest: String(hex: digests.local.digest),
                targetDigest: String(hex: digests.copy.digest)))
    }

    private static func words(_ change: ReviewChange) -> String {
        "\(change.id) \(change.eventID) \(change.postedAtMilliseconds) "
            + String(decoding: change.record.encoded(), as: UTF8.self) + "\n"
    }

    private func compareWaiting(
        _ waiting: (local: [WaitingMovement], copy: [WaitingMovement]),
        _ verification: inout BridgeVerification
    ) {
        let (theirs, mine) = waiting
        if theirs != mine { verification.note("what waits in the ledger is not the same") }
        verification.parts.append(
            .init(
                name: "waiting", localCount: Int64(theirs.count), targetCount: Int64(mine.count),
                localDigest: Self.digest("\(theirs)"), targetDigest: Self.digest("\(mine)")))
    }

    private func compareOpenReviews(
        _ reviews: (local: [Review], copy: [Review]), _ verification: inout BridgeVerification
    ) {
        let (theirs, mine) = reviews
        for (their, own) in zip(theirs, mine) where their != own {
            verification.note("the review of \(their.movement) stands differently in the copy")
            break
        }
        verification.parts.append(
            .init(
                name: "open reviews", localCount: Int64(theirs.count),
                targetCount: Int64(mine.count), localDigest: Self.digest("\(theirs)"),
                targetDigest: Self.digest("\(mine)")))
    }

    /// Of each table how many rows it has, and the digest of all.
    private typealias Kept = [KeptTable: (count: Int64, digest: FNV1a)]

    private static func kept(_ ledger: any LedgerReading) throws(LedgerError) -> Kept {
        var kept = Kept()
        for table in KeptTable.allCases {
            var (count, digest) = (Int64(0), FNV1a())
            try ledger.rows(of: table) { row in
                count += 1
                digest.add("\(row)\n".utf8)
            }
            kept[table] = (count, digest)
        }
        return kept
    }

    private func compareKept(
        _ kept: (local: Kept, copy: Kept), _ verification: inout BridgeVerification
    ) throws(LedgerError) {
        var (here, there) = (FNV1a(), FNV1a())
        var count = (here: Int64(0), there: Int64(0))
        for table in KeptTable.allCases {
            guard let theirs = kept.local[table], let mine = kept.copy[table] else { continue }
            count = (count.here + theirs.count, count.there + mine.count)
            here.add(String(hex: theirs.digest.digest).utf8)
            there.add(String(hex: mine.digest.digest).utf8)
            guard theirs.digest.digest != mine.digest.digest else { continue }
            verification.note(try difference(in: table))
        }
        verification.parts.append(
            .init(
                name: "states", localCount: count.here, targetCount: count.there,
                localDigest: String(hex: here.digest), targetDigest: String(hex: there.digest)))
    }

    /// The first row that is another, looked for once more.
    private func difference(in table: KeptTable) throws(LedgerError) -> String {
        var (theirs, mine) = ([String](), [String]())
        try local.rows(of: table) { theirs.append($0) }
        try copy.rows(of: table) { mine.append($0) }
        let place =
            zip(theirs, mine).enumerated().first { $1.0 != $1.1 }?.offset
            ?? min(theirs.count, mine.count)
        func row(_ rows: [String]) -> String {
            place < rows.count ? "`\(rows[place])`" : "at its end"
        }
        return "\(table.rawValue) is here \(row(theirs)), in the copy \(row(mine))"
    }

    private static func openReviews(
        _ ledger: any LedgerReading
    ) throws(LedgerError) -> [Review] {
        var (reviews, last) = ([Review](), TransactionID(0))
        while true {
            let page = try ledger.openReviews(after: last, limit: OriginalLedger.pageCount)
            reviews += page
            guard page.count == OriginalLedger.pageCount, let newest = page.last else {
                return reviews
            }
            last = newest.payment
        }
    }

    private static func digest(_ text: String) -> String {
        String(hex: FNV1a.digest(of: text.utf8))
    }
}

extension PostedTransaction {
    /// All that is written of it, its hash and entries included.
    fileprivate var words: String {
        "\(id) \(posting.movement) \(posting.eventID) \(posting.kind) "
            + "\(posting.effectiveAt.seconds) \(postedAtMilliseconds) "
            + String(hex: hash) + posting.entries.map { " " + $0.words }.joined() + "\n"
    }

    /// The first thing in which the copy of this transaction is another.
    fileprivate func difference(inCopy copy: Self) -> String {
        guard id == copy.id, posting.movement == copy.posting.movement else {
            return "transaction \(id) (\(posting.movement)) is in the copy \(copy.id) "
                + "(\(copy.posting.movement))"
        }
        let name = "transaction \(id) (\(posting.movement))"
        let entries = (posting.entries, copy.posting.entries)
        if entries.0.count != entries.1.count {
            let own = Counted.words(entries.0.count, "entry", "entries")
            return "\(name) has \(own), in the copy \(entries.1.count)"
        }
        if let (own, other) = zip(entries.0, entries.1).first(where: { $0 != $1 }) {
            return "an entry of \(name) is \(own.words), in the copy \(other.words)"
        }
        let parts = [
            ("hash", String(hex: hash), String(hex: copy.hash)),
            ("event", "\(posting.eventID)", "\(copy.posting.eventID)"),
            ("kind", "\(posting.kind)", "\(copy.posting.kind)"),
            (
                "effective time", "\(posting.effectiveAt.seconds)",
                "\(copy.posting.effectiveAt.seconds)"
            ),
            ("time of posting", "\(postedAtMilliseconds)", "\(copy.postedAtMilliseconds)"),
        ]
        let different = parts.first { $0.1 != $0.2 } ?? parts[0]
        return "the \(different.0) of \(name) is \(different.1), in the copy \(different.2)"
    }
}

extension Entry {
    fileprivate var words: String { "\(amount.rawValue) \(currency.code) on \(account.rawValue)" }
}

extension BridgeVerification {
    fileprivate mutating func note(_ difference: String) {
        firstDifference = firstDifference ?? difference
    }
}
