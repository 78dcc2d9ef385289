import Foundation

/// A JSON value, read by Foundation, so that our own writer is judged by another's reader.
struct JSON: CustomStringConvertible {
    static var null: JSON { JSON(value: NSNull()) }
    private let value: Any

    private init(value: Any) { self.value = value }

    init(_ text: String) throws {
        value = try JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed)
    }

    subscript(key: String) -> JSON { JSON(value: (value as? [String: Any])?[key] ?? NSNull()) }
    func has(_ key: String) -> Bool { (value as? [String: Any])?[key] != nil }
    var text: String { value as? String ?? "" }
    var int: Int { (value as? NSNumber)?.intValue ?? -1 }
    var bool: Bool { (value as? NSNumber)?.boolValue ?? false }
    var list: [JSON] { (value as? [Any])?.map(JSON.init(value:)) ?? [] }
    var description: String { "\(value)" }
}
