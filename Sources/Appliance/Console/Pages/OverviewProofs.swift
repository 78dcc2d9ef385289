import Appliance
import Backup
import Reconcile
import Vocabulary

/// "Is the money right?", piece by piece, from one look at the pipeline.
extension OverviewView {
    /// Milliseconds after which a look at the money is too old to say that it is right.
    static let moneyAgeMax: Int64 = 30_000
    /// From here on what is unread is told as something that waits.
    private static let unreadCountMax: Int64 = 10_000
    private static let unreadAgeMax: Int64 = 60_000
    /// Seconds after which a run of reconciliation, and its look for missed events, is too old: a
    /// nightly one that was missed, and half a day beside it.
    static let reconciliationAgeMax: Int64 = 36 * 3_600
    /// Seconds after which a backup is too old: a nightly one that was missed, and half a day.
    static let backupAgeMax: Int64 = 36 * 3_600
    /// Seconds after which the ledger's whole chain ought to be verified again.
    static let verificationAgeMax: Int64 = 7 * 86_400
    /// Milliseconds that two clocks may differ.
    private static let clockDifferenceMax: Int64 = 5_000

    static func proofs(_ figures: LiveFigures) -> [Proof] {
        // Backups and Stripe's clock are known to who makes them, which are other processes.
        guard figures.afar == nil else {
            return [
                trial(figures), reconciliation(figures), missed(figures), unread(figures),
                reviews(figures), letters(figures),
            ]
        }
        return [
            trial(figures), reconciliation(figures), missed(figures), unread(figures),
            reviews(figures), letters(figures), backups(figures), clock(figures),
        ]
    }

    private static func trial(_ figures: LiveFigures) -> Proof {
        func proof(_ value: String, _ second: String, _ tone: Tone) -> Proof {
            Proof("trial", "Trial balance", value, second, tone, "/ledger")
        }
        guard let money = figures.money else {
            return proof("Unknown", "the ledger was not asked yet", .mute)
        }
        let wrong = money.trial.filter { $0.value != 0 }.map { $0.key.code.uppercased() }.sorted()
        guard wrong.isEmpty else {
            return proof("Not zero", "in \(wrong.joined(separator: ", "))", .stop)
        }
        let count = Int64(money.trial.count)
        guard count > 0 else { return proof("Zero", "nothing is booked yet", .ok) }
        let words = "in \(ShownNumber.count(count, "currency", "currencies"))"
        // A daemon that was never asked counts from its start.
        let since = figures.verifiedAt?.seconds ?? figures.startedAt / 1_000
        guard figures.at / 1_000 - since > verificationAgeMax else {
            return proof("Zero", words, .ok)
        }
        let last = figures.verifiedAt.map { "last verified \(age($0, figures)) ago" }
        return Proof(
            "trial", "Trial balance", "Zero",
            "\(words), \(last ?? "not verified yet"): verify the ledger", .wait, "/ledger/verify",
            isOld: true)
    }

    private static func age(_ from: Instant, _ figures: LiveFigures) -> String {
        ShownAge.words(seconds: figures.at / 1_000 - from.seconds)
    }

    /// Seconds since a moment of a run, by the clock that has dated it.
    private static func runAge(_ moment: Instant, _ figures: LiveFigures) -> Int64 {
        figures.at / 1_000 + figures.runsAheadSeconds - moment.seconds
    }

    private static func reconciliation(_ figures: LiveFigures) -> Proof {
        func proof(_ value: String, _ second: String, _ tone: Tone) -> Proof {
            Proof("reconciliation", "Reconciliation", value, second, tone, nil)
        }
        guard let run = figures.money?.run, let ended = run.run.finishedAt else {
            return proof(
                "None yet",
                figures.hasStripe || figures.afar != nil
                    ? "no run has ended" : "needs a Stripe key", .mute)
        }
        let seconds = runAge(ended, figures)
        let age = "\(ShownAge.words(seconds: seconds)) ago"
        guard run.isClean else {
            let count = RunRow.breakCount(run)
            return proof(
                count == 0 ? "Not clean" : ShownNumber.count(count, "break"), age, .stop)
        }
        let share = run.share.map(ShownNumber.share) ?? "Clean"
        guard seconds <= reconciliationAgeMax else {
            return Proof(
                "reconciliation", "Reconciliation", share,
                "explained, \(age): no run has ended since", .wait, nil, isOld: true)
        }
        return proof(share, "explained, \(age)", .ok)
    }

    private static func missed(_ figures: LiveFigures) -> Proof {
        func proof(_ value: String, _ second: String, _ tone: Tone) -> Proof {
            Proof("missed", "Missed events", value, second, tone, nil)
        }
        guard let swept = figures.money?.run?.run.sweptTo else {
            return proof(
                "Not looked for",
                figures.hasStripe || figures.afar != nil ? "not yet" : "needs a Stripe key", .mute)
        }
        let seconds = runAge(swept, figures)
        let words = "looked for until \(ShownAge.words(seconds: seconds)) ago"
        guard seconds <= reconciliationAgeMax else {
            return Proof(
                "missed", "Missed events", "None", "\(words), and not since", .wait, nil,
                isOld: true)
        }
        return proof("None", words, .ok)
    }

    private static func unread(_ figures: LiveFigures) -> Proof {
        let slowest = figures.readers.max { $0.place.lag < $1.place.lag }
        guard let slowest, slowest.place.lag > 0 else {
            return Proof(
                "unread", "Oldest unread record", "None", "every reader is at the end", .ok, "/log")
        }
        let oldest = figures.readers.compactMap(\.oldestUnreadAt).min()
        let age = oldest.map { max(0, figures.at - $0) }
        let isLate = slowest.place.lag > unreadCountMax || (age ?? 0) > unreadAgeMax
        return Proof(
            "unread", "Oldest unread record", age.map(ShownAge.words(milliseconds:)) ?? "Not kept",
            "\(ShownAmount.grouped(slowest.place.lag)) left for \(slowest.place.group)",
            isLate ? .wait : .ok, "/log")
    }

    private static func reviews(_ figures: LiveFigures) -> Proof {
        func proof(_ value: String, _ second: String, _ tone: Tone) -> Proof {
            Proof("reviews", "Reviews", value, second, tone, "/review")
        }
        guard let money = figures.money else { return proof("Unknown", "not looked yet", .mute) }
        guard let oldest = money.oldestReview else {
            return proof("None", "nobody need look", .ok)
        }
        let count = Int64(money.openReviewCount)
        let words = ShownAmount.grouped(count) + (money.hasFurtherReviews ? "+" : "")
        return proof(
            "\(words) \(count == 1 ? "waits" : "wait")", "oldest \(age(oldest, figures))", .wait)
    }

    private static func letters(_ figures: LiveFigures) -> Proof {
        func proof(_ value: String, _ second: String, _ tone: Tone) -> Proof {
            Proof("letters", "Dead letters", value, second, tone, TopologyView.lettersHref)
        }
        let count = figures.letterCount
        return count == 0
            ? proof("None", "every record was understood", .ok)
            : proof(ShownAmount.grouped(count), "in the log, redriven or not", .wait)
    }

    private static func backups(_ figures: LiveFigures) -> Proof {
        func proof(
            _ value: String, _ second: String, _ tone: Tone, isOld: Bool = false
        ) -> Proof {
            Proof(
                "backups", "Backups", value, second, tone, "/settings/backups", isOld: isOld)
        }
        guard let last = figures.backup else { return proof("None", "none is known", .mute) }
        guard let seconds = last.age(at: Instant(seconds: figures.at / 1_000)) else {
            return proof("Undated", "the last one is noted as still to come", .wait)
        }
        let words = "the last one is of \(age(last.moment, figures)) ago"
        guard seconds <= backupAgeMax else {
            return proof("Old", "\(words): make another", .wait, isOld: true)
        }
        return proof("Made", words, .ok)
    }

    private static func clock(_ figures: LiveFigures) -> Proof {
        func proof(_ value: String, _ second: String, _ tone: Tone) -> Proof {
            Proof("clock", "Clock", value, second, tone, nil)
        }
        guard let ahead = figures.stripeAheadMilliseconds else {
            return proof("Not compared", "no date of Stripe’s to compare with", .mute)
        }
        // Stripe tells its time in whole seconds.
        let seconds = ShownNumber.decimal(Double(ahead.magnitude) / 1_000, 1)
        return proof(
            "\(seconds) s", ahead < 0 ? "ahead of Stripe’s" : "behind Stripe’s",
            ahead.magnitude > UInt64(clockDifferenceMax) ? .wait : .ok)
    }
}
