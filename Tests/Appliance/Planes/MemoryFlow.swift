import AppendLog

@testable import Appliance
@testable import Vocabulary

/// A flow over the memory broker: one member of a step's group.
struct MemoryFlow: Flow {
    private let broker: MemoryBroker
    private let member: MemoryBroker.Member
    private let schedule: Schedule
    private let task: Int
    private let rowsWait: @Sendable (Int64, Int64) -> Bool
    private let stops: @Sendable () -> Bool
    private var reading: [SourceLane: Offset]

    /// Records of one partition that a run holds at most: few, so that there are many places to
    /// die.
    private static let countMax = 3

    let isShared = true
    var leads: Bool { member.leads }

    /// - Parameters:
    ///   - rowsWait: whether the ledger has transactions or reviews behind these.
    ///   - stops: whether the instance has been asked to stop.
    init(
        _ broker: MemoryBroker, _ member: MemoryBroker.Member, _ schedule: Schedule, task: Int,
        stops: @escaping @Sendable () -> Bool,
        rowsWait: @escaping @Sendable (Int64, Int64) -> Bool = { _, _ in false }
    ) {
        self.broker = broker
        self.member = member
        self.schedule = schedule
        self.task = task
        self.stops = stops
        self.rowsWait = rowsWait
        reading = broker.start(of: member)
    }

    mutating func next(bytesMax: Int) async throws -> Run? {
        let (broker, member, stops) = (broker, member, stops)
        let (isNews, reading) = (rowsAreDue, reading)
        try await schedule.pass(task, "\(member.group): read") {
            stops() || isNews() || broker.hasNews(member, from: reading)
        }
        if stops() { return nil }
        guard let run = broker.read(member, from: reading, countMax: Self.countMax) else {
            throw FlowFenced()
        }
        for place in run.next { self.reading[place.lane] = place.offset }
        try await schedule.pass(task, "\(member.group): took")
        return run
    }

    private var rowsAreDue: @Sendable () -> Bool {
        let (broker, member, rowsWait) = (broker, member, rowsWait)
        return {
            member.leads
                && rowsWait(
                    broker.lastRow(in: .ledgerPosted, of: member.group) ?? 0,
                    broker.lastRow(in: .paymentReview, of: member.group) ?? 0)
        }
    }

    mutating func finish(
        _ outputs: [StageOutput], consumed: [SourcePlace], checkpoint: () -> StageState?
    ) async throws -> [TopicID: Int] {
        try await schedule.pass(task, "\(member.group): before the transaction")
        guard broker.commit(member, outputs, consumed: consumed) else { throw FlowFenced() }
        try await schedule.pass(task, "\(member.group): behind the transaction")
        return [:]
    }

    mutating func close(checkpoint: () -> StageState?) async throws {}

    func lastRow(in topic: TopicID) async throws -> Int64? {
        broker.lastRow(in: topic, of: member.group)
    }

    func row(_ number: Int64, in topic: TopicID) async throws -> Record? { nil }
}
