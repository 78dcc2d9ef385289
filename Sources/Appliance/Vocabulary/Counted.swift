/// A count and what is counted, as a sentence has them.
package enum Counted {
    /// `1 record`, `0 records`
    ///
    /// - Parameter many: where it is more than an `s` behind the one: `entries`, `reviews opened`.
    package static func words(
        _ count: some BinaryInteger, _ one: String, _ many: String? = nil
    ) -> String {
        "\(count) \(noun(count, one, many))"
    }

    /// The same without the number: `record`, or `is` and `are`.
    package static func noun(
        _ count: some BinaryInteger, _ one: String, _ many: String? = nil
    ) -> String {
        count == 1 ? one : many ?? one + "s"
    }
}
