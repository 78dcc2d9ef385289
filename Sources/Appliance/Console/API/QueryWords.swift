import Hummingbird
import Vocabulary

/// What a request asks for in its address, read strictly: whoever misspells a filter would take the
/// whole list for the answer.
extension Request {
    /// Refuses a parameter that the route does not have, or that is given twice.
    func checkParameters(_ known: [String]) throws(Problem) {
        var seen: Set<Substring> = []
        for (name, _) in uri.queryParameters {
            guard known.contains(String(name)) else {
                throw Problem(
                    .badRequest, "there is no parameter \(name.prefix(40)); there are: "
                        + known.joined(separator: ", "))
            }
            guard seen.insert(name).inserted else {
                throw Problem(.badRequest, "\(name) is given twice; give it once")
            }
        }
    }

    /// A parameter's value; nil where it is absent.
    ///
    /// - Parameters:
    ///   - what: what it must be, behind `must be`.
    ///   - read: nil for what it must not be.
    func value<Value>(
        _ name: String, _ what: String, _ read: (String) throws -> Value?
    ) throws(Problem) -> Value? {
        guard let text = parameter(name) else { return nil }
        guard let value = try? read(text) else {
            throw Problem(.badRequest, "\(name) must be \(what)")
        }
        return value
    }

    /// One of an enum's words.
    func word<Word: RawRepresentable<String> & CaseIterable>(
        _ name: String, as type: Word.Type = Word.self
    ) throws(Problem) -> Word? {
        let all = Word.allCases.map(\.rawValue).joined(separator: ", ")
        return try value(name, "one of \(all)") { Word(rawValue: $0) }
    }

    /// One or more of an enum's words, with commas between them; none where it is absent.
    func words<Word: RawRepresentable<String> & CaseIterable & Hashable>(
        _ name: String, as type: Word.Type = Word.self
    ) throws(Problem) -> [Word] {
        let all = Word.allCases.map(\.rawValue).joined(separator: ", ")
        return try value(name, "one or more of \(all), with commas between them") { text in
            let parts = text.split(separator: ",", omittingEmptySubsequences: false)
            let words = parts.compactMap { Word(rawValue: String($0)) }
            return words.count == parts.count && Set(words).count == words.count ? words : nil
        } ?? []
    }

    func moment(_ name: String) throws(Problem) -> Moment? {
        try value(
            name, "a UTC date (2025-03-01), RFC 3339 (2025-03-01T12:00:00Z) or Unix seconds"
        ) { Moment($0) }
    }

    func currency() throws(Problem) -> Currency? {
        try value("currency", "three letters, as usd") { Currency($0.lowercased()) }
    }

    /// A text of 1 to 255 bytes.
    func text(_ name: String) throws(Problem) -> String? {
        try value(name, "a text of 1 to 255 bytes") {
            (1...255).contains($0.utf8.count) && !$0.utf8.contains(0) ? $0 : nil
        }
    }

    /// `from` and `to`, both included.
    func period() throws(Problem) -> (from: Instant?, to: Instant?) {
        let (from, to) = (try moment("from")?.start, try moment("to")?.end)
        if let from, let to, from > to {
            throw Problem(.badRequest, "from must not lie behind to")
        }
        return (from, to)
    }
}

extension JSONWriter {
    /// An amount in minor units, and with its decimals.
    mutating func amount(_ minorUnits: Int64, in currency: Currency) {
        member("minor_units", minorUnits)
        member("amount", currency.display(MinorUnits(minorUnits)))
    }

    /// An array under a key.
    mutating func list<Element>(
        _ key: StaticString, _ elements: some Sequence<Element>,
        _ write: (inout JSONWriter, Element) -> Void
    ) {
        self.key(key)
        beginArray()
        for element in elements { write(&self, element) }
        endArray()
    }

    /// An object in an array.
    mutating func object(_ write: (inout JSONWriter) -> Void) {
        beginObject()
        write(&self)
        endObject()
    }
}
