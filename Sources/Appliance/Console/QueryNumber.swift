import AppendLog

/// The numbers by which a request names a page. They come from outside: what no page ever said is
/// nil, before anything is reckoned with it.
enum QueryNumber {
    /// Rows that a page holds at most: a whole number from 1 to `most`.
    static func limit(_ text: String, upTo most: Int) -> Int? {
        Int(text).flatMap { (1...most).contains($0) ? $0 : nil }
    }

    /// The number of a stored row, such as a run or a sweep.
    static func row(_ text: String) -> Int64? {
        Int64(text).flatMap { $0 > 0 ? $0 : nil }
    }

    /// The offset of a record.
    static func offset(_ text: String) -> Offset? {
        Int64(text).flatMap { Offset(named: $0) }
    }
}
