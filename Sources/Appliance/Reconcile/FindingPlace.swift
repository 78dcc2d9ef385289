/// Where a page of findings begins: behind a break, or, once these are through, behind a row of
/// the statement.
package enum FindingPlace: Hashable, Sendable {
    case start
    case `break`(Int64)
    case row(created: Int64, id: String)

    /// - Returns: nil unless `text` is what ``token`` gave.
    package init?(_ text: String) {
        let parts = text.split(separator: ":", maxSplits: 2).map(String.init)
        switch (parts.first, parts.count) {
        case ("break", 2):
            guard let id = Int64(parts[1]) else { return nil }
            self = .break(id)
        case ("row", 3):
            guard let created = Int64(parts[1]) else { return nil }
            self = .row(created: created, id: parts[2])
        default: return nil
        }
    }

    package var token: String {
        switch self {
        case .start: "break:0"
        case .break(let id): "break:\(id)"
        case .row(let created, let id): "row:\(created):\(id)"
        }
    }
}
