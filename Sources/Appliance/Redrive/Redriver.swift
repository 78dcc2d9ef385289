package import AppendLog
package import Vocabulary

/// What became of one letter.
package struct RedriveLine: Hashable, Sendable {
    /// A stable word.
    package enum Result: String, Sendable {
        /// On its way back to the topic it came from.
        case sent
        /// A delivery that is now an event in `webhook.received`.
        case admitted
        /// A delivery whose event had arrived otherwise.
        case duplicate
        /// A dry run: it would be sent, or go through the admission.
        case wouldSend = "would_send"
        /// It would fail as before, and stays.
        case stillRefused = "still_refused"
        /// Somebody else is storing its event, or was killed over it; it stays for now.
        case underWay = "under_way"
        case alreadyRedriven = "already_redriven"
        /// There is no dead letter at this offset.
        case notFound = "not_found"

        /// Whether the letter has left, or would.
        var goes: Bool {
            switch self {
            case .sent, .admitted, .duplicate, .wouldSend: true
            case .stillRefused, .underWay, .alreadyRedriven, .notFound: false
            }
        }
    }

    package var letter: SourcePlace
    /// Why it became a dead letter.
    package var reason: String
    package var result: Result
    /// For a person.
    package var detail: String

    /// What it would come back as is too large for where it would go.
    mutating func stays(because why: String) {
        result = .stillRefused
        detail =
            "record_too_large: \(why); the letter stays, see it with "
            + "`tillbox dead-letter show \(letter.letterName)`"
    }
}

package struct RedriveAnswer: Hashable, Sendable {
    /// In the order of partitions and offsets.
    package var lines: [RedriveLine]
    /// Ask again behind this one; nil when that was all.
    package var next: SourcePlace?
}

/// Where dead letters lie, and what they came from, in whichever plane.
package struct LetterSource: Sendable {
    /// `dead.letter`, partition by partition in the order of their numbers: at least all that was
    /// durable when it was asked for.
    let letters: @Sendable () throws(StoreFailure) -> [TopicReader]
    /// One partition of a topic that letters came from.
    let lane: @Sendable (SourceLane) throws(StoreFailure) -> TopicReader
    /// Topics that a step of the plane reads: only what goes back to one of them leads on.
    let targets: [TopicID]
    /// Why a record would be too large for a topic; nil where it fits, or nobody can say so before
    /// it is written. Asked in a dry run.
    let tooLarge: @Sendable (Record, TopicID) -> String?

    package init(
        letters: @escaping @Sendable () throws(StoreFailure) -> [TopicReader],
        lane: @escaping @Sendable (SourceLane) throws(StoreFailure) -> TopicReader,
        targets: [TopicID],
        tooLarge: @escaping @Sendable (Record, TopicID) -> String? = { _, _ in nil }
    ) {
        self.letters = letters
        self.lane = lane
        self.targets = targets
        self.tooLarge = tooLarge
    }
}

/// Sends dead letters back through the pipeline, each once.
///
/// There is one in a process that holds the log's lock, or whose producer has fenced any other's,
/// so it alone writes orders:
///
///     request A                         request B, of the same letter
///     index: no order, claim it
///     append the order … sync           claimed: already_redriven
///     (a crash here: no order, or one)
///                                       index: it has an order: already_redriven
///
/// A delivery that the gate refused has no order before it goes: the admission's claim on its event
/// id is what keeps it from being stored twice, and the mark is written afterwards.
package actor Redriver {
    private let source: LetterSource
    private let letters: any LetterStore
    private let admission: any AdmissionStore
    private let forecaster: RedriveForecaster
    private let clock: any LogClock
    private let counters: Counters
    private var index: RedriveIndex
    /// Letters whose order is on its way to the disk.
    private var claimed: Set<SourcePlace> = []

    /// - Parameters:
    ///   - letters: where orders are written.
    ///   - index: what is known by now of what has gone back.
    package init(
        source: LetterSource, letters: any LetterStore, admission: any AdmissionStore,
        defaultMerchant: MerchantID, livemodes: [WebhookEndpoint.Livemode], clock: any LogClock,
        counters: Counters, knowing index: RedriveIndex = RedriveIndex()
    ) {
        self.index = index
        self.source = source
        self.letters = letters
        self.admission = admission
        forecaster = RedriveForecaster(
            defaultMerchant: defaultMerchant, livemodes: livemodes, targets: source.targets)
        self.clock = clock
        self.counters = counters
    }

    /// A delivery for the admission, and the place of its letter among a plan's lines.
    private struct Delivery {
        var place: Int
        var letter: StoredLetter
        var identity: EventIdentity
        var edit: RedriveEdit?
    }

    /// What one request comes to, decided without a pause.
    private struct Plan {
        var lines: [RedriveLine] = []
        /// Orders, and the place of each one's letter among the lines.
        var orders: [(place: Int, record: Record)] = []
        /// Deliveries for the admission, and their place among the lines.
        var deliveries: [Delivery] = []
        var next: SourcePlace?

        /// Letters that will be on their way.
        var leaving: [SourcePlace] {
            orders.map { lines[$0.place].letter } + deliveries.map(\.letter.place)
        }

        mutating func note(
            _ letter: StoredLetter, _ result: RedriveLine.Result, _ detail: String
        ) {
            lines.append(
                RedriveLine(
                    letter: letter.place, reason: letter.reason, result: result, detail: detail))
        }

        /// Says of the letter that was noted last why it would stay; nil where it would go.
        mutating func foretell(_ tooLarge: String?) {
            guard let tooLarge else { return }
            lines[lines.count - 1].stays(because: tooLarge)
        }
    }

    /// Redrives at most `RedriveLimits.requestCountMax` letters; everything is on disk when it
    /// returns. What is too large for where it would go stays, and so does a delivery whose event
    /// somebody else has claimed: neither holds up the others.
    ///
    /// - Throws: what an append or a read throws; letters of this request may then have gone, and
    ///   asking again is harmless.
    package func redrive(_ request: RedriveRequest) async throws(StoreFailure) -> RedriveAnswer {
        let partitions = try source.letters()
        try index.catchUp(with: partitions)
        var plan = try plan(request, partitions)
        guard !request.isDryRun else { return RedriveAnswer(lines: plan.lines, next: plan.next) }
        let claims = plan.leaving
        claimed.formUnion(claims)
        defer { claimed.subtract(claims) }
        for (place, why) in try await send(plan.orders) {
            plan.lines[place].stays(because: why)
        }
        for delivery in plan.deliveries {
            plan.lines[delivery.place] = try await admit(delivery)
        }
        return RedriveAnswer(lines: plan.lines, next: plan.next)
    }

    // MARK: Choosing

    private func plan(
        _ request: RedriveRequest, _ partitions: [TopicReader]
    ) throws(StoreFailure) -> Plan {
        let selection = try RedriveSelection(request, from: partitions) { isRedriven($0) }
        var plan = Plan(next: selection.next)
        for place in selection.missing {
            plan.lines.append(
                RedriveLine(
                    letter: place, reason: "", result: .notFound,
                    detail: "no such dead letter is here"))
        }
        // Of all of them before the first is judged: one by one they would be as many questions.
        let judged = selection.letters.map { letter in
            (letter, isRedriven(letter.place) ? nil : forecast(letter, request.edit))
        }
        let originals = try originals(of: judged)
        for (letter, forecast) in judged {
            add(letter, forecast, originals, request, to: &plan)
        }
        return plan
    }

    private func isRedriven(_ letter: SourcePlace) -> Bool {
        index.hasGone(letter) || claimed.contains(letter)
    }

    /// - Parameter forecast: nil for a letter that has gone back.
    private func add(
        _ letter: StoredLetter, _ forecast: RedriveForecast?, _ originals: [SourcePlace: Record],
        _ request: RedriveRequest, to plan: inout Plan
    ) {
        let (isDryRun, edit) = (request.isDryRun, request.edit)
        guard let forecast else {
            let order = index.orders[letter.place].map { " by order \($0.place.letterName)" } ?? ""
            let detail = "it went back to where it came from\(order)"
            return plan.note(letter, .alreadyRedriven, detail)
        }
        switch forecast {
        case .staysRefused(let reason, let detail):
            plan.note(letter, .stillRefused, "\(reason): \(detail)")
        case .admits(let identity):
            let delivery = Delivery(
                place: plan.lines.count, letter: letter, identity: identity, edit: edit)
            if !isDryRun { plan.deliveries.append(delivery) }
            plan.note(letter, .wouldSend, "goes through the gate's admission as \(identity.id)")
            if isDryRun { plan.foretell(source.tooLarge(received(delivery), .webhookReceived)) }
        case .passes(let target, let says):
            let original = Self.source(of: letter, forecast).flatMap { originals[$0] }
            let order = RedriveOrder.record(
                for: letter, original: original, to: target, at: clock.now(), edit: edit)
            plan.note(letter, isDryRun ? .wouldSend : .sent, says)
            guard isDryRun else { return plan.orders.append((plan.lines.count - 1, order)) }
            let back = RedriveStage.returned(by: order, to: source.targets)
            plan.foretell(back.flatMap { source.tooLarge($0.record, $0.topic) })
        }
    }

    /// What would become of a letter, or of what somebody has made of it.
    private func forecast(_ letter: StoredLetter, _ edit: RedriveEdit?) -> RedriveForecast {
        guard let edit else { return forecaster.forecast(letter) }
        return forecaster.forecast(letter.edited(edit), edited: letter)
    }

    /// A delivery as the admission stores it.
    private func received(_ delivery: Delivery) -> Record {
        let (letter, edit) = (delivery.letter, delivery.edit)
        return Record.received(
            edit.map { $0.value[...] } ?? letter.value, id: delivery.identity.id,
            endpoint: RedriveStage.name, receivedAt: letter.record.timestamp,
            timestamp: clock.now(),
            further: [RecordHeader(RedriveHeader.from, RedriveHeader.origin(letter.place))]
                + (edit?.headers(of: letter) ?? []))
    }

    /// The records that failed, for their headers, which is all that is kept of them; those that
    /// retention has taken are left out.
    private func originals(
        of letters: [(StoredLetter, RedriveForecast?)]
    ) throws(StoreFailure) -> [SourcePlace: Record] {
        var wanted: [SourceLane: Set<Offset>] = [:]
        for (letter, forecast) in letters {
            guard let place = Self.source(of: letter, forecast) else { continue }
            wanted[place.lane, default: []].insert(place.offset)
        }
        var found: [SourcePlace: Record] = [:]
        for (lane, offsets) in wanted {
            try source.lane(lane).records(at: offsets.sorted()) { stored in
                var record = stored.record
                record.value = nil
                found[
                    SourcePlace(
                        topic: lane.topic, partition: lane.partition, offset: stored.offset)
                ] = record
            }
        }
        return found
    }

    /// Where the record lies that goes back; nil for a letter of none.
    private static func source(
        of letter: StoredLetter, _ forecast: RedriveForecast?
    ) -> SourcePlace? {
        guard case .passes(let target, _) = forecast, let offset = letter.source else {
            return nil
        }
        return SourcePlace(topic: target, partition: letter.sourcePartition, offset: offset)
    }

    // MARK: Orders

    /// Writes the orders together. Where they are refused for the size of a record, which need not
    /// be named, each is written by itself.
    ///
    /// - Returns: those that do not fit, each by its letter's place among the lines, and why.
    private func send(
        _ orders: [(place: Int, record: Record)]
    ) async throws(StoreFailure) -> [(place: Int, why: String)] {
        guard !orders.isEmpty, let refusal = try await write(orders.map(\.record)) else {
            return []
        }
        guard orders.count > 1 else { return [(orders[0].place, refusal)] }
        var tooLarge: [(place: Int, why: String)] = []
        for (place, record) in orders {
            if let why = try await write([record]) { tooLarge.append((place, why)) }
        }
        return tooLarge
    }

    /// - Returns: why none of them was written, where a record is too large; nil where they were.
    private func write(_ orders: [Record]) async throws(StoreFailure) -> String? {
        do throws(StoreFailure) {
            try await letters.keep(orders)
        } catch {
            guard case .tooLarge(let why) = error else { throw error }
            return why
        }
        counters.add(.redriven, orders.count)
        return nil
    }

    // MARK: Deliveries

    /// Takes a delivery through the admission, then marks its letter.
    private func admit(_ delivery: Delivery) async throws(StoreFailure) -> RedriveLine {
        let (letter, identity) = (delivery.letter, delivery.identity)
        let record = received(delivery)
        var line = RedriveLine(
            letter: letter.place, reason: letter.reason, result: .admitted,
            detail: "it is event \(identity.id) now")
        let outcome: AdmissionOutcome
        do throws(StoreFailure) {
            outcome = try await admission.admit(identity, record: record)
        } catch {
            guard let why = error.reasonOfRecord else { throw error }
            switch error {
            case .tooLarge(let why): line.stays(because: why)
            case .pending: (line.result, line.detail) = (.underWay, "\(error)")
            default: (line.result, line.detail) = (.stillRefused, "not_stored: \(why)")
            }
            return line
        }
        switch outcome {
        case .admitted:
            counters.add(.redriven)
        case .duplicate:
            line.result = .duplicate
            line.detail = "event \(identity.id) had arrived otherwise"
        case .conflict:
            line.result = .stillRefused
            line.detail = "conflicting_event: another event is stored under the id \(identity.id)"
            return line
        }
        let mark = RedriveOrder.mark(
            of: letter, outcome: line.result.rawValue, at: record.timestamp, edit: delivery.edit)
        try await letters.keep([mark])
        return line
    }
}
