import AppendLog
import Synchronization

@testable import Appliance
@testable import Vocabulary

/// Topics with partitions, consumer groups whose members come and go, and transactions that hold
/// outputs and positions together: as much of Kafka as the steps can tell.
///
/// Like Kafka's, offsets of a partition have gaps: each transaction leaves a marker.
final class MemoryBroker: Sendable {
    /// A member of a group, and what it believes to own.
    struct Member: Hashable, Sendable {
        var group: String
        var id: Int
        var generation: Int
        /// The partitions of every input that it reads.
        var partitions: [Int32]

        /// One member of a group publishes for all.
        var leads: Bool { partitions.contains(0) }
    }

    /// What the oracle must never see.
    enum Breach: Hashable, Sendable {
        /// The outputs of one source were stored a second time.
        case repeated(topic: TopicID, source: SourcePlace)
        /// A row was published, and one before it was not.
        case gap(topic: TopicID, row: Int64, after: Int64)
    }

    private struct Group {
        var generation = 0
        var members: [Int] = []
        var inputs: [TopicID] = []
        var committed: [SourceLane: Offset] = [:]
        /// The last row of each topic, stored like a position.
        var rows: [TopicID: Int64] = [:]
        var taken: Set<Source> = []
    }

    private struct Source: Hashable {
        var topic: TopicID
        var place: SourcePlace
    }

    private struct Partition {
        var records: [StoredRecord] = []
        var next: Int64 = 0
    }

    private struct State {
        var topics: [TopicID: [Partition]] = [:]
        var groups: [String: Group] = [:]
        var nextMember = 0
        var breaches: Set<Breach> = []
    }

    let partitionCount: Int32
    private let state: Mutex<State>

    init(partitionCount: Int32) {
        self.partitionCount = partitionCount
        var state = State()
        for id in TopicID.allCases {
            state.topics[id] = Array(repeating: Partition(), count: Int(partitionCount))
        }
        self.state = Mutex(state)
    }

    var breaches: Set<Breach> { state.withLock { $0.breaches } }

    /// All records of a topic, partition by partition.
    func records(_ topic: TopicID) -> [PlacedRecord] {
        state.withLock { state in
            (0..<partitionCount).flatMap { partition in
                state.topics[topic, default: []][Int(partition)].records.map {
                    PlacedRecord(
                        place: SourcePlace(
                            topic: topic, partition: partition, offset: $0.offset),
                        record: $0.record)
                }
            }
        }
    }

    /// Appends outside of any transaction.
    func append(_ record: Record, to topic: TopicID) -> SourcePlace {
        state.withLock { append(record, to: topic, in: &$0) }
    }

    private func append(_ record: Record, to topic: TopicID, in state: inout State) -> SourcePlace {
        let partition = self.partition(of: record)
        let index = Int(partition)
        let offset = Offset(state.topics[topic, default: []][index].next)
        state.topics[topic]?[index].records.append(StoredRecord(offset: offset, record: record))
        state.topics[topic]?[index].next += 1
        return SourcePlace(topic: topic, partition: partition, offset: offset)
    }

    private func partition(of record: Record) -> Int32 {
        var hash: UInt32 = 2_166_136_261
        for byte in record.key ?? [] { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
        return Int32(hash % UInt32(partitionCount))
    }

    // MARK: Groups

    /// A new member. Every other member of the group has to look again at what it owns.
    func join(_ group: String, inputs: [TopicID]) -> Int {
        state.withLock { state in
            state.nextMember += 1
            state.groups[group, default: Group()].members.append(state.nextMember)
            state.groups[group]?.inputs = inputs
            state.groups[group]?.generation += 1
            return state.nextMember
        }
    }

    /// The member has left, or was not heard of for too long.
    func remove(_ id: Int, from group: String) {
        state.withLock { state in
            guard let place = state.groups[group]?.members.firstIndex(of: id) else { return }
            state.groups[group]?.members.remove(at: place)
            state.groups[group]?.generation += 1
        }
    }

    /// What a member owns now; nil when it was removed.
    func member(_ id: Int, of group: String) -> Member? {
        state.withLock { state in
            guard let all = state.groups[group], let place = all.members.firstIndex(of: id) else {
                return nil
            }
            let owned = (0..<partitionCount).filter { Int($0) % all.members.count == place }
            return Member(
                group: group, id: id, generation: all.generation, partitions: Array(owned))
        }
    }

    private func isCurrent(_ member: Member, _ state: State) -> Bool {
        state.groups[member.group]?.generation == member.generation
            && state.groups[member.group]?.members.contains(member.id) == true
    }

    // MARK: Reading and writing

    /// Where a member begins to read.
    func start(of member: Member) -> [SourceLane: Offset] {
        state.withLock { state in
            guard let group = state.groups[member.group] else { return [:] }
            var start: [SourceLane: Offset] = [:]
            for topic in group.inputs {
                for partition in member.partitions {
                    let lane = SourceLane(topic: topic, partition: partition)
                    start[lane] = group.committed[lane] ?? .zero
                }
            }
            return start
        }
    }

    /// - Returns: nil when the member no longer owns what it believes.
    func read(
        _ member: Member, from start: [SourceLane: Offset], countMax: Int
    ) -> Run? {
        state.withLock { state in
            guard isCurrent(member, state) else { return nil }
            var run = Run(records: [], next: [])
            for lane in start.keys.sorted() {
                let partition = state.topics[lane.topic, default: []][Int(lane.partition)]
                let from = start[lane, default: .zero]
                let records = partition.records.drop { $0.offset < from }.prefix(countMax)
                guard !records.isEmpty else { continue }
                for stored in records {
                    run.records.append(
                        PlacedRecord(
                            place: SourcePlace(
                                topic: lane.topic, partition: lane.partition,
                                offset: stored.offset),
                            record: stored.record))
                }
                run.next.append(run.records[run.records.count - 1].place.next)
            }
            return run
        }
    }

    func hasNews(_ member: Member, from start: [SourceLane: Offset]) -> Bool {
        guard let run = read(member, from: start, countMax: 1) else { return true }
        return !run.records.isEmpty
    }

    /// One transaction: all of it or nothing.
    ///
    /// - Returns: false, with nothing stored, when the member no longer owns what it believes.
    func commit(_ member: Member, _ outputs: [StageOutput], consumed: [SourcePlace]) -> Bool {
        state.withLock { state in
            guard isCurrent(member, state) else { return false }
            var sources: Set<Source> = []
            var touched: Set<TopicID> = []
            for output in outputs {
                switch output.source {
                case .record(let place):
                    sources.insert(Source(topic: output.topic, place: place))
                case .row(let row):
                    let last = state.groups[member.group]?.rows[output.topic] ?? 0
                    if row != last + 1 {
                        state.breaches.insert(.gap(topic: output.topic, row: row, after: last))
                    }
                    state.groups[member.group]?.rows[output.topic] = row
                }
                _ = append(output.record, to: output.topic, in: &state)
                touched.insert(output.topic)
            }
            for source in sources
            where state.groups[member.group]?.taken.insert(source).inserted == false {
                state.breaches.insert(.repeated(topic: source.topic, source: source.place))
            }
            for place in consumed {
                state.groups[member.group]?.committed[place.lane] = place.offset
            }
            for topic in touched {
                for index in 0..<Int(partitionCount) { state.topics[topic]?[index].next += 1 }
            }
            return true
        }
    }

    func lastRow(in topic: TopicID, of group: String) -> Int64? {
        state.withLock { $0.groups[group]?.rows[topic] }
    }
}
