import AppendLog
import Vocabulary

/// What the stages have still to read is read before them: damage there would stop the daemon, with
/// its ports open, as soon as a stage comes to it.
extension FolderReading {
    /// Bytes that are read at once, and how often; what lies behind is left to the stage.
    private static let readByteCount = 1 << 20
    private static let readCountMax = 256

    /// Notes in `state`, which has everything else already, what cannot be read.
    func readAhead(_ state: inout FolderState) throws {
        for (id, next) in Self.places(state) {
            guard let name = try? TopicName(id.rawValue), let topic = ends.topic(name),
                let damage = try Self.damage(in: topic, from: max(next, topic.start))
            else { continue }
            state.unreadable[id] = "\(damage)"
        }
    }

    /// Where the gate and each stage go on.
    private static func places(_ state: FolderState) -> [(id: TopicID, next: Offset)] {
        let rewinds = StartComparison.plan(of: state)?.rewinds ?? [:]
        var places: [(id: TopicID, next: Offset)] = [
            (.webhookReceived, state.next(.webhookReceived, behind: state.gate))
        ]
        for (group, id) in [
            (ValidateStage.name, ValidateStage.input), (RedriveStage.name, RedriveStage.input),
        ] {
            let cursor = state.cursors.first { $0.group == group && $0.topic == id }
            let next = cursor?.next ?? .zero
            places.append((id, min(next, rewinds[group] ?? next)))
        }
        // Scoring begins where its snapshot ends, wherever its cursor stands; one that goes beyond
        // what has to be derived again is not used at all.
        let score = state.next(EmbeddedScoreStage.input, behind: state.features)
        let isUsed = score <= rewinds[EmbeddedScoreStage.name] ?? score
        places.append((EmbeddedScoreStage.input, isUsed ? score : .zero))
        guard case .found(let ledger) = state.ledger else { return places }
        for id in [TopicID.paymentScored, .paymentReview] {
            places.append((id, Offset(ledger.point.positions[id.rawValue] ?? 0)))
        }
        return places
    }

    private static func damage(
        in topic: ReadOnlyTopic, from start: Offset
    ) throws(LogError) -> Corruption? {
        var next = start
        for _ in 0..<readCountMax where next < topic.end {
            do throws(LogError) {
                let records = try topic.read(from: next, byteCountMax: readByteCount)
                guard let last = records.last else { return nil }
                next = last.offset.advanced(by: 1)
            } catch {
                guard case .corrupt(let corruption) = error else { throw error }
                return corruption
            }
        }
        return nil
    }
}

extension FolderState {
    /// Where reading goes on behind a snapshot; at the beginning where it cannot be used.
    func next(_ id: TopicID, behind snapshot: SnapshotState) -> Offset {
        guard case .found(let origin, let checksum) = snapshot,
            origin.fits(log: identity, start: start(id), end: end(id), checksum: checksum)
        else { return .zero }
        return origin.next
    }
}
