import AppendLog
import Foundation
import Vocabulary

/// An amount as pages show it: aligned by its decimal point, its currency behind it.
struct ShownAmount {
    /// `−1,284`
    var whole: String
    /// `.00`, `.250`, or nothing.
    var fraction: String
    /// `EUR`
    var code: String

    /// `−1,284.00 EUR`
    var words: String

    init(_ amount: MinorUnits, _ currency: Currency) {
        let text = currency.display(amount)
        let digits = text.drop { $0 == "-" }
        let parts = digits.split(separator: ".", maxSplits: 1)
        whole = (amount < .zero ? "−" : "") + Self.grouped(parts[0])
        fraction = parts.count == 2 ? ".\(parts[1])" : ""
        code = currency.code.uppercased()
        words = "\(whole)\(fraction) \(code)"
    }

    /// `1,284`
    static func grouped(_ digits: some StringProtocol) -> String {
        var out = ""
        for (place, digit) in digits.enumerated() {
            if place > 0, (digits.count - place).isMultiple(of: 3) { out.append(",") }
            out.append(digit)
        }
        return out
    }

    static func grouped(_ count: Int64) -> String {
        (count < 0 ? "−" : "") + grouped(String(count.magnitude))
    }
}

/// A moment in UTC.
struct ShownMoment {
    /// For machines: `2026-03-12T14:32:07Z`.
    var iso: String
    /// `12 Mar 2026, 14:32:07 UTC`
    var words: String
    /// `12 Mar 2026`
    var day: String
    /// `14:32:07`
    var clock: String

    init(_ instant: Instant) {
        // What lies outside is no time that anybody means; it is shown as the nearer end.
        let seconds = min(max(instant.seconds, 0), 253_402_300_799)
        iso = Instant(seconds: seconds).rfc3339
        let parts = iso.prefix(10).split(separator: "-")
        clock = String(iso.dropFirst(11).prefix(8))
        let month = Int(parts[1]).map { Self.months[$0 - 1] } ?? ""
        day = "\(Int(parts[2]) ?? 0) \(month) \(parts[0])"
        words = "\(day), \(clock) UTC"
    }

    init(_ timestamp: Timestamp) {
        self.init(Instant(seconds: timestamp.milliseconds / 1_000))
    }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// The last second of a UTC day; nil for what is no `2026-03-12`.
    static func endOfDay(_ text: String) -> Instant? {
        text.utf8.count == 10 ? Moment(text)?.end : nil
    }
}

/// How long something has lasted, in one unit: `42 min`.
enum ShownAge {
    static func words(seconds: Int64) -> String {
        switch max(0, seconds) {
        case 0..<120: "\(max(0, seconds)) s"
        case ..<7_200: "\(seconds / 60) min"
        case ..<172_800: "\(seconds / 3_600) h"
        default: "\(seconds / 86_400) d"
        }
    }

    static func words(from: Instant, to: Instant) -> String {
        words(seconds: to.seconds - from.seconds)
    }
}

/// Sizes, shares and counts in words.
enum ShownNumber {
    /// `17.9 GB`, in powers of ten.
    static func bytes(_ count: Int64) -> String {
        let units = ["B", "kB", "MB", "GB", "TB"]
        var (value, place) = (Double(count), 0)
        while value >= 1_000, place < units.count - 1 {
            (value, place) = (value / 1_000, place + 1)
        }
        return place == 0 ? "\(count) B" : "\(decimal(value, 1)) \(units[place])"
    }

    /// `6.18 M`: four digits at most, for where there is no room.
    static func short(_ count: Int64) -> String {
        switch count {
        case ..<10_000: ShownAmount.grouped(count)
        case ..<1_000_000: "\(decimal(Double(count) / 1_000, 1)) k"
        default: "\(decimal(Double(count) / 1_000_000, 2)) M"
        }
    }

    /// `99.98 %`, cut and not rounded: only all of it is 100 %.
    static func share(_ share: Double) -> String {
        share == 1 ? "100 %" : "\(decimal((share * 10_000).rounded(.down) / 100, 2)) %"
    }

    static func decimal(_ value: Double, _ places: Int) -> String {
        guard value.isFinite else { return "–" }
        let text = String(format: "%.\(places)f", abs(value))
        let parts = text.split(separator: ".", maxSplits: 1)
        let fraction = parts.count == 2 ? ".\(parts[1])" : ""
        return (value < 0 ? "−" : "") + ShownAmount.grouped(parts[0]) + fraction
    }

    /// `1 record`, `2 records`
    static func count(_ count: Int64, _ one: String, _ many: String? = nil) -> String {
        "\(ShownAmount.grouped(count)) \(Counted.noun(count, one, many))"
    }
}

/// A dot and a word, as everything that has a state is shown.
struct ShownState {
    /// A class of `.st`: empty, `ok`, `wait` or `stop`.
    var tone: String
    var dot: String
    var tinted: Bool
    var words: String

    init(_ words: String, _ tone: String = "", dot: String? = nil, tinted: Bool = false) {
        (self.words, self.tone, self.tinted) = (words, tone, tinted)
        self.dot = dot ?? tone
    }

    init(_ verdict: Verdict) {
        switch verdict {
        case .approve: self.init("Approved")
        case .manualReview: self.init("In review", "wait", tinted: true)
        case .block: self.init("Blocked", "stop", tinted: true)
        case .notScored: self.init("Not scored", dot: "o")
        }
    }
}
