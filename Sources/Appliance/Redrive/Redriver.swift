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
        case alreadyRedriven = "already_redriven"
        /// There is no dead letter at this offset.
        case notFound = "not_found"

        /// Whether the letter has left, or would.
        var goes: Bool {
            switch self {
            case .sent, .admitted, .duplicate, .wouldSend: true
            case .stillRefused, .alreadyRedriven, .notFound: false
            }
        }
    }

    package var letter: Offset
    /// Why it became a dead letter.
    package var reason: String
    package var result: Result
    /// For a person.
    package var detail: String
}

package struct RedriveAnswer: Hashable, Sendable {
    /// In the order of their offsets.
    package var lines: [RedriveLine]
    /// Ask again behind this offset; nil when that was all.
    package var next: Offset?
}

/// Sends dead letters back through the pipeline, each once.
///
/// There is one in a process that holds the log's lock, so it alone writes orders:
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
    private let topic: @Sendable (TopicID) -> TopicReader
    private let letters: any LetterStore
    private let admission: any AdmissionStore
    private let forecaster: RedriveForecaster
    private let clock: any LogClock
    private let counters: Counters
    private var index = RedriveIndex()
    /// Letters whose order is on its way to the disk.
    private var claimed: Set<Offset> = []

    /// - Parameters:
    ///   - topic: of any name, for reading.
    ///   - letters: where orders are written.
    package init(
        topic: @escaping @Sendable (TopicID) -> TopicReader, letters: any LetterStore,
        admission: any AdmissionStore, defaultMerchant: MerchantID,
        livemodes: [WebhookEndpoint.Livemode], clock: any LogClock, counters: Counters
    ) {
        self.topic = topic
        self.letters = letters
        self.admission = admission
        forecaster = RedriveForecaster(defaultMerchant: defaultMerchant, livemodes: livemodes)
        self.clock = clock
        self.counters = counters
    }

    /// What one request comes to, decided without a pause.
    private struct Plan {
        var lines: [RedriveLine] = []
        var orders: [Record] = []
        var ordered: [Offset] = []
        /// Deliveries for the admission, and their place among the lines.
        var deliveries: [(place: Int, letter: StoredLetter, identity: EventIdentity)] = []
        var next: Offset?

        mutating func note(
            _ letter: StoredLetter, _ result: RedriveLine.Result, _ detail: String
        ) {
            lines.append(
                RedriveLine(
                    letter: letter.offset, reason: letter.reason, result: result, detail: detail))
        }
    }

    /// Redrives at most `RedriveLimits.requestCountMax` letters; everything is on disk when it
    /// returns.
    ///
    /// - Throws: what an append or a read throws; letters of this request may then have gone, and
    ///   asking again is harmless.
    package func redrive(_ request: RedriveRequest) async throws(StoreFailure) -> RedriveAnswer {
        try index.catchUp(with: topic(.deadLetter))
        var plan = try plan(request)
        guard !request.isDryRun else { return RedriveAnswer(lines: plan.lines, next: plan.next) }
        let claims = plan.ordered + plan.deliveries.map(\.letter.offset)
        claimed.formUnion(claims)
        defer { claimed.subtract(claims) }
        if !plan.orders.isEmpty {
            try await letters.keep(plan.orders)
            counters.add(.redriven, plan.orders.count)
        }
        for (place, letter, identity) in plan.deliveries {
            plan.lines[place] = try await admit(letter, identity)
        }
        return RedriveAnswer(lines: plan.lines, next: plan.next)
    }

    // MARK: Choosing

    private func plan(_ request: RedriveRequest) throws(StoreFailure) -> Plan {
        let selection = try RedriveSelection(request, from: topic(.deadLetter)) {
            isRedriven($0)
        }
        var plan = Plan(next: selection.next)
        for offset in selection.missing {
            plan.lines.append(
                RedriveLine(
                    letter: offset, reason: "", result: .notFound,
                    detail: "no such dead letter is here; see `tillbox dead-letter list`"))
        }
        for letter in selection.letters {
            try add(letter, isDryRun: request.isDryRun, to: &plan)
        }
        return plan
    }

    private func isRedriven(_ letter: Offset) -> Bool {
        index.orders[letter] != nil || claimed.contains(letter)
    }

    private func add(
        _ letter: StoredLetter, isDryRun: Bool, to plan: inout Plan
    ) throws(StoreFailure) {
        guard !isRedriven(letter.offset) else {
            let order = index.orders[letter.offset].map { " by order \($0.offset)" } ?? ""
            let detail = "it went back to where it came from\(order)"
            return plan.note(letter, .alreadyRedriven, detail)
        }
        switch forecaster.forecast(letter) {
        case .staysRefused(let reason, let detail):
            plan.note(letter, .stillRefused, "\(reason): \(detail)")
        case .admits(let identity):
            if !isDryRun { plan.deliveries.append((plan.lines.count, letter, identity)) }
            plan.note(letter, .wouldSend, "goes through the gate's admission as \(identity.id)")
        case .passes(_, let says) where isDryRun:
            plan.note(letter, .wouldSend, says)
        case .passes(let target, let says):
            plan.note(letter, .sent, says)
            let original = try original(of: letter, in: target)
            plan.orders.append(
                RedriveOrder.record(for: letter, original: original, to: target, at: clock.now()))
            plan.ordered.append(letter.offset)
        }
    }

    /// The record that failed, for its headers; nil once retention has taken it.
    private func original(
        of letter: StoredLetter, in id: TopicID
    ) throws(StoreFailure) -> Record? {
        guard let source = letter.source else { return nil }
        return try topic(id).record(at: source)
    }

    // MARK: Deliveries

    /// Takes a delivery through the admission, then marks its letter.
    private func admit(
        _ letter: StoredLetter, _ identity: EventIdentity
    ) async throws(StoreFailure) -> RedriveLine {
        let now = clock.now()
        let record = Record.received(
            letter.value, id: identity.id, endpoint: RedriveStage.name,
            receivedAt: letter.record.timestamp, timestamp: now,
            further: [RecordHeader(RedriveHeader.from, RedriveHeader.origin(letter.offset))])
        var line = RedriveLine(
            letter: letter.offset, reason: letter.reason, result: .admitted,
            detail: "it is event \(identity.id) now")
        switch try await admission.admit(identity, record: record) {
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
        let mark = RedriveOrder.mark(of: letter, outcome: line.result.rawValue, at: now)
        try await letters.keep([mark])
        return line
    }
}
