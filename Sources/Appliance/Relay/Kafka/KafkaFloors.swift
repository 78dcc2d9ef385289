import AppendLog
import Bridges
import Vocabulary

/// How far each partition holds what the local log has: the last offset that was copied there.
///
/// It is read from the partitions themselves, so that neither an expired position nor a broker that
/// has lost what it acknowledged leads to a record twice, or to none:
///
///     log        0 1 2 3 4 5 6 7 8 9
///     p0         0 . . 3 . . 6 .          floor 6
///     p1         . 1 . . 4 . (7 lost)     floor 4     go on at 5: 6 is passed over, 7 is copied
///     p2         . . 2 . . 5 . . 8        floor 8
struct KafkaFloors: Equatable {
    /// By number; nil where a partition holds nothing.
    private var floors: [Offset?]

    init(partitions: Int32) { floors = Array(repeating: nil, count: Int(partitions)) }

    subscript(partition: Int32) -> Offset? {
        get { floors[Int(partition)] }
        set { floors[Int(partition)] = newValue }
    }

    /// Whether the partition has the record already.
    func has(_ offset: Offset, in partition: Int32) -> Bool {
        floors[Int(partition)].map { offset <= $0 } ?? false
    }

    /// Where copying goes on: right behind the partition that is furthest back.
    ///
    /// - Parameter start: where the log begins.
    func resume(from start: Offset) -> Offset {
        let known = floors.map { $0?.advanced(by: 1) ?? start }
        return known.min() ?? start
    }

    /// The last record of all.
    var highest: Offset? { floors.compactMap { $0 }.max() }
}
