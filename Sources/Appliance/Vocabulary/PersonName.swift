/// The name that somebody says of themselves, where no account knows it: whoever owns the data
/// folder says who sits at the command line.
package enum PersonName {
    /// Bytes of a name in UTF-8 at most.
    package static let byteCountMax = 128

    /// Why nobody acts under a name.
    package enum Refusal: Error, Hashable, CustomStringConvertible {
        /// It is empty, too long, or has what is not seen.
        case unusable
        /// The daemon writes it itself; see ``ReservedNames``.
        case reserved(String)

        package var description: String {
            switch self {
            case .unusable:
                "by must be a name of 1 to \(byteCountMax) bytes, all of it visible"
            case .reserved(let name):
                "by must tell who you are: \(ShownText.escaped(name)) is, or looks like, a name "
                    + "that Tillbox writes itself; say another"
            }
        }
    }

    /// Takes a name that somebody says.
    ///
    /// - Returns: the name without the white space around it.
    package static func said(_ text: String) throws(Refusal) -> String {
        let name = trimmed(text)
        guard isUsable(name) else { throw .unusable }
        guard !ReservedNames.isReserved(name) else { throw .reserved(name) }
        return name
    }

    /// Whether it can stand as a name: its length, and that all of it is seen.
    package static func isUsable(_ name: String) -> Bool {
        (1...byteCountMax).contains(name.utf8.count) && ShownText.isPlain(name)
    }

    /// Without the white space before and behind it.
    package static func trimmed(_ name: String) -> String {
        var scalars = name.unicodeScalars[...]
        while scalars.first?.properties.isWhitespace == true { scalars.removeFirst() }
        while scalars.last?.properties.isWhitespace == true { scalars.removeLast() }
        return String(scalars)
    }
}
