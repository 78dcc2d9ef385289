/// A configuration file's text, in which single settings are changed and everything else stays as a
/// person has written it: comments, order, other settings.
///
/// It knows the file as the package lays it out: a group on a line of its own, its keys indented
/// below, and a `#` right before a setting that holds its default.
package struct ConfigurationDraft {
    /// What it cannot change without losing something.
    package enum Refusal: Error, Hashable, CustomStringConvertible {
        /// The group is written as `{…}` behind its name.
        case groupOnOneLine(String)

        package var description: String {
            switch self {
            case .groupOnOneLine(let name):
                "\(name) is written on one line; put each of its keys on a line of its own, "
                    + "indented below it"
            }
        }
    }

    private var lines: [String]

    package init(_ text: String) {
        lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        while lines.last?.isEmpty == true { lines.removeLast() }
    }

    /// Ends with a line's end.
    package var text: String { lines.joined(separator: "\n") + "\n" }

    /// Whether a key has a value of its own here.
    package func isSet(_ key: String) -> Bool { value(of: key) != nil }

    /// A key's own value on its line, without quotation marks and what is said behind it; nil where
    /// it has none.
    package func value(of key: String) -> String? {
        guard let place = try? place(of: key), case .line(let index, _) = place else { return nil }
        let line = lines[index].drop { $0 == " " }
        guard !line.hasPrefix("#"), let colon = line.firstIndex(of: ":") else { return nil }
        let rest = line[line.index(after: colon)...].drop(while: \.isWhitespace)
        guard let mark = rest.first else { return nil }
        if mark == "\"" || mark == "'" { return String(rest.dropFirst().prefix { $0 != mark }) }
        let words = rest.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace)
        return words.joined(separator: " ")
    }

    /// Sets a key of one of the file's groups, or of the file.
    ///
    /// - Parameters:
    ///   - key: with at most one dot, such as `webhook.port`.
    ///   - value: as it is, not as YAML would have it.
    package mutating func set(_ key: String, to value: String) throws(Refusal) {
        let name = key.split(separator: ".").last.map(String.init) ?? key
        let setting = "\(name): \(Self.scalar(value))"
        switch try place(of: key) {
        case .line(let index, let indent): lines[index] = indent + setting
        case .below(let index, let indent): lines.insert(indent + setting, at: index + 1)
        case .nowhere(group: nil): lines += ["", setting]
        case .nowhere(group: let group?): lines += ["", "\(group):", "  \(setting)"]
        }
    }

    private enum Place {
        /// It stands there, or its default does.
        case line(Int, indent: String)
        /// Its group does.
        case below(Int, indent: String)
        case nowhere(group: String?)
    }

    private func place(of key: String) throws(Refusal) -> Place {
        let parts = key.split(separator: ".", maxSplits: 1).map(String.init)
        guard parts.count == 2 else {
            let index = lines.firstIndex { Self.name(in: $0) == key && !$0.hasPrefix(" ") }
            return index.map { .line($0, indent: "") } ?? .nowhere(group: nil)
        }
        guard
            let group = lines.firstIndex(where: { line in
                Self.name(in: line) == parts[0] && !line.hasPrefix("#") && !line.hasPrefix(" ")
            })
        else { return .nowhere(group: parts[0]) }
        let behind = lines[group].drop { $0 != ":" }.dropFirst().drop { $0 == " " }
        guard behind.isEmpty || behind.hasPrefix("#") else { throw .groupOnOneLine(parts[0]) }
        let end =
            lines[(group + 1)...].firstIndex { line in
                line.first.map { $0 != " " && $0 != "#" } ?? false
            } ?? lines.endIndex
        let members = (group + 1)..<end
        let indents = members.filter { Self.name(in: lines[$0]) != nil && lines[$0].hasPrefix(" ") }
            .map { Self.indent(of: lines[$0]) }
        let indent = indents.min { $0.count < $1.count } ?? "  "
        // Keys that are indented further are another group's within this one.
        let line = members.first {
            Self.name(in: lines[$0]) == parts[1] && Self.indent(of: lines[$0]) == indent
        }
        return line.map { .line($0, indent: indent) } ?? .below(group, indent: indent)
    }

    private static func indent(of line: String) -> String { String(line.prefix { $0 == " " }) }

    /// The key that a line sets, or whose default it holds behind a `#`; nil for every other line.
    private static func name(in line: String) -> String? {
        var rest = line.drop { $0 == " " }
        if rest.first == "#" { rest = rest.dropFirst() }
        let name = rest.prefix { $0.isLetter || $0.isNumber || $0 == "_" || $0 == "-" }
        let behind = rest[name.endIndex...]
        guard !name.isEmpty, behind.first == ":" else { return nil }
        let isKey = behind.dropFirst().first.map { $0 == " " } ?? true
        return isKey ? String(name) : nil
    }

    /// A value as one scalar of YAML.
    private static func scalar(_ value: String) -> String {
        let isPlain =
            !value.isEmpty && value.first != "-"
            && value.allSatisfy {
                $0.isASCII && ($0.isLetter || $0.isNumber || "_./-".contains($0))
            }
        guard !isPlain else { return value }
        let escaped = value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
        return "\"\(escaped)\""
    }
}
