package import AppendLog
package import Vocabulary

/// The daemon's topics, opened.
package struct Topics: Sendable {
    private let byID: [TopicID: Topic]

    /// Opens every topic of `log`, creating those that are absent.
    package init(of log: Log) throws(LogError) {
        var byID: [TopicID: Topic] = [:]
        for id in TopicID.allCases {
            byID[id] = try log.topic(try TopicName(id.rawValue))
        }
        self.byID = byID
    }

    package subscript(id: TopicID) -> Topic {
        guard let topic = byID[id] else { preconditionFailure("\(id) was not opened") }
        return topic
    }
}
