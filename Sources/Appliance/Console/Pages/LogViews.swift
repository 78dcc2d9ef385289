import AppendLog
import Appliance
import Foundation
import Vocabulary

/// The topics and how far their readers are.
struct LogIndexView {
    struct Row {
        var topic: String
        /// nil for the only one.
        var partition: String?
        var href, count, size, first, end, slowest, lag: String
    }

    /// Dead letters of one reason.
    struct Group {
        var reason, count, href, second: String
        var isCurrent: Bool
    }

    var count, place: String
    var rows: [Row]
    var groups: [Group]
    var hasGroups: Bool
    var letters: String
    /// Records of `dead.letter` that are still to be read; nil for none.
    var behind: String?
}

/// Records of a topic, each readable.
struct RecordsView {
    var topic: String
    /// nil for the only one.
    var partition: String?
    var live, has, filter, from, begins, ends: String
    var rows: [RecordView]
    var isEmpty: Bool
    /// How many records were looked through, where something was looked for.
    var seen: String?
    var earlier, later: String?
}

/// A record on one line, and its value where that is opened.
struct RecordView {
    struct Header { var name, value: String }

    var offset: String
    /// The record's own page.
    var href: String
    var moment: ShownMoment
    var stamp: String
    var key: String
    /// On one line.
    var short: String
    var value: String
    var headers: [Header]
    var cut: String?

    init(_ stored: StoredRecord, of lane: ShownLane) {
        let record = stored.record
        let value = record.value ?? []
        let readable = ReadableValue(value.prefix(LogPages.valueBytesMax))
        href = lane.path("/\(stored.offset)")
        offset = ShownAmount.grouped(stored.offset.rawValue)
        moment = ShownMoment(record.timestamp)
        let part = ((record.timestamp.milliseconds % 1_000) + 1_000) % 1_000
        stamp = "\(moment.clock).\(String(format: "%03d", Int(part)))"
        key = Self.text(record.key ?? [])
        short = Self.text(value.prefix(240), isCut: value.count > 240)
        self.value = readable.text
        headers = record.headers.map { header in
            let value = Self.text(header.value ?? [])
            return Header(
                name: ShownText.escaped(header.name), value: value.isEmpty ? "empty" : value)
        }
        if value.count > LogPages.valueBytesMax {
            cut = "The first \(ShownAmount.grouped(Int64(LogPages.valueBytesMax))) of "
                + "\(ShownAmount.grouped(Int64(value.count))) bytes; its own page has more."
        }
    }

    /// Text as text, other bytes in hex.
    ///
    /// - Parameter isCut: whether they are a beginning, which may end within a character.
    private static func text(_ bytes: ArraySlice<UInt8>, isCut: Bool = false) -> String {
        for cut in 0...(isCut ? 3 : 0) {
            if let text = String(validating: bytes.dropLast(cut), as: UTF8.self) {
                return ShownText.escaped(text)
            }
        }
        return "hex " + String(hex: bytes)
    }
}

/// Dead letters by reason, and what a redrive of one of them would do.
struct LettersView {
    struct Row {
        var offset, href, topic, detail: String
        var moment: ShownMoment
        var state: ShownState

        /// - Parameter isOnly: whether the topic has one partition, which nobody names.
        init(_ line: LetterLine, isOnly: Bool) {
            offset = LetterPath.words(line.place, isOnly: isOnly)
            href = LetterPath.page(line.place, isOnly: isOnly)
            topic = ShownText.escaped(line.topic)
            detail = ShownText.escaped(line.detail)
            moment = ShownMoment(line.at)
            state =
                switch line.state {
                case .notRedriven: ShownState("Stopped", "stop")
                case .waiting: ShownState("On its way back", "wait")
                case .sent: ShownState("Went back")
                case .passed: ShownState("Redriven")
                case .duplicate: ShownState("Had arrived otherwise")
                case .failedAgain: ShownState("Failed again", "stop")
                }
        }
    }

    struct Plan {
        struct Line {
            var state: ShownState
            var count: String
        }

        var heading: String
        var reason: String
        var at: ShownMoment
        var lines: [Line]
        var going: String?
        var more: Bool
        var command: String

        init(_ answer: RedriveAnswer, _ reason: String, at now: Instant) {
            let count = Int64(answer.lines.count)
            let going = answer.lines.count { $0.result == .wouldSend }
            heading = "Redrive \(ShownAmount.grouped(count)) of"
            self.reason = ShownText.escaped(reason)
            at = ShownMoment(now)
            self.going = going == 0 ? nil : ShownAmount.grouped(Int64(going))
            more = answer.next != nil
            command = "tillbox dead-letter redrive --reason \(self.reason) --dry-run"
            let groups = Dictionary(grouping: answer.lines) { Self.words($0) }
            lines = groups.sorted { $1.value.count < $0.value.count }.prefix(12).map { words, all in
                Line(
                    state: ShownState(words, all[0].result == .wouldSend ? "ok" : "stop"),
                    count: ShownAmount.grouped(Int64(all.count)))
            }
        }

        private static func words(_ line: RedriveLine) -> String {
            switch line.result {
            case .wouldSend: "Understood now: \(kind(line.detail))"
            case .stillRefused: "Fails again: \(ShownText.escaped(String(line.detail.prefix(120))))"
            case .underWay: "Under way elsewhere"
            case .alreadyRedriven: "Redriven already"
            case .notFound: "No dead letter any more"
            case .sent, .admitted, .duplicate: "Gone"
            }
        }

        /// A letter that passes names its own movement; what they have in common is its beginning.
        private static func kind(_ detail: String) -> String {
            ShownText.escaped(String(detail.prefix { $0 != ":" }.prefix(60)))
        }
    }

    var groups: [LogIndexView.Group]
    var isEmpty: Bool
    var last: String?
    var reason: String?
    var plan: Plan?
    var rows: [Row]
    var done: String?
    var mayRedrive: Bool
    var token: String
    /// Records of `dead.letter` that are still to be read; nil for none.
    var behind: String?
    /// Letters that are not listed for their age; nil for none.
    var unlisted: String?
}

/// How pages name a dead letter.
enum LetterPath {
    /// Its own page.
    ///
    /// - Parameter isOnly: whether the topic has one partition, which nobody names.
    static func page(_ place: SourcePlace, isOnly: Bool, query: String = "") -> String {
        let own = isOnly ? "" : "partition=\(place.partition)"
        let whole = [own, query].filter { !$0.isEmpty }.joined(separator: "&")
        return "/log/letters/\(place.offset)" + (whole.isEmpty ? "" : "?\(whole)")
    }

    /// `1,204`; of several partitions `2/1,204`.
    static func words(_ place: SourcePlace, isOnly: Bool) -> String {
        (isOnly ? "" : "\(place.partition)/") + ShownAmount.grouped(place.offset.rawValue)
    }
}
