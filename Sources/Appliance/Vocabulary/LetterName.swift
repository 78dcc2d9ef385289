package import AppendLog

extension SourcePlace {
    /// A place in `dead.letter`.
    package static func letter(_ offset: Offset, partition: Int32 = 0) -> Self {
        Self(topic: .deadLetter, partition: partition, offset: offset)
    }

    /// What a person calls a dead letter: its offset, with the partition before it behind the
    /// first one.
    package var letterName: String {
        partition == 0 ? "\(offset)" : "\(partition)/\(offset)"
    }

    /// The dead letter that somebody calls so; nil where there can be none.
    package init?(letterName: some StringProtocol) {
        let parts = letterName.split(separator: "/", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), let number = Int64(parts[parts.count - 1]),
            let offset = Offset(named: number),
            let partition = parts.count == 1 ? 0 : Int32(parts[0]), partition >= 0
        else { return nil }
        self = .letter(offset, partition: partition)
    }
}
