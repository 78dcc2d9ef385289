/// What a log is told of a trouble that is looked at again and again: each kind of it once, until
/// it is over. Numbers make no other kind.
struct TroubleTale: Sendable {
    enum News: Hashable, Sendable {
        case begins(String)
        case ends
    }

    private var told: Set<String> = []

    /// - Parameter trouble: what is in the way now; nil for nothing.
    /// - Returns: what is to be said of it; nil where it has been said.
    mutating func hear(_ trouble: String?) -> News? {
        guard let trouble else {
            defer { told = [] }
            return told.isEmpty ? nil : .ends
        }
        return told.insert(trouble.filter { !$0.isNumber }).inserted ? .begins(trouble) : nil
    }
}
