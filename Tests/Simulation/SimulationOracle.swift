import AppendLog

/// What must hold of a log after anything that may happen to it (reliability.md).
extension Simulation {
    /// Checks the open log against the model, then takes what it found over into the model.
    func checkEverything() throws {
        for name in Self.topics {
            try checkTopic(name)
            try checkTimes(name)
        }
        try checkCursors()
        try checkFromOutside()
    }

    private func fail(_ what: String) -> SimulationFailure { SimulationFailure(what: what) }

    func readAll(_ name: TopicName) throws -> [StoredRecord] {
        let topic = try topic(name)
        var records: [StoredRecord] = []
        var next = topic.start
        while next < topic.highWatermark {
            let some = try topic.read(from: next, byteCountMax: 5000)
            guard let last = some.last else { throw fail("\(name): nothing at \(next)") }
            records += some
            next = last.offset.advanced(by: 1)
        }
        return records
    }

    private func checkTopic(_ name: TopicName) throws {
        guard var model = models[name] else { return }
        let topic = try topic(name)
        let start = topic.start
        let stored = try readAll(name)
        for (index, record) in stored.enumerated()
        where record.offset != start.advanced(by: Int64(index)) {
            throw fail("\(name): \(record.offset) stands where \(start)+\(index) belongs")
        }
        guard start <= model.deletableBefore else {
            throw fail("\(name) starts at \(start), past what retention might delete")
        }
        guard topic.highWatermark >= model.highWatermark else {
            throw fail(
                "\(name) ends at \(topic.highWatermark), acknowledged to \(model.highWatermark)")
        }
        var found: [Offset: [UInt8]] = [:]
        for record in stored { found[record.offset] = Array(record.record.value ?? []) }
        for (offset, value) in model.durable where offset >= start && found[offset] != value {
            throw fail("\(name): acknowledged record \(offset) is gone or changed")
        }
        try checkUnacknowledged(name, stored, &model)
        model.durable = found
        model.highWatermark = topic.highWatermark
        model.appends.removeAll()
        models[name] = model
    }

    /// Of what was not acknowledged, each append is there whole or not at all, and each source
    /// once.
    private func checkUnacknowledged(
        _ name: TopicName, _ stored: [StoredRecord], _ model: inout TopicModel
    ) throws {
        let topic = try topic(name)
        var owners: [[UInt8]: Int] = [:]
        for (index, append) in model.appends.enumerated() where !append.isAcknowledged {
            for value in append.values { owners[value] = index }
        }
        var counts: [Int: Int] = [:]
        for record in stored where model.durable[record.offset] == nil {
            guard let owner = owners[Array(record.record.value ?? [])] else {
                throw fail("\(name): nobody asked for what is at \(record.offset)")
            }
            counts[owner, default: 0] += 1
        }
        for (index, count) in counts {
            let append = model.appends[index]
            guard let producer = append.producer else {
                guard count == append.values.count else {
                    throw fail("\(name): \(count) of an append of \(append.values.count) are there")
                }
                continue
            }
            // Sources the log had before are refused; the others are there together.
            let last = model.lastSource[producer] ?? Offset(-1)
            let news = append.sources.count { $0 > last }
            guard count <= news, count > 0 else {
                throw fail("\(name): \(count) of \(append.sources) after \(last) are there")
            }
        }
        try checkSources(name, stored, &model, topic)
    }

    private func checkSources(
        _ name: TopicName, _ stored: [StoredRecord], _ model: inout TopicModel, _ topic: Topic
    ) throws {
        for producer in Self.producers {
            let all = stored.filter {
                $0.record.header("producer").map(Array.init) == Array(producer.rawValue.utf8)
            }
            var sources: [Int64] = []
            var outputs: [Int64: Int] = [:]
            for record in all {
                let text = String(
                    decoding: record.record.header(SourcedRecord.headerName) ?? [], as: UTF8.self)
                guard let source = Int64(text) else {
                    throw fail("\(name): no source at \(record.offset)")
                }
                guard source >= sources.last ?? -1 else {
                    throw fail("\(name): source \(source) again")
                }
                sources.append(source)
                outputs[source, default: 0] += 1
                let wanted = String(decoding: record.record.header("outputs") ?? [], as: UTF8.self)
                let isLast = record.offset == all.last(where: { $0.source == source })?.offset
                if isLast, topic.start == .zero, String(outputs[source] ?? 0) != wanted {
                    throw fail(
                        "\(name): \(outputs[source] ?? 0) of \(wanted) outputs of source \(source)")
                }
            }
            let known = topic.lastSource(of: producer)
            if let last = sources.last, known != Offset(last) {
                throw fail("\(name): last source \(String(describing: known)), found \(last)")
            }
            if let acknowledged = model.lastSource[producer], known ?? Offset(-1) < acknowledged {
                throw fail("\(name): last source \(String(describing: known)) < \(acknowledged)")
            }
            model.lastSource[producer] = known
        }
    }

    /// Looking up a time finds what walking over all records finds.
    private func checkTimes(_ name: TopicName) throws {
        let stored = try readAll(name)
        let topic = try topic(name)
        var times =
            stored.isEmpty ? [] : [Timestamp(milliseconds: 0), Timestamp(milliseconds: .max)]
        for _ in 0..<3 {
            if let some = stored.randomElement(using: &generator) {
                times.append(some.record.timestamp)
            }
        }
        for time in times {
            let found = try topic.offset(at: time)
            guard found == stored.first(where: { $0.record.timestamp >= time })?.offset else {
                throw fail("\(name): \(time) is at \(String(describing: found))")
            }
        }
    }

    /// Reading from anywhere gives what was acknowledged there.
    func checkRead() throws {
        let name = Self.topics[Int.random(in: 0..<Self.topics.count, using: &generator)]
        let topic = try topic(name)
        let (start, end) = (topic.start, topic.highWatermark)
        guard start < end else { return }
        let offset = Offset(Int64.random(in: start.rawValue..<end.rawValue, using: &generator))
        let records = try topic.read(
            from: offset, byteCountMax: Int.random(in: 1...20_000, using: &generator))
        try takeAnswers()
        guard records.first?.offset == offset else {
            throw fail("\(name): read \(offset) got nothing")
        }
        for record in records
        where models[name]?.durable[record.offset] != Array(record.record.value ?? []) {
            throw fail("\(name): read \(record.offset), which was not acknowledged, or not so")
        }
    }

    private func checkCursors() throws {
        guard let store = log?.cursors else { return }
        for group in Self.groups {
            for name in Self.topics {
                let key = CursorKey(group: group, topic: name)
                let found = store.committed(group: group, topic: name)
                let model = cursors[key] ?? CursorModel()
                let allowed = [model.durable] + model.requested[model.settled...]
                guard allowed.contains(found) else {
                    throw fail(
                        "cursor \(group)/\(name) is \(String(describing: found)), not in \(allowed)"
                    )
                }
                if let found, found > (try topic(name)).highWatermark {
                    throw fail("cursor \(group)/\(name) is beyond the end")
                }
                cursors[key] = CursorModel(durable: found)
            }
        }
    }

    /// The same folder, looked at as `tillbox log verify` does.
    private func checkFromOutside() throws {
        for topic in try Log.openReadOnly(at: Self.path, disk: disk).topics {
            let report = try topic.verify()
            if let corruption = report.corruption { throw fail("verify: \(corruption)") }
            guard topic.end == models[topic.name]?.highWatermark else {
                throw fail("\(topic.name) ends at \(topic.end) seen from outside")
            }
        }
    }
}

extension TopicModel.Append {
    var isAcknowledged: Bool {
        if case .success = outcome { return true }
        return false
    }
}

extension StoredRecord {
    fileprivate var source: Int64? {
        record.header(SourcedRecord.headerName).flatMap {
            Int64(String(decoding: $0, as: UTF8.self))
        }
    }
}
