/// The name of a run: its number, or `dry-` and a number where nothing of it is kept.
struct RunName: Hashable, Sendable, CustomStringConvertible {
    var number: Int64
    var isDry: Bool

    init(number: Int64, isDry: Bool) {
        self.number = number
        self.isDry = isDry
    }

    init?(_ text: String) {
        isDry = text.hasPrefix("dry-")
        guard let number = Int64(isDry ? text.dropFirst(4) : text[...]), number > 0 else {
            return nil
        }
        self.number = number
    }

    var description: String { isDry ? "dry-\(number)" : "\(number)" }
}
