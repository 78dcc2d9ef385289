import Testing

/// A strict reader of Prometheus's text format, as the tests want it: families one after the other,
/// each with HELP and TYPE before its numbers, no number twice.
struct PrometheusReader {
    struct Malformed: Error, CustomStringConvertible {
        let description: String
    }

    /// The kind of each family.
    private(set) var kinds: [String: String] = [:]
    /// By name and labels, as the text has them: `name{label="value"}`.
    private(set) var values: [String: Double] = [:]

    init(_ text: String) throws {
        guard text.hasSuffix("\n") else { throw Malformed(description: "no end of line") }
        var family: String?
        var helped: String?
        for line in text.split(separator: "\n").map(String.init) {
            if line.hasPrefix("# HELP ") {
                helped = line.split(separator: " ").dropFirst(2).first.map(String.init)
                continue
            }
            if line.hasPrefix("# TYPE ") {
                let words = line.split(separator: " ").map(String.init)
                guard words.count == 4, words[2] == helped, kinds[words[2]] == nil else {
                    throw Malformed(description: line)
                }
                (family, kinds[words[2]]) = (words[2], words[3])
                continue
            }
            guard let family, let match = line.wholeMatch(of: Self.sample),
                let value = Double(match.3), Self.belongs(String(match.1), to: family)
            else { throw Malformed(description: line) }
            let key = String(match.1) + (match.2.map(String.init) ?? "")
            guard values.updateValue(value, forKey: key) == nil else {
                throw Malformed(description: "twice: \(line)")
            }
        }
    }

    /// Name, labels in braces, value.
    private static var sample: Regex<(Substring, Substring, Substring?, Substring)> {
        #/
        ([a-zA-Z_:][a-zA-Z0-9_:]*)
        (\{
            [a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\]|\\.)*"
            (?:,[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\]|\\.)*")*
        \})?
        \x{20}(\S+)
        /#
    }

    private static func belongs(_ name: String, to family: String) -> Bool {
        ["", "_bucket", "_sum", "_count"].contains { name == family + $0 }
    }
}
