/// Text that came from outside, as a person sees it.
///
/// What moves the cursor, ends a line or is not seen at all could make one line look like two, or
/// one name like another.
package enum ShownText {
    /// The text on one line, with everything that is not seen written out: `\n`, `\u{1b}`.
    package static func escaped(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isHidden) else { return text }
        var shown = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": shown += "\\n"
            case "\t": shown += "\\t"
            case _ where isHidden(scalar): shown += "\\u{\(String(scalar.value, radix: 16))}"
            default: shown.unicodeScalars.append(scalar)
            }
        }
        return shown
    }

    /// Whether all of it is seen, spaces between words aside.
    package static func isPlain(_ text: String) -> Bool {
        !text.unicodeScalars.contains {
            isHidden($0) || $0.properties.generalCategory == .spaceSeparator && $0 != " "
        }
    }

    package static func isHidden(_ scalar: Unicode.Scalar) -> Bool {
        guard scalar.value >= 0x7F else { return scalar.value < 0x20 }
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned,
            .privateUse:
            return true
        default: return scalar.properties.isDefaultIgnorableCodePoint
        }
    }
}
