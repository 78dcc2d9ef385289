/// How the files of a topic are called: `00000000000000000042.log`, by the offset they begin at.
enum SegmentName {
    static let logSuffix = ".log"
    static let indexSuffix = ".index"
    static let timeIndexSuffix = ".timeindex"
    /// A file on its way out: renamed first, so that a crash leaves either all of it or nothing.
    static let deletedSuffix = ".deleted"
    /// Says of the segment before it what was found damaged in it.
    static let quarantineSuffix = ".quarantine"
    static let checkpoint = "checkpoint"
    /// Says which sealed segments were looked at.
    static let looks = "looks"
    /// A file that is being written and takes its place by a rename.
    static let temporarySuffix = ".tmp"

    static func stem(_ baseOffset: Offset) -> String {
        let digits = String(baseOffset.rawValue)
        return String(repeating: "0", count: 20 - digits.count) + digits
    }

    /// The base offset in a `.log` file's name; nil for any other name.
    static func baseOffset(ofLog name: String) -> Offset? {
        guard name.hasSuffix(logSuffix) else { return nil }
        return baseOffset(ofStem: name.dropLast(logSuffix.count))
    }

    static func baseOffset(ofStem stem: Substring) -> Offset? {
        guard stem.utf8.count == 20,
            stem.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let value = Int64(stem)
        else { return nil }
        return Offset(value)
    }

    static func folder(_ topic: TopicName) -> String { topic.rawValue + "-0" }

    /// The topic a folder's name stands for; nil for any other name.
    static func topic(ofFolder name: String) -> TopicName? {
        guard name.hasSuffix("-0") else { return nil }
        let topic = String(name.dropLast(2))
        return topic == TopicName.cursors.rawValue ? .cursors : try? TopicName(topic)
    }
}
