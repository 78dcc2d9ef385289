import Foundation

/// What happened to a payment as points on an axis of time, which links make longer or shorter.
///
///     all (the usual)     logarithmic, from one millisecond to the last point
///     zoom=1s … 30d       linear, so long; from `at` on, milliseconds behind the first point
struct TimelineView {
    /// Something that happened.
    struct Event {
        /// Milliseconds since 1970.
        var at: Int64
        var words: String
        /// A class of a dot: empty, `ok`, `wait`, `stop`, `o`.
        var dot: String
    }

    struct Point {
        var x, words, dot: String
    }

    struct Tick {
        var x, words: String
        /// A class of the label: centred, or ending at the edge.
        var anchor: String
        /// Whether a phone has no room for it.
        var isMinor: Bool
    }

    struct Choice {
        var href, words: String
        var isCurrent: Bool
    }

    var points: [Point]
    var ticks: [Tick]
    var choices: [Choice]
    var hasChoices: Bool
    /// What one would see, in a sentence.
    var label: String
    /// What lies outside of the window, in words; nil for nothing.
    var outside: String?

    /// The windows, in milliseconds, by their names in the address.
    static let windows: [(name: String, milliseconds: Int64, words: String)] = [
        ("1s", 1_000, "1 s"), ("1m", 60_000, "1 min"), ("1h", 3_600_000, "1 h"),
        ("1d", 86_400_000, "1 d"), ("30d", 2_592_000_000, "30 d"),
    ]
    private static let marks: [(milliseconds: Int64, words: String, isMinor: Bool)] = [
        (1, "1 ms", true), (10, "10 ms", false), (100, "0.1 s", true), (1_000, "1 s", false),
        (10_000, "10 s", true), (60_000, "1 min", false), (600_000, "10 min", true),
        (3_600_000, "1 h", false), (86_400_000, "1 d", false), (604_800_000, "7 d", true),
        (2_592_000_000, "30 d", false), (31_536_000_000, "1 y", false),
    ]
    private static let ticksLinear = 4

    /// - Parameters:
    ///   - events: in the order of time.
    ///   - path: of the page, to which the choices lead.
    ///   - zoom: a window's name; nil, or another word, shows all.
    ///   - at: where the window begins, in milliseconds behind the first event.
    init(_ events: [Event], path: String, zoom: String?, at: Int64?) {
        let first = events.first?.at ?? 0
        let span = max(1, (events.last?.at ?? 0) - first)
        let window = Self.windows.first { $0.name == zoom }
        let begin = window == nil ? 0 : min(max(0, at ?? 0), span)
        func place(_ event: Event) -> Double? {
            let distance = max(0, event.at - first)
            guard let window else { return Self.logarithmic(distance, span) }
            let share = Double(distance - begin) / Double(window.milliseconds)
            return (0...1).contains(share) ? share : nil
        }
        points = events.compactMap { event in
            place(event).map {
                Point(x: Self.percent($0), words: event.words, dot: event.dot)
            }
        }
        ticks = window.map { Self.linear(from: begin, over: $0.milliseconds) }
            ?? Self.logarithmic(span)
        // A window that is longer than everything shows nothing new.
        let useful = Self.windows.filter { $0.milliseconds < 2 * span || $0.name == zoom }
        let start = begin == 0 ? "" : "&at=\(begin)"
        choices = [
            Choice(
                href: "\(path)#when", words: "All, \(ShownAge.words(milliseconds: span))",
                isCurrent: window == nil)
        ] + useful.map {
            Choice(
                href: "\(path)?zoom=\($0.name)\(start)#when", words: $0.words,
                isCurrent: $0.name == zoom)
        }
        hasChoices = choices.count > 1
        let hidden = events.count - points.count
        outside = hidden == 0
            ? nil : "\(ShownNumber.count(Int64(hidden), "record")) before or behind this window"
        label = Self.sentence(events, first: first, span: span, window: window?.words)
    }

    // MARK: Scales

    /// From 0 to 1; the first millisecond has room of its own.
    private static func logarithmic(_ distance: Int64, _ span: Int64) -> Double {
        log10(1 + Double(min(distance, span))) / log10(1 + Double(span))
    }

    private static func logarithmic(_ span: Int64) -> [Tick] {
        marks.filter { $0.milliseconds <= span }.map { mark in
            let share = logarithmic(mark.milliseconds, span)
            return Tick(
                x: percent(share), words: mark.words, anchor: share > 0.95 ? "e" : "m",
                isMinor: mark.isMinor)
        }
    }

    private static func linear(from begin: Int64, over length: Int64) -> [Tick] {
        (0...ticksLinear).map { number in
            let milliseconds = begin + length * Int64(number) / Int64(ticksLinear)
            let anchor = number == 0 ? "" : number == ticksLinear ? "e" : "m"
            return Tick(
                x: percent(Double(number) / Double(ticksLinear)),
                words: "+" + ShownAge.words(milliseconds: milliseconds), anchor: anchor,
                isMinor: !number.isMultiple(of: 2))
        }
    }

    /// Points keep their own width from the edges.
    private static func percent(_ share: Double) -> String {
        String(format: "%.2f%%", 1.5 + share * 97)
    }

    private static func sentence(
        _ events: [Event], first: Int64, span: Int64, window: String?
    ) -> String {
        let stops = events.filter { $0.dot == "stop" }.prefix(3).map { event in
            "\(event.words) after \(ShownAge.words(milliseconds: event.at - first))"
        }
        let told = stops.isEmpty ? "nothing stopped" : stops.joined(separator: "; ")
        let scale = window.map { "\($0) of them are shown" } ?? "on a logarithmic axis"
        return "\(ShownNumber.count(Int64(events.count), "record")) over "
            + "\(ShownAge.words(milliseconds: span)), \(scale): \(told)."
    }
}
