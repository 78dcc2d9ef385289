/// `application/x-www-form-urlencoded`, as Stripe's libraries write it.
package enum FormCoding {
    /// The fields of a query or a body, in order. What is no valid escape stands for itself.
    package static func decode(_ text: some StringProtocol) -> [FormField] {
        guard !text.isEmpty else { return [] }
        return text.split(separator: "&").map { pair in
            let halves = pair.split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return FormField(unescaped(halves[0]), halves.count > 1 ? unescaped(halves[1]) : "")
        }
    }

    private static func unescaped(_ text: Substring.SubSequence) -> String {
        unescaped(Array(text.utf8))
    }

    private static func unescaped(_ text: some StringProtocol) -> String {
        unescaped(Array(text.utf8))
    }

    private static func unescaped(_ bytes: [UInt8]) -> String {
        var plain: [UInt8] = []
        plain.reserveCapacity(bytes.count)
        var place = 0
        while place < bytes.count {
            let byte = bytes[place]
            if byte == UInt8(ascii: "%"), place + 2 < bytes.count,
                let high = digit(bytes[place + 1]), let low = digit(bytes[place + 2])
            {
                plain.append(high << 4 | low)
                place += 3
            } else {
                plain.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
                place += 1
            }
        }
        return String(decoding: plain, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

/// A call's fields as a tree: `a[b][c]=1` is the text 1 below a, b and c. `a[]=1` gets the next
/// number as its name.
///
/// It notes what has been read, so that what nobody reads can be refused. Used within one call.
final class FormTree {
    /// Deeper names than Stripe has any are refused before they cost anything.
    static let depthMax = 8
    /// More fields than this are refused.
    static let countMax = 1_000

    private(set) var text: String?
    private(set) var children: [(key: String, node: FormTree)] = []
    private let key: String
    /// The name of what this stands below.
    private let above: String
    private var isRead = false

    private init(_ key: String, below above: String) {
        self.key = key
        self.above = above
    }

    /// The whole name from the top: `card[number]`. Put together where somebody asks: few do.
    var name: String { above.isEmpty ? key : "\(above)[\(key)]" }

    init(_ fields: [FormField]) throws(APIRefusal) {
        key = ""
        above = ""
        guard fields.count <= Self.countMax else {
            throw APIRefusal(message: "More than \(Self.countMax) parameters.")
        }
        for field in fields {
            let keys = try Self.keys(of: field.name)
            var node = self
            for key in keys { node = node.child(key) }
            node.text = field.value
        }
    }

    /// By bytes and not by characters, which would cost more than all else in a call.
    private static func keys(of name: String) throws(APIRefusal) -> [String] {
        let parts = name.utf8.split(
            separator: UInt8(ascii: "["), omittingEmptySubsequences: false)
        if parts.count == 1, !name.isEmpty { return [name] }
        let isWellFormed =
            !parts[0].isEmpty && parts.count <= depthMax
            && parts.dropFirst().allSatisfy { $0.last == UInt8(ascii: "]") }
        guard isWellFormed else {
            throw APIRefusal(message: "Invalid parameter name: \(name)", parameter: name)
        }
        return [String(Substring(parts[0]))]
            + parts.dropFirst().map { String(Substring($0.dropLast())) }
    }

    private func child(_ key: String) -> FormTree {
        if !key.isEmpty, let known = children.first(where: { $0.key == key }) { return known.node }
        let key = key.isEmpty ? String(children.count) : key
        let node = FormTree(key, below: name)
        children.append((key, node))
        return node
    }

    subscript(key: String) -> FormTree? { children.first { $0.key == key }?.node }

    /// Marks this and all below it as read.
    func markRead() { isRead = true }

    /// At most so many names are told of what nobody has read.
    private static let unreadMax = 10

    /// The names of what nobody has read, the first of them.
    var unread: [String] {
        if isRead { return [] }
        if children.isEmpty { return name.isEmpty ? [] : [name] }
        var names: [String] = []
        for child in children where names.count < Self.unreadMax { names += child.node.unread }
        return Array(names.prefix(Self.unreadMax))
    }
}
