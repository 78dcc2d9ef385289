/// In which order fetched messages are taken: those of the first one's partition together, in their
/// own order. Across partitions Kafka promises none.
struct FetchedOrder {
    /// What a message is to the partition that is gathered.
    enum Piece {
        case record(byteCount: Int)
        /// Everything that was committed has been read.
        case end
        /// What reading it led to; records behind it are not for before it.
        case trouble
        /// Of another partition.
        case other
    }

    /// The partition's own, an end only as the last of them.
    private(set) var together: [Int] = []
    /// The rest.
    private(set) var behind: [Int] = []
    /// Ends behind which more was found.
    private(set) var outdated: [Int] = []

    /// - Parameters:
    ///   - pieces: the first is a record of the partition.
    ///   - bytesMax: of the records that are brought together; the first is one of them always.
    init(_ pieces: some Sequence<Piece>, bytesMax: Int) {
        var byteCount = 0
        var end: Int?
        var isOver = false
        for (place, piece) in pieces.enumerated() {
            switch piece {
            case .record(let count) where !isOver:
                if let end { outdated.append(end) }
                end = nil
                isOver = byteCount > 0 && byteCount + count > bytesMax
                if isOver {
                    behind.append(place)
                } else {
                    byteCount += count
                    together.append(place)
                }
            case .end where !isOver:
                if let end { outdated.append(end) }
                end = place
            case .trouble:
                isOver = true
                behind.append(place)
            case .record, .end, .other: behind.append(place)
            }
        }
        if let end { together.append(end) }
    }
}
