internal import Synchronization

/// Deleting what is no longer kept.
extension Topic {
    /// Seals a segment that is too old, deletes those that retention no longer keeps, and says how
    /// many.
    ///
    /// - Parameter needed: the smallest cursor of any group.
    public func applyRetention(needed: Offset?) async throws(LogError) -> Int {
        // SAFETY: the queue runs what it is given once, and that resumes once.
        let result: Result<Int, LogError> = await withUnsafeContinuation { continuation in
            queue.schedule {
                continuation.resume(returning: self.applyRetentionNow(needed: needed))
            }
        }
        return try result.get()
    }

    /// The same at once, on the caller's thread.
    public func applyRetentionNow(needed: Offset?) -> Result<Int, LogError> {
        let retention = Retention(
            ageMaxMilliseconds: configuration.retentionAgeMilliseconds,
            byteCountMax: configuration.retentionBytes,
            needed: configuration.retentionIgnoresGroups ? nil : needed)
        return change { writer, _ throws(LogError) in
            if writer.isTooOld {
                do throws(TopicWriter.Failure) {
                    try self.roll(&writer, self.shared.withLock { $0.producers })
                } catch {
                    throw error.logError
                }
            }
            writer.look(at: self.shared.withLock { $0.run.segments })
            guard retention.ageMaxMilliseconds != nil || retention.byteCountMax != nil else {
                return 0
            }
            let (run, now) = (self.shared.withLock { $0.run }, self.clock.now())
            return retention.expiredCount(
                of: try run.ages(olderThan: retention.cutoff(now: now)), now: now)
        }
    }

    /// Deletes the segments that end at or before `offset`.
    func deleteSegments(before offset: Offset) -> Result<Int, LogError> {
        change { _, run throws(LogError) in
            max(0, run.segments.partitioningIndex { $0.baseOffset > offset } - 1)
        }
    }

    /// Deletes as many of the oldest segments as `count` says, one after another.
    private func change(
        _ count: (inout TopicWriter, SegmentRun) throws(LogError) -> Int
    ) -> Result<Int, LogError> {
        let result = writer.withLock { writer -> Result<Int, LogError> in
            let (run, stopped) = shared.withLock { ($0.run, $0.stopped) }
            if let stopped { return .failure(stopped) }
            do {
                let doomed = try count(&writer, run)
                // A segment may have been sealed for its age since.
                let (segments, producers) = shared.withLock { ($0.run.segments, $0.producers) }
                guard doomed > 0,
                    try writer.mayDelete(
                        segments[..<doomed], keepingFrom: segments[doomed].baseOffset, producers)
                else { return .success(0) }
                for _ in 0..<doomed {
                    let segment = shared.withLock { shared in
                        shared.places.removeAll()
                        return shared.run.segments.removeFirst()
                    }
                    try writer.delete(segment)
                    segment.release()
                }
                return .success(doomed)
            } catch let failure as TopicWriter.Failure {
                return .failure(failure.logError)
            } catch {
                return .failure(error as? LogError ?? .closed)
            }
        }
        if case .failure(.poisoned(let error)) = result { poison(error) }
        return result
    }
}
