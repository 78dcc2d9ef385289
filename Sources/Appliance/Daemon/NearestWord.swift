/// What somebody probably meant who wrote a word that nobody knows.
package enum NearestWord {
    /// The known word with the smallest edit distance, if it is near enough to be meant.
    ///
    /// - Parameter distanceMax: the largest that is near enough; nil for what the word's length
    ///   allows.
    package static func to(
        _ word: String, among known: [String], within distanceMax: Int? = nil
    ) -> String? {
        let distanceMax = distanceMax ?? max(2, word.count / 3)
        let ranked = known.map { ($0, editDistance($0, word)) }
        guard let best = ranked.min(by: { $0.1 < $1.1 }), best.1 <= distanceMax else {
            return nil
        }
        return best.0
    }

    /// Levenshtein's distance: insertions, deletions and substitutions from one word to the other.
    private static func editDistance(_ left: String, _ right: String) -> Int {
        let right = Array(right)
        var row = Array(0...right.count)
        for (i, letter) in left.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for j in right.indices {
                let substituted = diagonal + (letter == right[j] ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(substituted, row[j] + 1, row[j + 1] + 1)
            }
        }
        return row[right.count]
    }
}
