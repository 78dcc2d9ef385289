import Foundation

/// What a page's form sends (`application/x-www-form-urlencoded`).
struct PostedForm: Sendable {
    private let fields: [String: String]

    static let type = "application/x-www-form-urlencoded"

    /// - Returns: nil for what is not of that type, or is no text.
    init?(type: String?, body: [UInt8]) {
        guard type?.lowercased().hasPrefix(Self.type) == true,
            let text = String(validating: body, as: UTF8.self)
        else { return nil }
        var fields: [String: String] = [:]
        for pair in text.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = Self.decoded(parts[0]) else { return nil }
            guard let value = Self.decoded(parts.count > 1 ? parts[1] : "") else { return nil }
            // The first of several: nobody can put another behind what a page sends.
            if fields[name] == nil { fields[name] = value }
        }
        self.fields = fields
    }

    subscript(_ name: String) -> String? { fields[name] }

    private static func decoded(_ text: Substring) -> String? {
        text.replacing("+", with: " ").removingPercentEncoding
    }
}
