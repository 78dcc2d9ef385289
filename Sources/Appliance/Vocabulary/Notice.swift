/// Something that a person should know of, and who has found it.
package struct Notice: Hashable, Sendable {
    /// What it is about, such as a bridge or the nightly backup; the same at each look.
    package var kind: String
    package var sentence: String

    package init(kind: String, sentence: String) {
        self.kind = kind
        self.sentence = sentence
    }

    /// What stays the same while only counts, times and moments of the sentence pass.
    package var subject: String { "\(kind): \(pattern)" }

    /// The sentence without its counts, times and moments, and without the `s` of what there is
    /// several of. Digits within a name are the name's: `redis-2` and `10.0.0.7:6379` are others
    /// than `redis-1` and `10.0.0.8:6379`.
    package var pattern: String {
        var isCounted = false
        let words = sentence.split(separator: " ").map { word -> String in
            let isFigure = Self.isFigure(word)
            defer { isCounted = isFigure }
            guard !isFigure, isCounted else { return isFigure ? "#" : String(word) }
            return String(word.replacing(#/s([.,;:)]*)$/#) { $0.output.1 })
        }
        return words.joined(separator: " ")
    }

    /// `1,200`, `4.5`, `60s`, `90%`, `2026-11-27`, `2026-11-27T16:22:24Z`.
    private static func isFigure(_ word: Substring) -> Bool {
        var word = word.drop { "(+-".contains($0) }
        while let last = word.last, ").,;:".contains(last) { word = word.dropLast() }
        let number = #/[0-9]+(,[0-9]{3})*(\.[0-9]+)?(ms|s|min|h|d|%)?/#
        let moment = #/[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:.]+Z)?/#
        return word.wholeMatch(of: number) != nil || word.wholeMatch(of: moment) != nil
    }
}
