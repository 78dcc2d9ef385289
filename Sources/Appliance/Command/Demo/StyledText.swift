/// Text for a terminal whose width counts only what is seen.
struct StyledText: Hashable, Sendable {
    /// Colours mean something and nothing else is coloured (the words say it too).
    enum Style: String, Sendable {
        case plain = "0"
        case strong = "1"
        case muted = "2"
        /// Proven, or decided.
        case good = "32"
        /// Waits for a person.
        case warning = "33"
        /// Money or a record stopped.
        case bad = "31"
        /// Something that moves.
        case flow = "36"
    }

    private struct Span: Hashable, Sendable {
        var text: String
        var style: Style
    }

    private var spans: [Span] = []
    private(set) var width = 0

    init() {}

    init(_ text: String, _ style: Style = .plain) { append(text, style) }

    mutating func append(_ text: String, _ style: Style = .plain) {
        guard !text.isEmpty else { return }
        spans.append(Span(text: text, style: style))
        width += text.count
    }

    mutating func append(_ other: Self) {
        spans += other.spans
        width += other.width
    }

    /// Blanks up to `column`; nothing where the text reaches it already.
    mutating func pad(to column: Int) {
        append(String(repeating: " ", count: max(0, column - width)))
    }

    /// At most `columns` wide; what is cut off is marked.
    func cut(to columns: Int) -> Self {
        guard width > columns else { return self }
        var cut = Self()
        for span in spans {
            let room = columns - 1 - cut.width
            guard room > 0 else { break }
            cut.append(String(span.text.prefix(room)), span.style)
        }
        cut.append("…", .muted)
        return cut
    }

    /// Exactly `columns` wide.
    func fit(_ columns: Int) -> Self {
        var fitted = cut(to: columns)
        fitted.pad(to: columns)
        return fitted
    }

    /// Without styles.
    var plain: String { spans.map(\.text).joined() }

    /// With the terminal's escapes.
    var escaped: String {
        spans.map { span in
            span.style == .plain ? span.text : "\u{1B}[\(span.style.rawValue)m\(span.text)\u{1B}[0m"
        }.joined()
    }
}
