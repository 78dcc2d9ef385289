import AppendLog

/// The numbers by which a request names a page. They come from outside: what no page ever said is
/// nil, before anything is reckoned with it. A page has one name: `01` and `+1` are none of page 1.
enum QueryNumber {
    /// Rows that a page holds at most: a whole number from 1 to `most`.
    static func limit(_ text: String, upTo most: Int) -> Int? {
        Int(text).flatMap { (1...most).contains($0) ? $0 : nil }
    }

    /// The number of a stored row, such as a run or a sweep.
    static func row(_ text: String) -> Int64? {
        canonical(text).flatMap { $0 > 0 ? $0 : nil }
    }

    /// The offset of a record.
    static func offset(_ text: String) -> Offset? {
        canonical(text).flatMap { Offset(named: $0) }
    }

    /// The same as a person types it, or takes it from a page, with commas.
    static func typedOffset(_ text: String) -> Offset? {
        Int64(text.replacing(",", with: "")).flatMap { Offset(named: $0) }
    }

    /// A number as it is written.
    private static func canonical(_ text: String) -> Int64? {
        Int64(text).flatMap { "\($0)" == text ? $0 : nil }
    }
}
