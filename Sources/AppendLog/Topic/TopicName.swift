/// The name of a topic, by Kafka's rule: 1 to 249 of `[a-zA-Z0-9._-]`, and neither `.` nor `..`.
public struct TopicName: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let rawValue: String

    /// - Throws: `.invalidTopicName`; also for `__cursors`, which the log keeps for itself.
    public init(_ rawValue: String) throws(LogError) {
        guard Self.isValid(rawValue), rawValue != Self.cursors.rawValue else {
            throw .invalidTopicName(rawValue)
        }
        self.rawValue = rawValue
    }

    /// A name that the log itself wrote down, its own topic's among them.
    init?(stored name: some StringProtocol) {
        guard Self.isValid(String(name)) else { return nil }
        rawValue = String(name)
    }

    private init(trusted rawValue: String) { self.rawValue = rawValue }

    /// The topic in which the log keeps the cursors of its groups.
    static let cursors = TopicName(trusted: "__cursors")

    private static func isValid(_ name: String) -> Bool {
        guard name != ".", name != ".." else { return false }
        return (1...Limits.topicNameBytesMax).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                switch UInt8(byte) {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
                    UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }

    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
    public var description: String { rawValue }
}

/// The name of a group of consumers that share one cursor per topic.
public struct GroupName: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let rawValue: String

    /// - Throws: `.invalidName` unless it has 1 to 255 bytes.
    public init(_ rawValue: String) throws(LogError) {
        guard (1...Limits.nameBytesMax).contains(rawValue.utf8.count) else {
            throw .invalidName(rawValue)
        }
        self.rawValue = rawValue
    }

    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
    public var description: String { rawValue }
}
