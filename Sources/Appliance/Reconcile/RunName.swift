/// The name of a run: its number, or `dry-` and a number where nothing of it is kept.
package struct RunName: Hashable, Sendable, CustomStringConvertible {
    package var number: Int64
    package var isDry: Bool

    package init(number: Int64, isDry: Bool) {
        self.number = number
        self.isDry = isDry
    }

    /// - Returns: nil for what is no run's name, as `01`.
    package init?(_ text: String) {
        isDry = text.hasPrefix("dry-")
        guard let number = Int64(isDry ? text.dropFirst(4) : text[...]), number > 0 else {
            return nil
        }
        self.number = number
        guard description == text else { return nil }
    }

    package var description: String { isDry ? "dry-\(number)" : "\(number)" }
}
