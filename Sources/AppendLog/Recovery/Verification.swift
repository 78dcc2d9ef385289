/// How far a verification has got.
public struct VerificationProgress: Hashable, Sendable {
    public var topic: TopicName
    /// Of the topic's batches.
    public var bytesDone: Int64
    public var bytesTotal: Int64
}

/// What a verification found.
public struct VerificationReport: Hashable, Sendable {
    public var batchCount = 0
    public var recordCount = 0
    public var byteCount: Int64 = 0
    /// The first bad place of the topic; nil if all is well.
    public var corruption: Corruption?
}

extension ReadOnlyTopic {
    /// Checks every batch: its checksum, its records, that it is this topic's, that offsets are
    /// dense from the first segment to the last, that both indexes agree with it, and that each
    /// producer's sources increase.
    ///
    /// - Throws: `.disk`, `.unsupportedCompression`; damage is reported, not thrown, but for that
    ///   in a cold folder: `.coldDamaged`, `.coldUnreadable`.
    public func verify(
        progress: (VerificationProgress) -> Void = { _ in }
    ) throws(LogError) -> VerificationReport {
        try view.reading { parts throws(LogError) in
            var verification = Verification(
                topic: name, run: parts.run, view: view, stamp: stamp, folder: folder, disk: disk)
            do throws(LogError) {
                try verification.verify(progress)
            } catch {
                guard case .corrupt(let corruption) = error, !parts.cold.holds(corruption.file)
                else { throw error }
                verification.report.corruption = corruption
            }
            return verification.report
        }
    }
}

private struct Verification {
    let topic: TopicName
    let run: SegmentRun
    private let view: ColdView
    var report = VerificationReport()
    private let folder: String
    private let disk: any Disk
    private var lastSources: [Int64: Offset] = [:]
    private var stamps: StampCheck

    init(
        topic: TopicName, run: SegmentRun, view: ColdView, stamp: Int32?, folder: String,
        disk: any Disk
    ) {
        self.topic = topic
        self.run = run
        self.view = view
        self.folder = folder
        self.disk = disk
        stamps = StampCheck(expected: stamp)
    }

    mutating func verify(_ progress: (VerificationProgress) -> Void) throws(LogError) {
        let summaries = run.summaries()
        let topic = topic
        let total = summaries.reduce(0) { $0 + $1.byteCount }
        func tell(_ bytesDone: Int64) {
            progress(VerificationProgress(topic: topic, bytesDone: bytesDone, bytesTotal: total))
        }
        for (segment, summary) in zip(run.segments, summaries) {
            defer { segment.release() }
            do throws(LogError) {
                try verify(segment, summary, tell)
            } catch {
                guard case .disk(let failure) = error, failure.isMissing, !segment.isCold else {
                    throw error
                }
                // It was moved to a cold folder meanwhile.
                if try view.follow(error) {
                    try verifyMoved(segment, summary, tell)
                    continue
                }
                // A daemon's retention goes on meanwhile, and takes from the front.
                guard try isRetired(segment) else { throw error }
            }
        }
    }

    private mutating func verifyMoved(
        _ segment: Segment, _ summary: SegmentSummary, _ progress: (Int64) -> Void
    ) throws(LogError) {
        let cold = view.parts.cold
        guard let moved = cold.segments.first(where: { $0.baseOffset == segment.baseOffset })
        else { return }
        defer { moved.release() }
        try cold.reading { () throws(LogError) in try verify(moved, summary, progress) }
    }

    /// Whether the segment is gone as retention takes one: with all that were before it.
    private func isRetired(_ segment: Segment) throws(LogError) -> Bool {
        do {
            return try disk.list(folder).compactMap(SegmentName.baseOffset(ofLog:))
                .allSatisfy { $0 > segment.baseOffset }
        } catch {
            throw .disk(error)
        }
    }

    private mutating func verify(
        _ segment: Segment, _ summary: SegmentSummary, _ progress: (Int64) -> Void
    ) throws(LogError) {
        // Of a sealed segment all of it; the last one ends where it did when the log was opened.
        var limit = summary.byteCount
        if segment !== run.segments.last {
            do { limit = try segment.byteCount() } catch { throw .disk(error) }
        }
        var walk = try segment.walk(from: 0, expecting: segment.baseOffset, limit: limit)
        var positions: [Int64: RecordBatchHeader] = [:]
        while walk.expected < summary.end {
            guard case .batch(let header, let position) = try walk.step(in: segment) else {
                throw .corrupt(try badPlace(&walk, in: segment))
            }
            do {
                try check(header, try RecordBatch.records(in: walk.bytes), segment, position)
            } catch let error as RecordBatchError {
                throw segment.failure(error, at: position, offset: header.baseOffset)
            } catch {
                throw error as? LogError ?? .closed
            }
            positions[position] = header
            report.batchCount += 1
            report.recordCount += header.recordCount
            report.byteCount += Int64(header.byteCount)
            progress(report.byteCount)
        }
        try checkIndexes(of: segment, positions)
    }

    private func badPlace(
        _ walk: inout BatchWalk, in segment: Segment
    ) throws(LogError) -> Corruption {
        guard case .bad(let kind) = try walk.step(in: segment) else {
            return segment.corruption(at: walk, .missing)
        }
        return segment.corruption(at: walk, kind)
    }

    private mutating func check(
        _ header: RecordBatchHeader, _ records: [StoredRecord], _ segment: Segment,
        _ position: Int64
    ) throws(LogError) {
        if let kind = stamps.refusal(of: header) {
            throw .corrupt(
                Corruption(
                    file: segment.logPath, position: position, offset: header.baseOffset,
                    kind: kind))
        }
        guard let id = header.producer?.producerID, !header.attributes.isControl else { return }
        let known = lastSources[id]
        for stored in records {
            guard let source = stored.record.source else { continue }
            // Within a batch one source may have many records, across batches not.
            if let known, source <= known {
                throw .corrupt(
                    Corruption(
                        file: segment.logPath, position: position, offset: stored.offset,
                        kind: .source(found: source, after: known)))
            }
            lastSources[id] = source
        }
    }

    /// Whatever the files of the last segment say of bytes yet to come is not looked at.
    private func checkIndexes(
        of segment: Segment, _ batches: [Int64: RecordBatchHeader]
    ) throws(LogError) {
        guard let index = segment.storedIndex() else { return }
        for place in index.places {
            let offset = segment.baseOffset.advanced(by: Int64(place.relativeOffset))
            guard offset < run.end else { break }
            guard batches[Int64(place.position)]?.baseOffset == offset else {
                throw .corrupt(
                    Corruption(
                        file: segment.indexPath, position: Int64(place.position), offset: offset,
                        kind: .index))
            }
        }
        let headers = batches.values.sorted { $0.baseOffset < $1.baseOffset }
        var next = headers.startIndex
        var latest = Timestamp(milliseconds: .min)
        for moment in index.moments {
            let offset = segment.baseOffset.advanced(by: Int64(moment.relativeOffset))
            while next < headers.endIndex, headers[next].lastOffset <= offset {
                latest = max(latest, headers[next].maxTimestamp)
                next += 1
            }
            guard latest.milliseconds <= moment.timestamp else {
                throw .corrupt(
                    Corruption(
                        file: segment.timeIndexPath, position: 0, offset: offset, kind: .index))
            }
        }
    }
}
